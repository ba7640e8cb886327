// SPDX-License-Identifier: Apache-2.0
// Elements by their indices: NumPy's x[…] and x[…] = value, and the indexing functions of the Python array API standard
// (2024.12). Every dtype; results are of the dtype of what they were taken from. Differentiable for f32, bf16 and f16
// but for what works in place. Index arrays are of any integer dtype or bool; negative indices count from the end; one
// out of range is an Error that names it, the axis and its extent. Errors otherwise are as in ops.h.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>
#include <variant>

#include "tern/scalar.h"
#include "tern/tensor.h"

namespace tern {

// start:stop:step, as Python clips it.
struct Slice {
  std::optional<int64_t> start = {}, stop = {}, step = {};
};
// …: whole slices of as many axes as the other entries leave. At most one in a list.
struct Ellipsis {};
// A new axis of extent 1.
struct NewAxis {};
inline constexpr Ellipsis kEllipsis = {};
inline constexpr NewAxis kNewAxis = {};

// One entry of x[…].
class Index {
 public:
  using Value = std::variant<int64_t, bool, Slice, Ellipsis, NewAxis, Tensor>;

  // An integer removes its axis; a bool is a mask of no axes: a new one of extent 1 or 0 in the arrays' place.
  template <std::integral T>
  Index(T value) {
    if constexpr (std::same_as<T, bool>) {
      value_ = value;
    } else {
      value_ = static_cast<int64_t>(value);
    }
  }
  Index(Slice value) : value_(value) {}
  Index(Ellipsis value) : value_(value) {}
  Index(NewAxis value) : value_(value) {}
  // Of integers: the elements of one axis; with none of its own, it is an integer. Of bools: a mask of as many axes of
  // x as it has, of their extents or 0, which keeps the elements where it is true.
  Index(Tensor value) : value_(std::move(value)) {}

  const Value& value() const { return value_; }

 private:
  Value value_;
};

// x[indices]. A view where the list has no arrays and no bools. Else a copy, by NumPy's rules of advanced indexing: the
// arrays, a mask as the positions of its elements, broadcast to one shape, whose axes stand in the place of the arrays
// where these, and the integers, are neighbours in the list, and first where they are not.
Tensor index(const Tensor& x, std::span<const Index> indices);
inline Tensor index(const Tensor& x, std::initializer_list<Index> indices) {
  return index(x, std::span(indices.begin(), indices.size()));
}

// x[indices] = value, in place: value is converted to x's dtype (as by cast) and broadcast to the shape of x[indices],
// where leading axes of extent 1 are too many. Where an element is indexed twice the last of its values remains. value
// may overlap x. Throws Error, before anything is changed, for what index throws for, and where x or value require a
// gradient or elements of x repeat.
void assign_index(const Tensor& x, std::span<const Index> indices, const Tensor& value);
void assign_index(const Tensor& x, std::span<const Index> indices, const Scalar& value);
inline void assign_index(const Tensor& x, std::initializer_list<Index> indices, const Tensor& value) {
  assign_index(x, std::span(indices.begin(), indices.size()), value);
}
inline void assign_index(const Tensor& x, std::initializer_list<Index> indices, const Scalar& value) {
  assign_index(x, std::span(indices.begin(), indices.size()), value);
}

// The elements of one axis, which the axes of `indices` replace; without an axis, those of the flattened x.
Tensor take(const Tensor& x, const Tensor& indices, std::optional<int> axis = {});

// y[…, i, …] = x[…, indices[…, i, …], …]: x and indices have as many axes and broadcast but along `axis`.
Tensor take_along_axis(const Tensor& x, const Tensor& indices, int axis = -1);

// x[…, indices[…, i, …], …] = values[…, i, …], in place, as assign_index; values broadcast to the shape that
// take_along_axis gives, whose extents are x's but along `axis`.
void put_along_axis(const Tensor& x, const Tensor& indices, const Tensor& values, int axis = -1);

}  // namespace tern
