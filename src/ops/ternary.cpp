// SPDX-License-Identifier: Apache-2.0
// int8 activations by ternary weights.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "device/parallel.h"
#include "ops/call.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "ops/gradients.h"
#include "ops/matmul.h"
#include "ops/pack_rows.h"
#include "tern/ops.h"

namespace tern {
namespace {

constexpr int64_t kLongestRow = 1 << 24;     // below it, every int8 x ternary sum fits into int32
constexpr int64_t kBlockElements = 1 << 17;  // codes that a thread packs at a time: they stay in its cache

// Whether all of 8 bytes are codes.
bool are_codes(const int8_t* eight) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  uint64_t bytes;
  std::memcpy(&bytes, eight, sizeof bytes);
  // Plus 1 in every byte, then each has to be 0, 1 or 2.
  const uint64_t u = ((bytes & 0x7f * kOnes) + kOnes) ^ (bytes & 0x80 * kOnes);
  return ((u & 0xfc * kOnes) | (u & (u >> 1) & kOnes)) == 0;
}

// Codes of rows that begin at `row` of a matrix with `cols` columns.
void check_codes(std::span<const int8_t> codes, int64_t row, int64_t cols) {
  size_t at = 0;
  while (at + 8 <= codes.size() && are_codes(codes.data() + at)) at += 8;
  for (; at < codes.size(); ++at) {
    if (codes[at] >= -1 && codes[at] <= 1) continue;
    const auto place = static_cast<int64_t>(at);
    fail("pack_ternary", "expected codes in {{-1, 0, 1}}, got {} at [{}, {}]", codes[at], row + place / cols,
         place % cols);
  }
}

// Rows that a thread works on at a time: whole tiles.
int64_t block_rows(int64_t cols, int64_t tile_rows) {
  return std::max<int64_t>(1, kBlockElements / std::max<int64_t>(1, cols) / tile_rows) * tile_rows;
}

// Packs the blocks of rows of a matrix, each on one thread: codes_of(worker, row, rows) gives the address of a block's
// codes on the device.
template <class CodesOf>
PackedTernary pack_blocks(int64_t rows, int64_t cols, float scale, const Device& device, const CodesOf& codes_of) {
  check(cols < kLongestRow, "pack_ternary", "expected fewer than {} columns, got {}", kLongestRow, cols);
  const Backend& backend = device.backend();
  const Kernels& kernels = backend.kernels();
  const TernaryLayout layout = device.ternary_layout();
  const auto bytes = static_cast<int64_t>(kernels.ternary_packed_bytes(layout, rows, cols));
  const PackedTernary w{Tensor::empty({bytes}, DType::u8, device), rows, cols, scale, layout};
  const int64_t block = block_rows(cols, kernels.ternary_tile_rows);
  parallel_blocks(device, (rows + block - 1) / block, [&](int worker, int64_t i) {
    const int64_t row = i * block, count = std::min(block, rows - row);
    kernels.ternary_pack(one_worker(backend.exec(), worker), {.layout = layout,
                                                              .rows = rows,
                                                              .cols = cols,
                                                              .row_begin = row,
                                                              .row_count = count,
                                                              .codes = codes_of(worker, row, count),
                                                              .packed = w.bytes.data<uint8_t>()});
  });
  return w;
}

void check_packed(const char* op, const PackedTernary& w) {
  check_inputs(op, DType::u8, {{"w.bytes", w.bytes}});
  const size_t bytes = w.bytes.device().backend().kernels().ternary_packed_bytes(w.layout, w.rows, w.cols);
  check(w.bytes.is_contiguous() && w.bytes.numel() == static_cast<int64_t>(bytes), op,
        "expected w.bytes of {} bytes for [{}, {}], got {}", bytes, w.rows, w.cols, w.bytes.numel());
}

void check_operands(const char* op, const QuantizedRows& x, const PackedTernary& w) {
  check_packed(op, w);
  check_inputs(op, {{"w.bytes", w.bytes}, {"x.q", x.q}, {"x.scale", x.scale}, {"x.sums", x.sums}});
  check(x.shape.rank() >= 1 && x.shape.back() == w.cols, op, "expected x [..., {}], got {}", w.cols,
        to_string(x.shape));
}

int64_t whole_lines(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// Room for the quantized rows of x, in one piece of memory.
QuantizedRows empty_rows(const char* op, const Tensor& x) {
  check_rank_at_least(op, {"x", x}, 1);
  const int64_t rows = rows_of(x.shape()), cols = x.shape().back();
  check(cols < kLongestRow, op, "expected x with a last extent below {}, got {}", kLongestRow, cols);
  const int64_t stride = quantized_stride(cols), bytes = rows * stride, numbers = rows * int64_t{sizeof(float)};
  const std::shared_ptr<Storage> all = Tensor::empty({bytes + 2 * numbers}, DType::u8, x.device()).storage();
  return {x.shape(), Tensor::over(all, 0, {rows, stride}, {stride, 1}, DType::i8),
          Tensor::over(all, bytes, {rows}, {1}, DType::f32), Tensor::over(all, bytes + numbers, {rows}, {1}, DType::i32)};
}

// On checked operands; add and gate may be undefined.
QuantizedRows norm_quantize(const char* op, const Tensor& x, const Tensor& add, const Tensor& gate, const Tensor& weight,
                            float eps) {
  const QuantizedRows out = empty_rows(op, x);
  check_shape(op, {"weight", weight}, Shape{x.shape().back()});
  const Tensor gain = dense(weight);
  call(x.device(), &Kernels::norm_quantize,
       {.rows = out.q.shape()[0],
        .cols = x.shape().back(),
        .q_stride = out.q.shape()[1],
        .x = x.data<float>(),
        .add = add.defined() ? add.data<float>() : nullptr,
        .gate = gate.defined() ? gate.data<float>() : nullptr,
        .sum = add.defined() ? x.data<float>() : nullptr,
        .weight = gain.data<float>(),
        .eps = eps,
        .q = out.q.data<int8_t>(),
        .scale = out.scale.data<float>(),
        .sums = out.sums.data<int32_t>()});
  return out;
}

// The kernel, writing the scaled values or the sums. All results are in one piece of memory.
std::vector<Tensor> multiply(const QuantizedRows& x, std::span<const PackedTernary* const> weights, bool sums) {
  int64_t bytes = 0;
  for (const PackedTernary* w : weights) bytes += whole_lines(x.q.shape()[0] * w->rows * int64_t{sizeof(float)});
  const std::shared_ptr<Storage> all = Tensor::empty({bytes}, DType::u8, x.q.device()).storage();
  std::vector<Tensor> results;
  results.reserve(weights.size());
  int64_t at = 0;
  TernaryMatmulArgs args = {.rows = x.q.shape()[0],
                            .k = weights[0]->cols,
                            .q_stride = x.q.shape()[1],
                            .q = x.q.data<int8_t>(),
                            .q_scale = x.scale.data<float>(),
                            .sums = x.sums.data<int32_t>(),
                            .parts = 0,
                            .part = {}};
  for (const PackedTernary* w : weights) {
    const Shape shape = with_last(x.shape, w->rows);
    const Tensor y = Tensor::over(all, at, shape, contiguous_strides(shape), sums ? DType::i32 : DType::f32);
    at += whole_lines(y.numel() * int64_t{sizeof(float)});
    args.part[args.parts++] = {.layout = w->layout,
                               .packed = w->bytes.data<uint8_t>(),
                               .n = w->rows,
                               .weight_scale = w->scale,
                               .y = sums ? nullptr : y.data<float>(),
                               .acc = sums ? y.data<int32_t>() : nullptr};
    results.push_back(y);
  }
  call(x.q.device(), &Kernels::ternary_matmul, args);
  return results;
}

Tensor multiply(const QuantizedRows& x, const PackedTernary& w, bool sums) {
  const PackedTernary* const one[] = {&w};
  return multiply(x, one, sums)[0];
}

// y *= factor.
void scale_in_place(const Tensor& y, float factor) {
  const Tensor number = Tensor::full({}, static_cast<double>(factor), DType::f32, y.device());
  call(y.device(), &Kernels::binary,
       {.op = BinaryOp::mul,
        .dtype = DType::f32,
        .shape = {1, {y.numel()}},
        .a = {y.raw(), {1, {1}}},
        .b = {number.raw(), {1, {0}}},
        .y = y.raw()});
}

}  // namespace

QuantizedRows quantize_rows(const Tensor& x) {
  check_inputs("quantize_rows", DType::f32, {{"x", x}});
  const QuantizedRows out = empty_rows("quantize_rows", x);
  const Tensor from = dense(x);
  call(x.device(), &Kernels::quantize_rows,
       {.rows = out.q.shape()[0],
        .cols = x.shape().back(),
        .q_stride = out.q.shape()[1],
        .x = from.data<float>(),
        .q = out.q.data<int8_t>(),
        .scale = out.scale.data<float>(),
        .sums = out.sums.data<int32_t>()});
  return out;
}

QuantizedRows norm_quantize(const Tensor& x, const Tensor& weight, float eps) {
  check_inputs("norm_quantize", DType::f32, {{"x", x}, {"weight", weight}});
  return norm_quantize("norm_quantize", dense(x), {}, {}, weight, eps);
}

QuantizedRows add_norm_quantize(const Tensor& x, const Tensor& y, const Tensor& weight, float eps) {
  check_inputs("add_norm_quantize", DType::f32, {{"x", x}, {"y", y}, {"weight", weight}});
  check(x.is_contiguous() && !x.requires_grad(), "add_norm_quantize",
        "expected a contiguous x without a gradient, which takes the sum, got one with strides {}", to_string(x.strides()));
  check_shape("add_norm_quantize", {"y", y}, x.shape());
  return norm_quantize("add_norm_quantize", x, dense(y), {}, weight, eps);
}

QuantizedRows gate_norm_quantize(const Tensor& gate, const Tensor& up, const Tensor& weight, float eps) {
  check_inputs("gate_norm_quantize", DType::f32, {{"gate", gate}, {"up", up}, {"weight", weight}});
  check_shape("gate_norm_quantize", {"up", up}, gate.shape());
  return norm_quantize("gate_norm_quantize", dense(up), {}, dense(gate), weight, eps);
}

float mean_abs(const Tensor& w) {
  check_inputs("mean_abs", DType::f32, {{"w", w}});
  check(w.numel() > 0, "mean_abs", "expected at least one element, got shape {}", to_string(w.shape()));
  const Tensor from = dense(w);
  const int64_t cols = w.rank() > 0 ? w.shape().back() : 1;
  const Tensor total = Tensor::empty({static_cast<int64_t>(sizeof(double))}, DType::u8, w.device());
  call(w.device(), &Kernels::abs_sum,
       {.rows = w.numel() / cols, .cols = cols, .x = from.data<float>(), .y = static_cast<double*>(total.raw())});
  double value = 0;
  total.copy_to_host(std::as_writable_bytes(std::span(&value, 1)));
  return static_cast<float>(value / static_cast<double>(w.numel()));
}

Tensor ternary_codes(const Tensor& w, float scale) {
  check_inputs("ternary_codes", DType::f32, {{"w", w}});
  check_rank("ternary_codes", {"w", w}, 2);
  check(scale > 0 && std::isfinite(scale), "ternary_codes", "expected a finite scale above 0, got {}", scale);
  const Tensor from = dense(w);
  const Tensor codes = Tensor::empty(w.shape(), DType::i8, w.device());
  call(w.device(), &Kernels::ternary_codes,
       {.count = w.numel(), .w = from.data<float>(), .inverse_scale = 1.0f / scale, .codes = codes.data<int8_t>()});
  return codes;
}

PackedTernary pack_ternary(const Tensor& codes, float scale) {
  check_inputs("pack_ternary", DType::i8, {{"codes", codes}});
  check_rank("pack_ternary", {"codes", codes}, 2);
  const Tensor from = dense(codes);
  const Device& device = codes.device();
  const int64_t rows = codes.shape()[0], cols = codes.shape()[1];
  std::vector<std::vector<int8_t>> seen(static_cast<size_t>(device.threads()));
  return pack_blocks(rows, cols, scale, device, [&](int worker, int64_t row, int64_t count) {
    const int8_t* const block = from.data<int8_t>() + row * cols;
    std::vector<int8_t>& host = seen[static_cast<size_t>(worker)];
    host.resize(static_cast<size_t>(count * cols));
    device.memory().copy_to_host(host.data(), block, host.size());
    check_codes(host, row, cols);
    return block;
  });
}

PackedTernary pack_ternary_rows(int64_t rows, int64_t cols, float scale, const Device& device,
                                const TernaryRows& source) {
  struct Room {
    std::vector<int8_t> host;
    Tensor device;
  };
  std::vector<Room> rooms(static_cast<size_t>(device.threads()));
  return pack_blocks(rows, cols, scale, device, [&](int worker, int64_t row, int64_t count) {
    Room& room = rooms[static_cast<size_t>(worker)];
    room.host.resize(static_cast<size_t>(count * cols));
    source(row, count, room.host);
    if (!room.device.defined() || room.device.numel() < count * cols) {
      room.device = Tensor::empty({count * cols}, DType::i8, device);
    }
    device.memory().copy_to_device(room.device.raw(), room.host.data(), room.host.size());
    return room.device.data<int8_t>();
  });
}

Tensor unpack_ternary(const PackedTernary& w) {
  check_packed("unpack_ternary", w);
  const Tensor codes = Tensor::empty({w.rows, w.cols}, DType::i8, w.bytes.device());
  call(w.bytes.device(), &Kernels::ternary_unpack,
       {.layout = w.layout,
        .rows = w.rows,
        .cols = w.cols,
        .row_begin = 0,
        .row_count = w.rows,
        .packed = w.bytes.data<uint8_t>(),
        .codes = codes.data<int8_t>()});
  return codes;
}

int64_t count_zeros(const PackedTernary& w) {
  check_packed("count_zeros", w);
  const Device& device = w.bytes.device();
  const Backend& backend = device.backend();
  const int64_t block = block_rows(w.cols, backend.kernels().ternary_tile_rows);
  struct Room {
    Tensor device;
    std::vector<int8_t> host;
    int64_t zeros = 0;
  };
  std::vector<Room> rooms(static_cast<size_t>(device.threads()));
  parallel_blocks(device, (w.rows + block - 1) / block, [&](int worker, int64_t i) {
    Room& room = rooms[static_cast<size_t>(worker)];
    const int64_t row = i * block, count = std::min(block, w.rows - row);
    if (!room.device.defined()) room.device = Tensor::empty({block * w.cols}, DType::i8, device);
    backend.kernels().ternary_unpack(one_worker(backend.exec(), worker), {.layout = w.layout,
                                                                          .rows = w.rows,
                                                                          .cols = w.cols,
                                                                          .row_begin = row,
                                                                          .row_count = count,
                                                                          .packed = w.bytes.data<uint8_t>(),
                                                                          .codes = room.device.data<int8_t>()});
    room.host.resize(static_cast<size_t>(count * w.cols));
    device.memory().copy_to_host(room.host.data(), room.device.raw(), room.host.size());
    room.zeros += std::count(room.host.begin(), room.host.end(), int8_t{0});
  });
  int64_t zeros = 0;
  for (const Room& room : rooms) zeros += room.zeros;
  return zeros;
}

Tensor ternary_linear(const QuantizedRows& x, const PackedTernary& w) {
  check_operands("ternary_linear", x, w);
  return multiply(x, w, false);
}

std::vector<Tensor> ternary_linear(const QuantizedRows& x, std::initializer_list<const PackedTernary*> weights) {
  const auto count = static_cast<int64_t>(weights.size());
  check(count >= 1 && count <= kMostTernaryParts, "ternary_linear", "expected 1 to {} matrices, got {}",
        kMostTernaryParts, count);
  for (const PackedTernary* w : weights) check_operands("ternary_linear", x, *w);
  return multiply(x, std::span(weights.begin(), weights.size()), false);
}

Tensor ternary_linear_sums(const QuantizedRows& x, const PackedTernary& w) {
  check_operands("ternary_linear_sums", x, w);
  return multiply(x, w, true);
}

Tensor ternary_linear_ste(const Tensor& x, const QuantizedRows& xq, const Tensor& master, const Tensor& codes,
                          const PackedTernary& w) {
  check_operands("ternary_linear_ste", xq, w);
  check_inputs("ternary_linear_ste", DType::f32, {{"x", x}, {"master", master}});
  check_inputs("ternary_linear_ste", DType::i8, {{"codes", codes}});
  check_shape("ternary_linear_ste", {"x", x}, xq.shape);
  check_shape("ternary_linear_ste", {"master", master}, Shape{w.rows, w.cols});
  check_shape("ternary_linear_ste", {"codes", codes}, Shape{w.rows, w.cols});
  const Tensor y = multiply(xq, w, false);
  if (needs_grad(x, master)) {
    // dx = dy·ŵ and d_master = dyᵀ·x̂, with the integers as operands: x̂ and ŵ never exist as floats.
    record(y, "ternary_linear_ste", {x, master},
           [shape = x.shape(), codes = saved(codes, x.requires_grad()), w_scale = w.scale,
            q = saved(xq.q, master.requires_grad()), q_scale = saved(xq.scale, master.requires_grad()), n = w.rows,
            k = w.cols](const Tensor& grad) {
             const Tensor dy = reshape(grad, {rows_of(shape), n});
             Tensor dx, d_master;
             if (codes.defined()) {
               dx = product(dy, codes);
               scale_in_place(dx, w_scale);
               dx = reshape(dx, shape);
             }
             if (q.defined()) d_master = product(transpose(dy / unsqueeze(q_scale, 1)), slice(q, 1, 0, k));
             return Gradients{dx, d_master};
           });
  }
  return y;
}

}  // namespace tern
