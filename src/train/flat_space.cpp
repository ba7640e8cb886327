// SPDX-License-Identifier: Apache-2.0
#include "train/flat_space.h"

#include <algorithm>

namespace tern {
namespace {

constexpr int64_t kUnit = 16;  // elements: 64 bytes of f32

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

FlatSpace::FlatSpace(std::span<const int64_t> counts, int processes, int64_t bucket_elements)
    : processes_(processes), parameters_(counts.size()) {
  int64_t end = 0;
  for (size_t i = counts.size(); i-- > 0;) {
    parameters_[i] = {end, counts[i]};
    end += round_up(counts[i], kUnit);
  }
  elements_ = round_up(end, kUnit * processes_);
  bucket_elements_ = round_up(std::max<int64_t>(bucket_elements, 1), kUnit * processes_);
}

int64_t FlatSpace::buckets() const { return (elements_ + bucket_elements_ - 1) / bucket_elements_; }

FlatSpace::Range FlatSpace::bucket(int64_t index) const {
  const int64_t begin = index * bucket_elements_;
  return {begin, std::min(begin + bucket_elements_, elements_)};
}

FlatSpace::Range FlatSpace::share(int64_t index, int rank) const {
  const Range whole = bucket(index);
  const int64_t each = whole.size() / processes_;
  return {whole.begin + rank * each, whole.begin + (rank + 1) * each};
}

std::vector<FlatSpace::Piece> FlatSpace::pieces(const Range& range) const {
  std::vector<Piece> out;
  for (size_t i = parameters_.size(); i-- > 0;) {
    const Parameter& parameter = parameters_[i];
    const int64_t begin = std::max(range.begin, parameter.begin);
    const int64_t end = std::min(range.end, parameter.begin + parameter.count);
    if (begin < end) out.push_back({i, begin - parameter.begin, begin, end - begin});
  }
  return out;
}

FlatSpace::Range FlatSpace::buckets_of(size_t parameter) const {
  const auto [begin, count] = parameters_[parameter];
  if (count == 0) return {0, 0};
  return {begin / bucket_elements_, (begin + count - 1) / bucket_elements_ + 1};
}

}  // namespace tern
