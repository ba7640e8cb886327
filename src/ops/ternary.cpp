// SPDX-License-Identifier: Apache-2.0
// int8 activations by ternary weights.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
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
#include "ops/quantized_rows.h"
#include "tern/ops.h"

namespace tern {
namespace {

constexpr int64_t kLongestRow = 1 << 24;     // below it, every int8 x ternary sum fits into int32
constexpr int64_t kBlockElements = 1 << 17;  // codes that a thread packs at a time: they stay in its cache
constexpr int64_t kMostQueued = 1 << 22;  // the same of a device with a queue, where each time is a copy and a launch

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

void check_master(const char* op, const Tensor& w, float scale) {
  check_inputs(op, DType::f32, {{"w", w}});
  check_rank(op, {"w", w}, 2);
  check(scale > 0 && std::isfinite(scale), op, "expected a finite scale above 0, got {}", scale);
}

// Rows that a thread works on at a time: whole tiles. Of a device with a queue they are a thread's share of the matrix,
// if there is room for it.
int64_t block_rows(int64_t rows, int64_t cols, const Backend& backend) {
  const int64_t tile = backend.kernels().ternary_tile_rows, length = std::max<int64_t>(1, cols);
  int64_t tiles = kBlockElements / length / tile;
  if (backend.queue() != nullptr) {
    const int64_t share = (rows + tile * backend.threads() - 1) / (tile * backend.threads());
    tiles = std::clamp(share, tiles, kMostQueued / length / tile);
  }
  return std::max<int64_t>(1, tiles) * tile;
}

// A matrix in the layout of the device, its bytes yet to be written.
PackedTernary empty_packed(int64_t rows, int64_t cols, float scale, const Device& device) {
  check(cols < kLongestRow, "pack_ternary", "expected fewer than {} columns, got {}", kLongestRow, cols);
  const TernaryLayout layout = device.ternary_layout();
  const auto bytes = static_cast<int64_t>(device.backend().kernels().ternary_packed_bytes(layout, rows, cols));
  return {Tensor::empty({bytes}, DType::u8, device), rows, cols, scale, layout};
}

// Packs the blocks of rows of a matrix, each on one thread: codes_of(worker, row, rows) gives the address of a block's
// codes on the device.
template <class CodesOf>
PackedTernary pack_blocks(int64_t rows, int64_t cols, float scale, const Device& device, const CodesOf& codes_of) {
  const PackedTernary w = empty_packed(rows, cols, scale, device);
  const Backend& backend = device.backend();
  const Kernels& kernels = backend.kernels();
  const int64_t block = block_rows(rows, cols, backend);
  parallel_blocks(device, (rows + block - 1) / block, [&](int worker, int64_t i) {
    const int64_t row = i * block, count = std::min(block, rows - row);
    kernels.ternary_pack(one_worker(backend.exec(), worker), {.layout = w.layout,
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
        x.shape);
}

int64_t whole_lines(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// What is normalized, dense and checked: x, or x + add, which goes to sum, or relu(gate)²·x.
struct Normalized {
  Tensor x, add, gate, sum;  // undefined where there is none
  Tensor weight;
  float eps;
};

NormQuantizeArgs norm_args(const char* op, const Normalized& n, const QuantizedRows& out) {
  check_shape(op, {"weight", n.weight}, Shape{n.x.shape().back()});
  const auto data = [](const Tensor& tensor) { return tensor.defined() ? tensor.data<float>() : nullptr; };
  return {.rows = out.q.shape()[0],
          .cols = n.x.shape().back(),
          .q_stride = out.q.shape()[1],
          .x = n.x.data<float>(),
          .add = data(n.add),
          .gate = data(n.gate),
          .sum = data(n.sum),
          .weight = n.weight.data<float>(),
          .eps = n.eps,
          .q = out.q.data<int8_t>(),
          .scale = out.scale.data<float>(),
          .sums = out.sums.data<int32_t>()};
}

QuantizedRows quantize(const char* op, const Normalized& n) {
  const QuantizedRows out = empty_quantized(op, n.x);
  call(n.x.device(), &Kernels::norm_quantize, norm_args(op, n, out));
  return out;
}

// A call of the kernel and its results, which are in one piece of memory: the scaled values or the sums.
struct Product {
  TernaryMatmulArgs args;
  std::vector<Tensor> results;

  Product(const QuantizedRows& x, std::span<const PackedTernary* const> weights, bool sums)
      : args{.rows = x.q.shape()[0],
             .k = weights[0]->cols,
             .q_stride = x.q.shape()[1],
             .q = x.q.data<int8_t>(),
             .q_scale = x.scale.data<float>(),
             .sums = x.sums.data<int32_t>(),
             .parts = 0,
             .part = {}} {
    int64_t bytes = 0;
    for (const PackedTernary* w : weights) bytes += whole_lines(args.rows * w->rows * int64_t{sizeof(float)});
    const std::shared_ptr<Storage> all = Tensor::empty({bytes}, DType::u8, x.q.device()).storage();
    results.reserve(weights.size());
    int64_t at = 0;
    for (const PackedTernary* w : weights) {
      const Shape shape = with_last(x.shape, w->rows);
      const Tensor y = Tensor::over(all, at, shape, contiguous_strides(shape), sums ? DType::i32 : DType::f32);
      at += whole_lines(y.numel() * int64_t{sizeof(float)});
      TernaryPart& part = add(*w);
      if (sums) {
        part.acc = y.data<int32_t>();
      } else {
        part.y = y.data<float>();
      }
      results.push_back(y);
    }
  }

  // One more matrix, whose products have no place yet.
  TernaryPart& add(const PackedTernary& w) {
    TernaryPart& part = args.part[args.parts++];
    part = {.layout = w.layout,
            .packed = w.bytes.data<uint8_t>(),
            .n = w.rows,
            .weight_scale = w.scale,
            .y = nullptr,
            .acc = nullptr,
            .ahead = nullptr};
    return part;
  }

  // Of those that have the size of the product's own.
  void read_ahead(std::span<const PackedTernary* const> weights, std::span<const PackedTernary* const> ahead) {
    for (size_t i = 0; i < std::min(weights.size(), ahead.size()); ++i) {
      const PackedTernary &own = *weights[i], &later = *ahead[i];
      if (later.bytes.numel() == own.bytes.numel() && later.bytes.device() == own.bytes.device()) {
        args.part[i].ahead = later.bytes.data<uint8_t>();
      }
    }
  }
};

std::vector<Tensor> multiply(const QuantizedRows& x, std::span<const PackedTernary* const> weights, bool sums) {
  Product product(x, weights, sums);
  call(x.q.device(), &Kernels::ternary_matmul, product.args);
  return std::move(product.results);
}

Tensor multiply(const QuantizedRows& x, const PackedTernary& w, bool sums) {
  const PackedTernary* const one[] = {&w};
  return multiply(x, one, sums)[0];
}

using TernaryWeights = std::initializer_list<const PackedTernary*>;

std::span<const PackedTernary* const> checked_weights(const char* op, const QuantizedRows& x, TernaryWeights weights) {
  const auto count = static_cast<int64_t>(weights.size());
  check(count >= 1 && count <= kMostTernaryParts, op, "expected 1 to {} matrices, got {}", kMostTernaryParts, count);
  for (const PackedTernary* w : weights) check_operands(op, x, *w);
  return {weights.begin(), weights.size()};
}

// Whether norm and product of so many rows are one kernel on the device.
bool multiplies_normalized(const Device& device, int64_t rows) {
  return rows > 0 && rows <= device.backend().kernels().norm_ternary_rows;
}

// The product of what is normalized, in one kernel for as few rows as the device has one for. With a residual, of the
// only result's shape, their sum.
std::vector<Tensor> norm_multiply(const char* op, const Normalized& n, TernaryWeights weights, TernaryWeights ahead,
                                  const Tensor& residual = {}) {
  const QuantizedRows room = empty_quantized(op, n.x);
  const std::span<const PackedTernary* const> own = checked_weights(op, room, weights);
  Product product(room, own, false);
  product.read_ahead(own, {ahead.begin(), ahead.size()});
  if (residual.defined()) check_shape(op, {"residual", residual}, product.results[0].shape());
  const NormQuantizeArgs norm = norm_args(op, n, room);
  const Device& device = n.x.device();
  if (multiplies_normalized(device, norm.rows)) {
    call(device, &Kernels::norm_ternary_matmul,
         {.norm = norm, .product = product.args, .residual = residual.defined() ? residual.data<float>() : nullptr});
    return std::move(product.results);
  }
  call(device, &Kernels::norm_quantize, norm);
  call(device, &Kernels::ternary_matmul, product.args);
  if (residual.defined()) return {residual + product.results[0]};
  return std::move(product.results);
}

Gated norm_multiply_gated(const char* op, const Normalized& n, const PackedTernary& gate, const PackedTernary& up,
                          TernaryWeights ahead) {
  check(gate.rows == up.rows && gate.cols == up.cols, op,
        "expected gate and up of one shape, got [{}, {}] and [{}, {}]", gate.rows, gate.cols, up.rows, up.cols);
  const Device& device = n.x.device();
  const Kernels& kernels = device.backend().kernels();
  const int64_t rows = rows_of(n.x.shape());
  const bool together = multiplies_normalized(device, rows) && kernels.norm_gated_ternary_matmul;
  if (!together && (kernels.gated_ternary_rows == 0 || rows < kernels.gated_ternary_rows)) {
    std::vector<Tensor> both = norm_multiply(op, n, {&gate, &up}, ahead);
    return {std::move(both[0]), std::move(both[1])};
  }
  const QuantizedRows q = empty_quantized(op, n.x);
  check_operands(op, q, gate);
  check_operands(op, q, up);
  const PackedTernary* const own[] = {&gate, &up};
  Product product(q, {own, 1}, false);
  product.add(up);
  product.read_ahead(own, {ahead.begin(), ahead.size()});
  const NormQuantizeArgs norm = norm_args(op, n, q);
  if (together) {
    call(device, &Kernels::norm_gated_ternary_matmul, {.norm = norm, .product = product.args});
  } else {
    call(device, &Kernels::norm_quantize, norm);
    call(device, &Kernels::gated_ternary_matmul, product.args);
  }
  return {{}, std::move(product.results[0])};
}

// The checked operands of the ops that normalize.
Normalized plain_norm(const char* op, const Tensor& x, const Tensor& weight, float eps) {
  check_inputs(op, DType::f32, {{"x", x}, {"weight", weight}});
  return {dense(x), {}, {}, {}, dense(weight), eps};
}
Normalized sum_norm(const char* op, const Tensor& x, const Tensor& y, const Tensor& weight, float eps) {
  check_inputs(op, DType::f32, {{"x", x}, {"y", y}, {"weight", weight}});
  check_shape(op, {"y", y}, x.shape());
  return {dense(x), dense(y), {}, Tensor::empty(x.shape(), DType::f32, x.device()), dense(weight), eps};
}
Normalized gate_norm(const char* op, const Tensor& gate, const Tensor& up, const Tensor& weight, float eps) {
  check_inputs(op, DType::f32, {{"gate", gate}, {"up", up}, {"weight", weight}});
  check_shape(op, {"up", up}, gate.shape());
  return {dense(up), {}, dense(gate), {}, dense(weight), eps};
}

}  // namespace

QuantizedRows empty_quantized(const char* op, const Tensor& x) {
  check_rank_at_least(op, {"x", x}, 1);
  const int64_t rows = rows_of(x.shape()), cols = x.shape().back();
  check(cols < kLongestRow, op, "expected x with a last extent below {}, got {}", kLongestRow, cols);
  const int64_t stride = quantized_stride(cols), bytes = rows * stride, numbers = rows * int64_t{sizeof(float)};
  const std::shared_ptr<Storage> all = Tensor::empty({bytes + 2 * numbers}, DType::u8, x.device()).storage();
  return {x.shape(), Tensor::over(all, 0, {rows, stride}, {stride, 1}, DType::i8),
          Tensor::over(all, bytes, {rows}, {1}, DType::f32),
          Tensor::over(all, bytes + numbers, {rows}, {1}, DType::i32)};
}

QuantizedRows quantize_rows(const Tensor& x) {
  check_inputs("quantize_rows", DType::f32, {{"x", x}});
  const QuantizedRows out = empty_quantized("quantize_rows", x);
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
  return quantize("norm_quantize", plain_norm("norm_quantize", x, weight, eps));
}

QuantizedRows add_norm_quantize(const Tensor& x, const Tensor& y, const Tensor& weight, float eps) {
  check_inputs("add_norm_quantize", DType::f32, {{"x", x}, {"y", y}, {"weight", weight}});
  check(x.is_contiguous() && !x.requires_grad(), "add_norm_quantize",
        "expected a contiguous x without a gradient, which takes the sum, got one with strides {}",
        x.strides());
  check_shape("add_norm_quantize", {"y", y}, x.shape());
  return quantize("add_norm_quantize", {x, dense(y), {}, x, dense(weight), eps});
}

QuantizedRows gate_norm_quantize(const Tensor& gate, const Tensor& up, const Tensor& weight, float eps) {
  return quantize("gate_norm_quantize", gate_norm("gate_norm_quantize", gate, up, weight, eps));
}

Tensor magnitude_sums(std::span<const Tensor> tensors) {
  const Device& device = tensors[0].device();
  std::vector<Tensor> operands;
  std::vector<AbsSumMatrix> matrices;
  for (const Tensor& w : tensors) {
    check_inputs("mean_abs", DType::f32, {{"w", tensors[0]}, {"w", w}});
    check(w.numel() > 0, "mean_abs", "expected at least one element, got shape {}", w.shape());
    const int64_t cols = w.rank() > 0 ? w.shape().back() : 1;
    const Tensor& from = operands.emplace_back(dense(w));
    matrices.push_back({.rows = w.numel() / cols, .cols = cols, .x = from.data<float>()});
  }
  const Tensor sums = Tensor::empty({std::ssize(tensors) * int64_t{sizeof(double)}}, DType::u8, device);
  call(device, &Kernels::abs_sum,
       {.matrices = std::ssize(matrices), .matrix = matrices.data(), .y = static_cast<double*>(sums.raw())});
  return sums;
}

std::vector<float> mean_abs(std::span<const Tensor> tensors) {
  if (tensors.empty()) return {};
  std::vector<double> sums(tensors.size());
  magnitude_sums(tensors).copy_to_host(std::as_writable_bytes(std::span(sums)));
  std::vector<float> means;
  for (size_t i = 0; i < sums.size(); ++i) means.push_back(mean_magnitude(sums[i], tensors[i].numel()));
  return means;
}

float mean_abs(const Tensor& w) {
  check_inputs("mean_abs", {{"w", w}});
  return mean_abs(std::span(&w, 1))[0];
}

Tensor ternary_codes(const Tensor& w, float scale) {
  check_master("ternary_codes", w, scale);
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

PackedTernary pack_checked_codes(const Tensor& codes, float scale) {
  const PackedTernary w = empty_packed(codes.shape()[0], codes.shape()[1], scale, codes.device());
  call(codes.device(), &Kernels::ternary_pack,
       {.layout = w.layout,
        .rows = w.rows,
        .cols = w.cols,
        .row_begin = 0,
        .row_count = w.rows,
        .codes = codes.data<int8_t>(),
        .packed = w.bytes.data<uint8_t>()});
  return w;
}

std::vector<QuantizedTernary> quantize_ternary(std::span<const Tensor> matrices, std::span<const float> scales) {
  std::vector<QuantizedTernary> out;
  if (matrices.empty()) return out;
  const Device& device = matrices[0].device();
  if (device.backend().kernels().ternary_quantize == nullptr) {
    for (size_t i = 0; i < matrices.size(); ++i) {
      const Tensor codes = ternary_codes(matrices[i], scales[i]);
      out.push_back({codes, pack_checked_codes(codes, scales[i])});
    }
    return out;
  }
  std::vector<Tensor> operands;
  std::vector<TernaryQuantizeMatrix> all;
  for (size_t i = 0; i < matrices.size(); ++i) {
    const float scale = scales[i];
    check_master("quantize_ternary", matrices[i], scale);
    check_inputs("quantize_ternary", DType::f32, {{"w", matrices[0]}, {"w", matrices[i]}});
    const Tensor& from = operands.emplace_back(dense(matrices[i]));
    const int64_t rows = from.size(0), cols = from.size(1);
    const QuantizedTernary& made = out.emplace_back(
        QuantizedTernary{Tensor::empty(from.shape(), DType::i8, device), empty_packed(rows, cols, scale, device)});
    all.push_back({.rows = rows,
                   .cols = cols,
                   .w = from.data<float>(),
                   .inverse_scale = 1.0f / scale,
                   .codes = made.codes.data<int8_t>(),
                   .packed = made.packed.bytes.data<uint8_t>()});
  }
  call(device, &Kernels::ternary_quantize,
       {.layout = out[0].packed.layout, .matrices = std::ssize(all), .matrix = all.data()});
  return out;
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

void for_ternary_rows(const PackedTernary& w, const TernaryVisitor& visit) {
  check_packed("for_ternary_rows", w);
  const Device& device = w.bytes.device();
  const Backend& backend = device.backend();
  const int64_t block = block_rows(w.rows, w.cols, backend);
  std::vector<Tensor> rooms(static_cast<size_t>(device.threads()));
  parallel_blocks(device, (w.rows + block - 1) / block, [&](int worker, int64_t i) {
    Tensor& room = rooms[static_cast<size_t>(worker)];
    const int64_t row = i * block, count = std::min(block, w.rows - row);
    if (!room.defined()) room = Tensor::empty({block, w.cols}, DType::i8, device);
    backend.kernels().ternary_unpack(one_worker(backend.exec(), worker), {.layout = w.layout,
                                                                          .rows = w.rows,
                                                                          .cols = w.cols,
                                                                          .row_begin = row,
                                                                          .row_count = count,
                                                                          .packed = w.bytes.data<uint8_t>(),
                                                                          .codes = room.data<int8_t>()});
    visit(worker, row, slice(room, 0, 0, count));
  });
}

int64_t count_zeros(const PackedTernary& w) {
  check_packed("count_zeros", w);
  std::vector<int64_t> zeros(static_cast<size_t>(w.bytes.device().threads()));
  for_ternary_rows(w, [&](int worker, int64_t, const Tensor& codes) {
    const std::vector<int8_t> host = codes.to_vector<int8_t>();
    zeros[static_cast<size_t>(worker)] += std::count(host.begin(), host.end(), int8_t{0});
  });
  return std::accumulate(zeros.begin(), zeros.end(), int64_t{0});
}

Tensor ternary_linear(const QuantizedRows& x, const PackedTernary& w) {
  check_operands("ternary_linear", x, w);
  return multiply(x, w, false);
}

std::vector<Tensor> ternary_linear(const QuantizedRows& x, TernaryWeights weights) {
  return multiply(x, checked_weights("ternary_linear", x, weights), false);
}

std::vector<Tensor> norm_ternary_linear(const Tensor& x, const Tensor& weight, float eps, TernaryWeights weights,
                                        TernaryWeights ahead) {
  return norm_multiply("norm_ternary_linear", plain_norm("norm_ternary_linear", x, weight, eps), weights, ahead);
}

AddedTernary add_norm_ternary_linear(const Tensor& x, const Tensor& y, const Tensor& weight, float eps,
                                     TernaryWeights weights, TernaryWeights ahead) {
  const Normalized n = sum_norm("add_norm_ternary_linear", x, y, weight, eps);
  return {n.sum, norm_multiply("add_norm_ternary_linear", n, weights, ahead)};
}

Gated norm_gated_ternary_linear(const Tensor& x, const Tensor& weight, float eps, const PackedTernary& gate,
                                const PackedTernary& up, TernaryWeights ahead) {
  constexpr const char* kOp = "norm_gated_ternary_linear";
  return norm_multiply_gated(kOp, plain_norm(kOp, x, weight, eps), gate, up, ahead);
}

AddedGated add_norm_gated_ternary_linear(const Tensor& x, const Tensor& y, const Tensor& weight, float eps,
                                         const PackedTernary& gate, const PackedTernary& up, TernaryWeights ahead) {
  constexpr const char* kOp = "add_norm_gated_ternary_linear";
  const Normalized n = sum_norm(kOp, x, y, weight, eps);
  return {n.sum, norm_multiply_gated(kOp, n, gate, up, ahead)};
}

namespace {

// Of gate and up, or of up alone.
Normalized maybe_gate_norm(const char* op, const Tensor& gate, const Tensor& up, const Tensor& weight, float eps) {
  return gate.defined() ? gate_norm(op, gate, up, weight, eps) : plain_norm(op, up, weight, eps);
}

}  // namespace

Tensor gate_norm_ternary_linear(const Tensor& gate, const Tensor& up, const Tensor& weight, float eps,
                                const PackedTernary& w, TernaryWeights ahead) {
  constexpr const char* kOp = "gate_norm_ternary_linear";
  return norm_multiply(kOp, maybe_gate_norm(kOp, gate, up, weight, eps), {&w}, ahead)[0];
}

bool adds_residual(const Device& device, int64_t rows) { return multiplies_normalized(device, rows); }

Tensor residual_norm_ternary_linear(const Tensor& residual, const Tensor& gate, const Tensor& up, const Tensor& weight,
                                    float eps, const PackedTernary& w, TernaryWeights ahead) {
  constexpr const char* kOp = "residual_norm_ternary_linear";
  check_inputs(kOp, DType::f32, {{"residual", residual}, {"up", up}});
  return norm_multiply(kOp, maybe_gate_norm(kOp, gate, up, weight, eps), {&w}, ahead, dense(residual))[0];
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
               scale_in_place(dx, Tensor::full({}, static_cast<double>(w_scale), DType::f32, dx.device()));
               dx = reshape(dx, shape);
             }
             if (q.defined()) d_master = product(transpose(dy / unsqueeze(q_scale, 1)), slice(q, 1, 0, k));
             return Gradients{dx, d_master};
           });
  }
  return y;
}

}  // namespace tern
