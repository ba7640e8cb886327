// SPDX-License-Identifier: Apache-2.0
// Shapes and arrangements: the manipulation functions of the Python array API standard (2024.12), and NumPy's customary
// ones beside them. reshape, permute, transpose, squeeze, unsqueeze, expand and concat are in ops.h. Every dtype; all
// are differentiable for f32, bf16 and f16. Those called views share storage with x; errors are as in ops.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "tern/ops.h"
#include "tern/scalar.h"
#include "tern/tensor.h"

namespace tern {

// ---------------------------------------------------------------- views

// The shape to which all broadcast by NumPy's rule: that of a number for none.
Shape broadcast_shapes(std::span<const Shape> shapes);
std::vector<Tensor> broadcast_arrays(std::span<const Tensor> arrays);
inline Tensor broadcast_to(const Tensor& x, const Shape& shape) { return expand(x, shape); }

inline Tensor expand_dims(const Tensor& x, int axis) { return unsqueeze(x, axis); }
// Without these axes, whose extents are 1.
Tensor squeeze(const Tensor& x, std::span<const int> axes);

inline Tensor permute_dims(const Tensor& x, std::span<const int> axes) { return permute(x, axes); }
inline Tensor swapaxes(const Tensor& x, int axis0, int axis1) { return transpose(x, axis0, axis1); }
// The axes `sources` at the places `destinations`, the others in their order.
Tensor moveaxis(const Tensor& x, std::span<const int> sources, std::span<const int> destinations);
// In reverse along the axes, or along all where none are given.
Tensor flip(const Tensor& x, std::optional<std::span<const int>> axes = {});

// Parts along an axis: one for each index, without the axis; or between the cuts, which are indices as a slice has
// them; or as many as `parts`, the first ones by one longer where they cannot be equal.
std::vector<Tensor> unstack(const Tensor& x, int axis = 0);
std::vector<Tensor> split(const Tensor& x, std::span<const int64_t> cuts, int axis = 0);
std::vector<Tensor> split(const Tensor& x, int64_t parts, int axis = 0);

// ---------------------------------------------------------------- views where strides allow, else copies

// reshape that always copies for `true`, and throws Error where it would have to for `false`.
Tensor reshape(const Tensor& x, const Shape& shape, std::optional<bool> copy);
// With one axis.
Tensor ravel(const Tensor& x);

// ---------------------------------------------------------------- copies

// ravel that always copies.
Tensor flatten(const Tensor& x);

// Joined along a new axis; all of one shape and, after promotion, one dtype.
Tensor stack(std::span<const Tensor> parts, int axis = 0);
// concat (ops.h) of the flattened parts.
Tensor concat(std::span<const Tensor> parts, std::nullopt_t);

// Moved along axes, what leaves at one end coming in at the other; without axes, moved in row-major order. One shift
// serves several axes. An axis may be named twice.
Tensor roll(const Tensor& x, std::span<const int64_t> shifts, std::span<const int> axes);
Tensor roll(const Tensor& x, int64_t shift);

// Each element of an axis so many times after each other; without an axis, of the flattened x. `repeats` may be one
// number for all or an integer tensor of one for each, [1] or [extent], which is read on the host.
Tensor repeat(const Tensor& x, int64_t repeats, std::optional<int> axis = {});
Tensor repeat(const Tensor& x, const Tensor& repeats, std::optional<int> axis = {});

// x, so many times along each axis; the shorter of x's shape and `repetitions` is filled up with ones in front.
Tensor tile(const Tensor& x, std::span<const int64_t> repetitions);

// Wider by so many elements before and after each axis: a number; the nearest element of x; or x mirrored at its first
// and last elements, which are not repeated (reflect), or are (symmetric); or x again and again (wrap).
enum class PadMode : uint8_t { constant, edge, reflect, symmetric, wrap };
Tensor pad(const Tensor& x, std::span<const std::pair<int64_t, int64_t>> widths, PadMode mode = PadMode::constant,
           const Scalar& value = 0);

}  // namespace tern
