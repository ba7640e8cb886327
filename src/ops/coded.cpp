// SPDX-License-Identifier: Apache-2.0
#include "ops/coded.h"

#include "ops/call.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/dims.h"

namespace tern {
namespace {

constexpr int64_t kLongestRow = 1 << 24;  // the bounds' rounding terms are derived below it

int64_t blocks_of(int64_t cols) { return (cols + kCodedBlock - 1) / kCodedBlock; }

// Runs the product of x with w; y, or all of the bounds, may be undefined.
void multiply(const Tensor& x, const CodedWeight& w, int planes, const Tensor& y, const LinearBounds& bounds) {
  const Device& device = x.device();
  const Tensor from = dense(x);
  const int64_t rows = rows_of(x.shape()), blocks = blocks_of(w.cols), stride = blocks * kCodedBlock;
  const bool codes_itself = rows <= device.backend().kernels().self_coded_rows;
  CodeActivationsArgs codes = {};
  Tensor q, scale, sums, error, norm;
  if (!codes_itself) {
    q = Tensor::empty({rows, planes, stride}, DType::i8, device);
    scale = Tensor::empty({rows, blocks}, DType::f32, device);
    sums = Tensor::empty({rows, blocks}, DType::i32, device);
    error = Tensor::empty({rows}, DType::f32, device);
    norm = Tensor::empty({rows}, DType::f32, device);
    codes = {.rows = rows,
             .cols = w.cols,
             .q_stride = stride,
             .planes = planes,
             .x = from.data<float>(),
             .q = q.data<int8_t>(),
             .scale = scale.data<float>(),
             .sums = sums.data<int32_t>(),
             .error = error.data<float>(),
             .norm = norm.data<float>()};
    call(device, &Kernels::code_activations, codes);
  }
  const auto output = [](const Tensor& t) { return t.defined() ? t.data<float>() : nullptr; };
  call(device, &Kernels::coded_linear,
       {.rows = rows,
        .n = w.rows,
        .k = w.cols,
        .q_stride = stride,
        .bits = w.bits,
        .planes = planes,
        .packed = w.bytes.data<uint8_t>(),
        .w_error = w.error.data<float>(),
        .w_norm = w.norm.data<float>(),
        .q = codes.q,
        .scale = codes.scale,
        .sums = codes.sums,
        .x_error = codes.error,
        .x_norm = codes.norm,
        .y = output(y),
        .low = output(bounds.low),
        .high = output(bounds.high),
        .leaders = bounds.leaders.defined() ? static_cast<LeadingBound*>(bounds.leaders.raw()) : nullptr,
        .x = codes_itself ? from.data<float>() : nullptr});
}

Tensor result(const char* op, const Tensor& x, const CodedWeight& w) {
  check_inputs(op, DType::f32, {{"x", x}});
  check_inputs(op, {{"x", x}, {"w", w.bytes}});
  check_rank_at_least(op, {"x", x}, 1);
  check(x.shape().back() == w.cols, op, "expected x [..., {}], got {}", w.cols, x.shape());
  return Tensor::empty(with_last(x.shape(), w.rows), DType::f32, x.device());
}

}  // namespace

CodedWeight code_weight(const Tensor& w, int bits) {
  check_floats("code_weight", {{"w", w}});
  check_rank("code_weight", {"w", w}, 2);
  check(bits == 4 || bits == 6 || bits == 8, "code_weight", "expected 4, 6 or 8 bits, got {}", bits);
  check(w.size(1) < kLongestRow, "code_weight", "expected fewer than {} columns, got {}", kLongestRow, w.size(1));
  const Tensor from = dense(w);
  const size_t bytes = w.device().backend().kernels().coded_bytes(w.size(0), w.size(1), bits);
  CodedWeight coded = {Tensor::empty({static_cast<int64_t>(bytes)}, DType::u8, w.device()),
                       Tensor::empty({w.size(0)}, DType::f32, w.device()),
                       Tensor::empty({w.size(0)}, DType::f32, w.device()),
                       w.size(0),
                       w.size(1),
                       bits};
  call(w.device(), &Kernels::code_rows,
       {.rows = coded.rows,
        .cols = coded.cols,
        .bits = bits,
        .w = from.raw(),
        .w_dtype = w.dtype(),
        .packed = coded.bytes.data<uint8_t>(),
        .error = coded.error.data<float>(),
        .norm = coded.norm.data<float>()});
  return coded;
}

Tensor coded_linear(const Tensor& x, const CodedWeight& w) {
  Tensor y = result("coded_linear", x, w);
  multiply(x, w, 2, y, {});
  return y;
}

LinearBounds linear_bounds(const Tensor& x, const CodedWeight& w) {
  LinearBounds bounds = {result("linear_bounds", x, w), result("linear_bounds", x, w)};
  const Kernels& kernels = x.device().backend().kernels();
  const int64_t rows = rows_of(x.shape());
  if (kernels.best_scores != nullptr && rows <= kernels.screen_rows) {
    bounds.leaders = Tensor::empty({rows * kLeadingBounds * int64_t{sizeof(LeadingBound)}}, DType::u8, x.device());
  }
  multiply(x, w, kernels.screen_planes, {}, bounds);
  return bounds;
}

int64_t most_bounded_rows(const Device& device) { return device.backend().kernels().screen_rows; }

Tensor linear_rows(const Tensor& x, const Tensor& w, const Tensor& ids) {
  constexpr const char* op = "linear_rows";
  check_inputs(op, {{"x", x}, {"w", w}, {"ids", ids}});
  check_inputs(op, DType::f32, {{"x", x}});
  check_inputs(op, DType::i64, {{"ids", ids}});
  check_floats(op, {{"w", w}});
  check_rank(op, {"x", x}, 1);
  check_rank(op, {"w", w}, 2);
  check_rank(op, {"ids", ids}, 1);
  check(x.size(0) == w.size(1), op, "expected x [k] and w [n, k], got {} and {}", x.shape(), w.shape());
  check_indices(op, {"ids", ids}, w.size(0));
  const Tensor from = dense(x), weight = dense(w), rows = dense(ids);
  Tensor y = Tensor::empty({ids.size(0)}, DType::f32, x.device());
  call(x.device(), &Kernels::linear_rows,
       {.count = ids.size(0),
        .k = w.size(1),
        .x = from.data<float>(),
        .w = weight.raw(),
        .w_dtype = w.dtype(),
        .ids = rows.data<int64_t>(),
        .y = y.data<float>()});
  return y;
}

}  // namespace tern
