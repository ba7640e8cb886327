// SPDX-License-Identifier: Apache-2.0
// Packed tensors.
#include "tern/packed.h"

#include <limits>
#include <string>
#include <vector>

#include "base/check_kind.h"
#include "core/unravel.h"
#include "device/parallel.h"
#include "ops/array_call.h"
#include "ops/checks.h"
#include "ops/dims.h"
#include "ops/pack_rows.h"

namespace tern {
namespace {

constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

void check_packed(const char* op, const PackedTensor& x) {
  check(x.defined(), op, "expected x to be defined, got an undefined packed tensor");
}

// The device has the kernels, for elements of a real dtype.
void check_convertible(const char* op, const Tensor& on, DType dtype) {
  check_as<WrongType>(!is_complex(dtype), op, "expected a real dtype or bool, got {}", name_of(dtype));
  const Kernels& kernels = on.device().backend().kernels();
  check(kernels.array != nullptr, op, "expected a device that converts packed tensors, a CPU, got {}", kernels.name);
}

PackedTensor empty_packed(const Shape& shape, PackedType type, const Device& device) {
  return PackedTensor::over_checked(Tensor::empty(packed_bytes_shape(shape, type), DType::u8, device), shape, type);
}

// Rows and their values: leading axes merged where `strides`, of `shape` but the last axis, allow.
struct Rows {
  Dims shape, strides;
};
Rows row_loop(const Shape& shape, const Shape& strides) {
  if (shape.rank() == 0) return {to_dims({1}), to_dims({0})};
  Shape leading = shape, steps = strides;
  leading.erase(leading.rank() - 1);
  steps.erase(steps.rank() - 1);
  if (leading.rank() > 0) merge_axes(leading, std::span(&steps, 1));
  leading.push_back(shape.back());
  steps.push_back(strides.back());
  return {to_dims(leading), to_dims(steps)};
}

// Of a packed tensor: strides in bytes, none along a row.
Rows row_loop(const PackedTensor& x) {
  Shape steps = x.bytes().strides();
  steps[steps.rank() - 1] = 0;
  return row_loop(x.shape(), steps);
}

PackedInput input_of(const PackedTensor& x, const Rows& rows) {
  return {.type = x.type(), .data = x.bytes().data<uint8_t>(), .strides = rows.strides};
}
PackedOutput output_of(const PackedTensor& y) { return {.type = y.type(), .data = y.bytes().data<uint8_t>()}; }

std::string values_text(PackedType type) {
  if (type == PackedType::sign1) return "-1 and 1";
  return fmt::format("{} to {}", least_of(type), greatest_of(type));
}

std::string text_of(Tensor x, const Shape& index) {
  for (const int64_t i : index) x = select(x.detach(), 0, i);
  if (x.dtype() == DType::i64) return fmt::format("{}", x.to_vector<int64_t>()[0]);
  if (x.dtype() == DType::u64) return fmt::format("{}", x.to_vector<uint64_t>()[0]);
  return fmt::format("{}", x.item());  // any other number as a double
}

// At `position` of `values`, in row-major order; the first index is said to be `row` more than that.
[[noreturn]] void fail_value(const char* op, PackedType type, const Tensor& values, int64_t position, int64_t row = 0) {
  Shape index = unravel(position, values.shape());
  const std::string value = text_of(values, index);
  if (index.rank() > 0) index[0] += row;
  fail(op, "expected numbers that round to values of {}, {}, got {} at {}", name_of(type), values_text(type), value,
       index);
}

// Values to their bytes, by the kernel; `row` is what the first index of `values` counts from in messages.
void pack_into(const char* op, const Exec& exec, const Tensor& values, int64_t row, Overflow overflow,
               const PackedTensor& y) {
  const Rows rows = row_loop(values.shape(), values.strides());
  int64_t bad = kNone;
  values.device().backend().kernels().array->pack(exec, {.shape = rows.shape,
                                                         .dtype = values.dtype(),
                                                         .x = values.raw(),
                                                         .x_strides = rows.strides,
                                                         .saturate = overflow == Overflow::saturate,
                                                         .y = output_of(y),
                                                         .first_bad = &bad});
  if (bad != kNone) fail_value(op, y.type(), values, bad, row);
}

// A leading axis, counted from the front.
int leading_axis(const char* op, const PackedTensor& x, int axis) {
  check_packed(op, x);
  const int at = normalize_axis(op, axis, x.rank());
  check(at < x.rank() - 1, op, "expected an axis before the last one, whose values share bytes, got axis {} of {}",
        axis, x.shape());
  return at;
}

// Other bytes of x's type, whose leading extents are those of the shape, and whose rows have `last` values.
PackedTensor with_bytes(const PackedTensor& x, const Tensor& bytes, int64_t last) {
  return PackedTensor::over_checked(bytes, with_last(bytes.shape(), last), x.type());
}

}  // namespace

PackedTensor pack(const Tensor& values, PackedType type, Overflow overflow) {
  check_inputs("pack", {{"values", values}});
  check_convertible("pack", values, values.dtype());
  const PackedTensor y = empty_packed(values.shape(), type, values.device());
  pack_into("pack", values.device().backend().exec(), values, 0, overflow, y);
  return y;
}

Tensor unpack(const PackedTensor& x, DType dtype) {
  check_packed("unpack", x);
  check_convertible("unpack", x.bytes(), dtype);
  const Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  const Rows rows = row_loop(x);
  call(x.device(), &ArrayPackedKernels::unpack,
       {.shape = rows.shape, .x = input_of(x, rows), .dtype = dtype, .y = y.raw()});
  return y;
}

PackedTensor repack(const PackedTensor& x, PackedType type, Overflow overflow) {
  check_packed("repack", x);
  if (x.type() == type) return x;
  check_convertible("repack", x.bytes(), DType::u8);
  const PackedTensor y = empty_packed(x.shape(), type, x.device());
  const Rows rows = row_loop(x);
  int64_t bad = kNone;
  call(x.device(), &ArrayPackedKernels::repack,
       {.shape = rows.shape,
        .x = input_of(x, rows),
        .saturate = overflow == Overflow::saturate,
        .y = output_of(y),
        .first_bad = &bad});
  if (bad != kNone) fail_value("repack", type, unpack(x), bad);
  return y;
}

PackedTensor select(const PackedTensor& x, int axis, int64_t index) {
  const int at = leading_axis("select", x, axis);
  return with_bytes(x, select(x.bytes(), at, index), x.shape().back());
}

PackedTensor slice(const PackedTensor& x, int axis, int64_t begin, int64_t end, int64_t step) {
  const int at = leading_axis("slice", x, axis);
  return with_bytes(x, slice(x.bytes(), at, begin, end, step), x.shape().back());
}

PackedTensor reshape(const PackedTensor& x, const Shape& shape) {
  check_packed("reshape", x);
  // What becomes of the extents, told by a tensor of as many elements, all one.
  const Shape none = Shape(std::vector<int64_t>(static_cast<size_t>(x.rank())));
  const Shape to = reshape(x.bytes().as_strided(x.shape(), none, 0), shape).shape();
  const int64_t last = x.rank() == 0 ? 1 : x.shape().back();
  check((to.rank() == 0 ? 1 : to.back()) == last, "reshape",
        "expected a shape with the last extent {}, as rows are whole bytes, got {}", last, shape);
  const Tensor bytes = reshape(x.bytes(), packed_bytes_shape(to, x.type()));
  return PackedTensor::over_checked(bytes, to, x.type());
}

PackedTensor contiguous(const PackedTensor& x) {
  check_packed("contiguous", x);
  return x.is_contiguous() ? x : clone(x);
}

PackedTensor clone(const PackedTensor& x) {
  check_packed("clone", x);
  return PackedTensor::over_checked(clone(x.bytes()), x.shape(), x.type());
}

PackedTensor to_device(const PackedTensor& x, const Device& device) {
  check_packed("to_device", x);
  return PackedTensor::over_checked(to_device(x.bytes(), device), x.shape(), x.type());
}

PackedTernary pack_ternary(const PackedTensor& codes, float scale, const Device& device) {
  constexpr const char* kOp = "pack_ternary";
  check_packed(kOp, codes);
  check(codes.rank() == 2, kOp, "expected codes with 2 axes, got shape {}", codes.shape());
  check_as<WrongType>(is_ternary(codes.type()), kOp, "expected codes of a ternary type, got {}", name_of(codes.type()));
  check(static_cast<bool>(device), kOp, "expected an open device, got none");
  check_convertible(kOp, codes.bytes(), DType::i8);
  const PackedTensor there = codes.device() == device ? codes : to_device(codes, device);
  const Backend& backend = device.backend();
  if (backend.queue() != nullptr) return pack_checked_codes(unpack(there, DType::i8), scale);
  const Exec alone = one_worker(backend.exec(), 0);
  return pack_ternary_rows(
      there.size(0), there.size(1), scale, device, [&](int64_t row, int64_t count, std::span<int8_t> out) {
        const PackedTensor block = slice(there, 0, row, row + count);
        const Rows layout = row_loop(block);
        backend.kernels().array->unpack(
            alone, {.shape = layout.shape, .x = input_of(block, layout), .dtype = DType::i8, .y = out.data()});
      });
}

PackedTensor packed_codes(const PackedTernary& w, PackedType type) {
  constexpr const char* kOp = "packed_codes";
  check_inputs(kOp, {{"w.bytes", w.bytes}});
  check_convertible(kOp, w.bytes, DType::i8);
  const PackedTensor y = empty_packed({w.rows, w.cols}, type, w.bytes.device());
  const Backend& backend = w.bytes.device().backend();
  for_ternary_rows(w, [&](int worker, int64_t row, const Tensor& codes) {
    pack_into(kOp, one_worker(backend.exec(), worker), codes, row, Overflow::refuse,
              slice(y, 0, row, row + codes.size(0)));
  });
  return y;
}

}  // namespace tern
