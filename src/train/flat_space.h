// SPDX-License-Identifier: Apache-2.0
// The elements of all parameters in one line, for processes that share the work on them.
//
//   parameters, the last first │ h      │ g │ f             │ e     │ …
//   buckets of equal length    │ 0              │ 1              │ 2   (shorter)
//   shares of a bucket         │ rank 0 │ rank 1│ rank 0 │ rank 1│ …
//
// Backward finishes gradients from the last parameter to the first, so buckets fill in order. A process owns its share
// of every bucket: as many elements as any other, up to padding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tern {

class FlatSpace {
 public:
  // A stretch of one parameter.
  struct Piece {
    size_t parameter;
    int64_t begin;  // in the parameter
    int64_t flat;   // in the line
    int64_t count;
  };
  struct Range {
    int64_t begin, end;
    int64_t size() const { return end - begin; }
  };

  // Of parameters with `counts` elements; buckets of about `bucket_elements`. Parameters and shares begin at multiples
  // of 16 elements, so that a tensor's alignment is kept.
  FlatSpace(std::span<const int64_t> counts, int processes, int64_t bucket_elements);

  int64_t buckets() const;
  Range bucket(int64_t index) const;
  // Of process `rank` in a bucket.
  Range share(int64_t index, int rank) const;
  // Elements of all shares of a process, which are laid end to end where only its own are kept; and where a bucket's
  // begins there.
  int64_t share_elements() const { return elements_ / processes_; }
  int64_t share_begin(int64_t index) const { return bucket(index).begin / processes_; }

  // The parts of parameters in a range, in its order: not padding.
  std::vector<Piece> pieces(const Range& range) const;
  // The buckets that a parameter has a part in: first to last.
  Range buckets_of(size_t parameter) const;

 private:
  struct Parameter {
    int64_t begin, count;
  };

  int64_t processes_, bucket_elements_, elements_;
  std::vector<Parameter> parameters_;  // by their number: begin falls
};

}  // namespace tern
