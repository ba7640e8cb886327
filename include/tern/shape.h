// SPDX-License-Identifier: Apache-2.0
// Shape: the extents of a tensor, held inline.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace tern {

inline constexpr int kMaxRank = 32;  // kernels loop over 8, into which ops merge neighbours where views allow

// Up to kMaxRank signed numbers: extents or strides. A value without allocation.
class Shape {
 public:
  // Numbers beyond the rank are nobody's: neither set here nor copied, since most shapes have few.
  Shape() {}
  Shape(const Shape& other) : rank_(other.rank_) { std::copy(other.begin(), other.end(), dims_.begin()); }
  Shape& operator=(const Shape& other) {
    rank_ = other.rank_;
    std::copy(other.begin(), other.end(), dims_.begin());
    return *this;
  }
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span<const int64_t>(dims.begin(), dims.size())) {}
  // Throws Error when there are more than kMaxRank numbers.
  explicit Shape(std::span<const int64_t> dims);

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return dims_[static_cast<size_t>(axis)]; }
  int64_t& operator[](int axis) { return dims_[static_cast<size_t>(axis)]; }
  // The last extent, counted from the end: back(0) is the last.
  int64_t back(int from_end = 0) const { return (*this)[rank_ - 1 - from_end]; }
  const int64_t* begin() const { return dims_.data(); }
  const int64_t* end() const { return dims_.data() + rank_; }

  // Product of the extents: 1 for rank 0.
  int64_t numel() const;
  void push_back(int64_t dim);
  void insert(int axis, int64_t dim);
  void erase(int axis);

  friend bool operator==(const Shape& a, const Shape& b);

 private:
  std::array<int64_t, kMaxRank> dims_;
  int rank_ = 0;
};

// Row-major strides, in elements, of a contiguous tensor.
Shape contiguous_strides(const Shape& shape);

// The shape to which both broadcast by NumPy's rule. Throws Error, in the name of op, when there is none.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

// "[2, 3]".
std::string to_string(const Shape& shape);

// axis in [-rank, rank) as one in [0, rank). Throws Error in the name of op otherwise.
int normalize_axis(const char* op, int axis, int rank);

}  // namespace tern
