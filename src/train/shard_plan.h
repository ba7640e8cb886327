// SPDX-License-Identifier: Apache-2.0
// How the elements of all parameters are divided among the processes of a group. Sums of gradients and new parameters
// are exchanged where they lie, in the tensors' own memory:
//
//   a parameter │ part                     │ part                     │ rest │
//   a part      │ rank 0 │ rank 1 │ rank 2 │ equal shares, each a multiple of 16 elements
//   the rest      fewer than 16 elements for each process: too few to divide, so every process owns all of them
//   a bucket      parts and rests that are exchanged at once; the last parameter's come first, because backward
//                 finishes gradients from the last parameter to the first
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tern {

class ShardPlan {
 public:
  struct Range {
    int64_t begin, end;
    int64_t size() const { return end - begin; }
  };
  // A stretch of a parameter.
  struct Part {
    size_t parameter;
    Range range;      // of its elements
    bool is_divided;  // or everyone's
    int64_t place;    // among what a process owns, laid end to end: that of its share
  };

  // Of parameters with `counts` elements; buckets of about `bucket_elements`, which no part exceeds by much. Shares
  // begin at multiples of 16 elements of their parameter and of what a process owns, so that a tensor's alignment is
  // kept.
  ShardPlan(std::span<const int64_t> counts, int processes, int64_t bucket_elements);

  int64_t buckets() const { return std::ssize(buckets_); }
  std::span<const Part> bucket(int64_t index) const { return buckets_[static_cast<size_t>(index)]; }

  // What process `rank` owns of a part, in the parameter's elements.
  Range own(const Part& part, int rank) const;
  // Where that is among what it owns, laid end to end.
  Range kept(const Part& part) const { return {part.place, part.place + own(part, 0).size()}; }
  // The length of what a process owns, laid end to end with padding: the same for all.
  int64_t own_elements() const { return own_elements_; }

 private:
  void add(Part part, int64_t bucket_elements);

  int64_t processes_, own_elements_ = 0;
  int64_t in_last_ = 0;  // elements of the last bucket
  std::vector<std::vector<Part>> buckets_;
};

}  // namespace tern
