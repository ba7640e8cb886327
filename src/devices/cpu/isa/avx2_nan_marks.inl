// SPDX-License-Identifier: Apache-2.0
// nan_marks.inl with a comparison that tells both vectors at once, which compilers do not find.
template <class V>
class NanMarks {
 public:
  void look(const V& a, const V& b) {
    if constexpr (sizeof a[0] == sizeof(float)) {
      seen_ = _mm256_or_ps(seen_, _mm256_cmp_ps(a, b, _CMP_UNORD_Q));
    } else {
      seen_ = _mm256_or_ps(seen_, _mm256_castpd_ps(_mm256_cmp_pd(a, b, _CMP_UNORD_Q)));
    }
  }
  bool any() const { return _mm256_movemask_ps(seen_) != 0; }

 private:
  __m256 seen_ = _mm256_setzero_ps();
};
