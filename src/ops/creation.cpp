// SPDX-License-Identifier: Apache-2.0
#include "tern/creation.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/format_scalar.h"
#include "ops/array_call.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/fill.h"
#include "ops/view.h"
#include "tern/ops.h"

namespace tern {
namespace {

__extension__ using Wide = __int128;

// A whole number that fits 64 bits of either sign.
Wide whole(const char* op, const char* name, const Scalar& value, DType dtype) {
  const bool is_whole =
      value.kind() != Scalar::Kind::complex && (value.is_integral() || value.real() == std::trunc(value.real()));
  check(is_whole && (value.fits(DType::i64) || value.fits(DType::u64)), op,
        "expected {} to be an integer for {}, got {}", name, name_of(dtype), value);
  return value.fits(DType::i64) ? Wide{value.to_int64()} : Wide{value.to_uint64()};
}

// How many numbers there are from 0 in steps to `length`, which is not among them.
int64_t steps(Wide length, Wide step) {
  if (length == 0 || (length < 0) != (step < 0)) return 0;
  const Wide sign = step < 0 ? -1 : 1, count = (length * sign + step * sign - 1) / (step * sign);
  check(count < Wide{1} << 62, "arange", "expected a length that fits into memory, got one beyond 2^62");
  return static_cast<int64_t>(count);
}

int64_t steps(double start, double stop, double step) {
  const double count = std::ceil((stop - start) / step);
  check(count < 0x1p62, "arange", "expected a finite length, got start {}, stop {} and step {}", start, stop, step);
  return std::max<int64_t>(static_cast<int64_t>(count), 0);
}

Scalar scalar_of(Wide value) {
  return value < 0 ? Scalar(static_cast<int64_t>(value)) : Scalar(static_cast<uint64_t>(value));
}

bool fits(Wide value, DType dtype) {
  return value >= -(Wide{1} << 63) && value < Wide{1} << 64 && scalar_of(value).fits(dtype);
}

Tensor ramp(RampArgs args, const Device& device) {
  const Tensor y = Tensor::empty({args.count}, args.dtype, device);
  check_arrays("arange", y, {args.dtype});
  args.y = y.raw();
  call(device, &ArrayIndexKernels::ramp, args);
  return y;
}

// Where triangles are cut off.
Tensor triangle(const char* op, const Tensor& x, int64_t offset, bool below) {
  check_inputs(op, {{"x", x}});
  check_rank_at_least(op, {"x", x}, 2);
  check_arrays(op, x, {x.dtype()});
  const int64_t rows = x.shape().back(1), cols = x.shape().back();
  const Tensor y = converted(x, x.dtype());
  call(x.device(), &ArrayIndexKernels::zero_triangle,
       {.element_bytes = size_of(x.dtype()),
        .batch = rows * cols == 0 ? 0 : x.numel() / (rows * cols),
        .rows = rows,
        .cols = cols,
        .diagonal = std::clamp(offset, -rows, cols),
        .below = below,
        .y = y.raw()});
  return differentiable(op, x, y, [op, offset, below](const Tensor& dy) { return triangle(op, dy, offset, below); });
}

// The elements of a matrix where column - row = offset.
Tensor diagonal(const Tensor& x, int64_t offset) {
  const int64_t rows = x.shape()[0], cols = x.shape()[1];
  const int64_t row = std::max<int64_t>(-offset, 0), col = std::max<int64_t>(offset, 0);
  const int64_t count = std::max<int64_t>(std::min(rows - row, cols - col), 0);
  const int64_t first = count == 0 ? 0 : row * x.strides()[0] + col * x.strides()[1];
  return x.as_strided({count}, {x.strides()[0] + x.strides()[1]}, first);
}

}  // namespace

void fill(const char* op, const Tensor& y, const Scalar& value) {
  const std::array<std::byte, 16> element = value.element(y.dtype(), op);
  const size_t size = size_of(y.dtype());
  if (y.device().backend().kernels().array) {
    return call(y.device(), &ArrayIndexKernels::repeat,
                {.element_bytes = size, .count = y.numel(), .value = element.data(), .y = y.raw()});
  }
  std::vector<std::byte> host(static_cast<size_t>(y.numel()) * size);
  for (size_t at = 0; at < host.size(); at += size) std::memcpy(host.data() + at, element.data(), size);
  if (!host.empty()) y.device().memory().copy_to_device(y.raw(), host.data(), host.size());
}

Tensor empty(const Shape& shape, DType dtype, const Device& device) { return Tensor::empty(shape, dtype, device); }

Tensor zeros(const Shape& shape, DType dtype, const Device& device) { return Tensor::zeros(shape, dtype, device); }

Tensor ones(const Shape& shape, DType dtype, const Device& device) { return full(shape, 1, dtype, device); }

Tensor full(const Shape& shape, const Scalar& value, DType dtype, const Device& device) {
  value.element(dtype, "full");
  const Tensor y = Tensor::empty(shape, dtype, device);
  fill("full", y, value);
  return y;
}

Tensor empty_like(const Tensor& x, std::optional<DType> dtype) {
  check_inputs("empty_like", {{"x", x}});
  return Tensor::empty(x.shape(), dtype.value_or(x.dtype()), x.device());
}

Tensor zeros_like(const Tensor& x, std::optional<DType> dtype) {
  check_inputs("zeros_like", {{"x", x}});
  return Tensor::zeros(x.shape(), dtype.value_or(x.dtype()), x.device());
}

Tensor ones_like(const Tensor& x, std::optional<DType> dtype) { return full_like(x, 1, dtype); }

Tensor full_like(const Tensor& x, const Scalar& value, std::optional<DType> dtype) {
  check_inputs("full_like", {{"x", x}});
  return full(x.shape(), value, dtype.value_or(x.dtype()), x.device());
}

Tensor arange(const Scalar& start, const Scalar& stop, const Scalar& step, DType dtype, const Device& device) {
  check(is_integer(dtype) || is_float(dtype), "arange", "expected an integer or real float dtype, got {}",
        name_of(dtype));
  const auto is_complex_number = [](const Scalar& value) { return value.kind() == Scalar::Kind::complex; };
  check(!is_complex_number(start) && !is_complex_number(stop) && !is_complex_number(step), "arange",
        "expected real numbers, got start {}, stop {} and step {}", start, stop, step);
  check(step.real() != 0, "arange", "expected a step other than 0, got 0");
  RampArgs args = {};
  args.dtype = dtype;
  args.exact = is_integer(dtype);
  if (args.exact || (start.is_integral() && stop.is_integral() && step.is_integral())) {
    const Wide first = whole("arange", "start", start, dtype), by = whole("arange", "step", step, dtype);
    args.count = steps(whole("arange", "stop", stop, dtype) - first, by);
    const Wide last = first + by * (args.count - 1);
    check(!args.exact || args.count == 0 || (fits(first, dtype) && fits(last, dtype)), "arange",
          "expected numbers that fit {}, got start {}, stop {} and step {}", name_of(dtype), start, stop, step);
    args.first = static_cast<int64_t>(first);
    args.step = static_cast<int64_t>(by);
  } else {
    args.count = steps(start.real(), stop.real(), step.real());
  }
  args.re = start.real();
  args.re_step = step.real();
  return ramp(args, device);
}

Tensor linspace(const Scalar& start, const Scalar& stop, int64_t count, DType dtype, const Device& device,
                bool endpoint) {
  check(dtype != DType::boolean, "linspace", "expected a numeric dtype, got bool");
  check(count >= 0, "linspace", "expected a count of 0 or more, got {}", count);
  start.element(dtype, "linspace");
  const std::array<std::byte, 16> last = stop.element(dtype, "linspace");
  const auto parts = static_cast<double>(std::max<int64_t>(endpoint ? count - 1 : count, 1));
  const Tensor y = ramp({.dtype = dtype,
                         .count = count,
                         .exact = false,
                         .first = 0,
                         .step = 0,
                         .re = start.real(),
                         .im = start.imag(),
                         .re_step = (stop.real() - start.real()) / parts,
                         .im_step = (stop.imag() - start.imag()) / parts,
                         .y = nullptr},
                        device);
  if (endpoint && count > 1) {
    const size_t size = size_of(dtype);
    device.memory().copy_to_device(static_cast<std::byte*>(y.raw()) + static_cast<size_t>(count - 1) * size,
                                   last.data(), size);
  }
  return y;
}

Tensor eye(int64_t rows, std::optional<int64_t> cols, int64_t offset, DType dtype, const Device& device) {
  const Tensor y = Tensor::zeros({rows, cols.value_or(rows)}, dtype, device);
  const Tensor line = diagonal(y, offset);
  copy_into(full({}, 1, dtype, device).as_strided(line.shape(), {0}, 0), line);
  return y;
}

Tensor tril(const Tensor& x, int64_t offset) { return triangle("tril", x, offset, false); }

Tensor triu(const Tensor& x, int64_t offset) { return triangle("triu", x, offset, true); }

Tensor diag(const Tensor& x, int64_t offset) {
  check_inputs("diag", {{"x", x}});
  check(x.rank() == 1 || x.rank() == 2, "diag", "expected x with one or two axes, got shape {}", x.shape());
  if (x.rank() == 2) {
    return differentiable("diag", x, diagonal(x, offset),
                          scattered(x, [offset](const Tensor& dx) { return diagonal(dx, offset); }));
  }
  const int64_t extent = x.shape()[0] + std::abs(offset);
  const Tensor y = Tensor::zeros({extent, extent}, x.dtype(), x.device());
  copy_into(x, diagonal(y, offset));
  return differentiable("diag", x, y, [offset](const Tensor& dy) { return diagonal(dy, offset); });
}

std::vector<Tensor> meshgrid(std::span<const Tensor> arrays, GridIndexing indexing) {
  const int rank = static_cast<int>(arrays.size());
  const bool swapped = indexing == GridIndexing::xy && rank >= 2;
  const auto axis_of = [&](int i) { return swapped && i < 2 ? 1 - i : i; };
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.push_back(1);
  for (int i = 0; i < rank; ++i) {
    const Tensor& array = arrays[static_cast<size_t>(i)];
    check_inputs("meshgrid", {{"array 0", arrays[0]}, {"array", array}});
    check(array.rank() <= 1, "meshgrid", "expected arrays with at most one axis, got shape {}", array.shape());
    shape[axis_of(i)] = array.numel();
  }
  std::vector<Tensor> grids;
  for (int i = 0; i < rank; ++i) {
    Shape line;
    for (int axis = 0; axis < rank; ++axis) line.push_back(axis == axis_of(i) ? shape[axis] : 1);
    grids.push_back(clone(expand(reshape(arrays[static_cast<size_t>(i)], line), shape)));
  }
  return grids;
}

Tensor asarray(const Tensor& x, std::optional<DType> dtype, std::optional<Device> device, std::optional<bool> copy) {
  check_inputs("asarray", {{"x", x}});
  const DType to = dtype.value_or(x.dtype());
  const bool moves = device && !(*device == x.device());
  check(!(to != x.dtype() || moves) || copy.value_or(true), "asarray",
        "expected no copy, got x of {} on {}, which would be copied", name_of(x.dtype()), x.device().name());
  if (moves) return to_device(cast(x, to), *device);
  if (to != x.dtype()) return cast(x, to);
  return copy.value_or(false) ? clone(x) : x;
}

}  // namespace tern
