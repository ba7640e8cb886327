// SPDX-License-Identifier: Apache-2.0
// Whether vectors of floats that were looked at, two at a time, have a NaN, by the compiler's comparisons.
template <class V>
class NanMarks {
 public:
  void look(const V& a, const V& b) { seen_ |= (a != a) | (b != b); }
  bool any() const {
    bool any = false;
    for (unsigned l = 0; l < sizeof seen_ / sizeof seen_[0]; ++l) any |= seen_[l] != 0;
    return any;
  }

 private:
  decltype(V{} != V{}) seen_ = {};
};
