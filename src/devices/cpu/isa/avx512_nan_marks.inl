// SPDX-License-Identifier: Apache-2.0
// nan_marks.inl with a comparison that tells both vectors at once, which compilers do not find.
template <class V>
class NanMarks {
 public:
  void look(const V& a, const V& b) {
    if constexpr (sizeof a[0] == sizeof(float)) {
      seen_ |= _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q);
    } else {
      seen_ |= _mm512_cmp_pd_mask(a, b, _CMP_UNORD_Q);
    }
  }
  bool any() const { return seen_ != 0; }

 private:
  __mmask16 seen_ = 0;
};
