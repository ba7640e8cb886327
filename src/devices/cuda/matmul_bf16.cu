// SPDX-License-Identifier: Apache-2.0
// Dense products on tensor cores, for a device that was opened with bf16: operands are rounded to bf16 in one pass
// each, as they lie, and multiplied from there.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "devices/cuda/bf16_products.h"
#include "devices/cuda/convert.cuh"
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/matmul_entries.h"
#include "devices/cuda/packs.cuh"

namespace tern::cuda {
namespace {

constexpr const char* kName = "matmul in bf16";
constexpr int kPack = 8;  // bf16 elements of 16 bytes, to which the library wants lines aligned

// Below these, rounding and one more launch for each operand cost more than tensor cores win.
constexpr int64_t kLeastExtent = 64;
constexpr double kLeastProducts = 1 << 26;

constexpr int64_t kMostBatches = 65535;  // the library's grids

// An operand as lines of elements that are near to each other in memory: along k, or along m or n.
struct Lines {
  const void* data;
  bool codes, along_k;
  int64_t batches, lines, length;             // lines of a batch, elements of a line
  int64_t batch_stride, line_stride, stride;  // of the data, in elements

  Lines(const MatrixInput& x, int64_t batch, int64_t extent, int64_t extent_stride, int64_t k, int64_t k_stride)
      : data(x.data),
        codes(x.dtype == DType::i8),
        along_k(std::abs(k_stride) <= std::abs(extent_stride)),
        batches(x.batch_stride == 0 ? 1 : batch),
        lines(along_k ? extent : k),
        length(along_k ? k : extent),
        batch_stride(x.batch_stride),
        line_stride(along_k ? extent_stride : k_stride),
        stride(along_k ? k_stride : extent_stride) {}

  // What they are rounded to: whole packs, one line after the other.
  int64_t pitch() const { return round_up(length, kPack); }
  int64_t batch_size() const { return lines * pitch(); }
  size_t bytes() const { return static_cast<size_t>(batches * batch_size()) * sizeof(bf16); }

  // The same elements in the same order, in the longest lines.
  Lines merged() const {
    Lines one = *this;
    if (stride != 1 || line_stride != length || pitch() != length) return one;
    one.length = lines * length;
    one.lines = 1;
    if (batches == 1 || batch_stride == one.length) {
      one.length *= batches;
      one.batches = 1;
    }
    return one;
  }
};

Lines rows_of(const MatmulArgs& args) {
  return {args.a, args.batch, args.m, args.a.row_stride, args.k, args.a.col_stride};
}
Lines columns_of(const MatmulArgs& args) {
  return {args.b, args.batch, args.n, args.b.col_stride, args.k, args.b.row_stride};
}

// ---------------------------------------------------------------- rounding

constexpr int kThreads = 256;

template <class T>
constexpr int kLoad = std::min<int>(kPack, 16 / sizeof(T));

// Where the packs of a launch come from.
struct Source {
  int64_t packs;  // of all lines
  Divisor packs_of_line, lines_of_batch;
  int64_t length, batch_stride, line_stride, stride;

  explicit Source(const Lines& x)
      : packs(x.batches * x.lines * (x.pitch() / kPack)),
        packs_of_line(x.pitch() / kPack),
        lines_of_batch(x.lines),
        length(x.length),
        batch_stride(x.batch_stride),
        line_stride(x.line_stride),
        stride(x.stride) {}
};

// The `left` first elements from x on and zeros. kAligned: neighbours that loads of 16 bytes, or 8 of codes, can read.
template <bool kAligned, class T>
__device__ Pack<bf16, kPack> rounded(const T* x, int64_t left, int64_t stride) {
  Pack<bf16, kPack> y;
  if (kAligned && left >= kPack) {
#pragma unroll
    for (int i = 0; i < kPack; i += kLoad<T>) {
      const auto loaded = load_pack<kLoad<T>>(x + i);
#pragma unroll
      for (int l = 0; l < kLoad<T>; ++l) y.at[i + l] = element_of<bf16>(loaded.at[l]);
    }
  } else {
#pragma unroll
    for (int i = 0; i < kPack; ++i) y.at[i] = i < left ? element_of<bf16>(x[i * stride]) : bf16();
  }
  return y;
}

template <bool kAligned, class T>
__global__ void __launch_bounds__(kThreads) round_lines(Source source, const T* __restrict__ x, bf16* __restrict__ y) {
  for (int64_t i = thread_of_grid(); i < source.packs; i += threads_of_grid()) {
    const int64_t line = source.packs_of_line.quotient(i), batch = source.lines_of_batch.quotient(line);
    const int64_t at = (i - line * source.packs_of_line.divisor()) * kPack;
    const T* const from = x + batch * source.batch_stride +
                          (line - batch * source.lines_of_batch.divisor()) * source.line_stride + at * source.stride;
    store_pack(y + i * kPack, rounded<kAligned>(from, source.length - at, source.stride));
  }
}

template <class T>
bool loads_are_aligned(const Lines& x) {
  return x.stride == 1 && is_aligned(x.data, kLoad<T> * sizeof(T)) && (x.lines == 1 || x.line_stride % kLoad<T> == 0) &&
         (x.batches == 1 || x.batch_stride % kLoad<T> == 0);
}

template <class T>
void round_as(const Exec& exec, const Lines& x, bf16* y) {
  const Source source(x);
  const auto kernel = loads_are_aligned<T>(x) ? round_lines<true, T> : round_lines<false, T>;
  kernel<<<blocks_for(source.packs, kThreads), kThreads, 0, stream_of(exec)>>>(source, static_cast<const T*>(x.data),
                                                                               y);
  launched(exec, kName);
}

void round_operand(const Exec& exec, const Lines& x, bf16* y) {
  x.codes ? round_as<int8_t>(exec, x.merged(), y) : round_as<float>(exec, x.merged(), y);
}

// ---------------------------------------------------------------- the product

bool is_worth_it(const MatmulArgs& args) {
  const double products = static_cast<double>(args.batch) * static_cast<double>(args.m) * static_cast<double>(args.n) *
                          static_cast<double>(args.k);
  return std::min({args.m, args.n, args.k}) >= kLeastExtent && products >= kLeastProducts && args.batch <= kMostBatches;
}

// The greatest power of two, up to that of fresh memory, that divides a number of bytes.
size_t alignment_of(uint64_t bytes) {
  constexpr uint64_t kMost = 256;
  const uint64_t bits = bytes | kMost;
  return static_cast<size_t>(bits & (~bits + 1));
}

Bf16Product::Operand operand_of(const Lines& x) {
  const int64_t batch_stride = x.batches == 1 ? 0 : x.batch_size();
  return {x.along_k, x.pitch(), batch_stride, alignment_of(static_cast<uint64_t>(batch_stride) * sizeof(bf16))};
}

Bf16Product product_of(const MatmulArgs& args, const Lines& a, const Lines& b) {
  const uint64_t c_batch_bytes = args.batch == 1 ? 0 : static_cast<uint64_t>(args.c_batch_stride) * sizeof(float);
  return {.batch = args.batch,
          .m = args.m,
          .n = args.n,
          .k = args.k,
          .a = operand_of(a),
          .b = operand_of(b),
          .c_dtype = DType::f32,
          .c_row_stride = args.c_row_stride,
          .c_batch_stride = args.c_batch_stride,
          .c_alignment = alignment_of(reinterpret_cast<uintptr_t>(args.c) | c_batch_bytes)};
}

}  // namespace

bool matmul_in_bf16(const Exec& exec, const MatmulArgs& args) noexcept {
  if (exec.matmul_precision != MatmulPrecision::bf16 || !is_worth_it(args)) return false;
  const cudaStream_t stream = stream_of(exec);
  const Lines a = rows_of(args), b = columns_of(args);
  const Bf16Product product = product_of(args, a, b);
  Bf16Products& products = bf16_products(exec);
  const Bf16Products::Plan* const plan = products.plan(product);
  if (plan == nullptr) return false;
  const Room a_room(exec, a.bytes(), kName), b_room(exec, b.bytes(), kName);
  const Room workspace(exec, plan->workspace_bytes, kName);
  if (!a_room || !b_room || (plan->workspace_bytes > 0 && !workspace)) return true;
  round_operand(exec, a, a_room.as<bf16>());
  round_operand(exec, b, b_room.as<bf16>());
  keep_status(exec,
              products.launch(product, *plan, a_room.as<bf16>(), b_room.as<bf16>(), args.c, 1.0f, args.accumulate,
                              workspace.as<void>(), stream),
              kName);
  return true;
}

bool linear_in_bf16(const Exec& exec, const LinearArgs& args) noexcept {
  if (args.w_dtype != DType::f32) return false;
  return matmul_in_bf16(exec, {.batch = 1,
                               .m = args.rows,
                               .n = args.n,
                               .k = args.k,
                               .a = {args.x, DType::f32, 0, args.k, 1},
                               .b = {args.w, DType::f32, 0, 1, args.k},
                               .c = args.y,
                               .c_batch_stride = 0,
                               .c_row_stride = args.n,
                               .accumulate = false});
}

}  // namespace tern::cuda
