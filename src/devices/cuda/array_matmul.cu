// SPDX-License-Identifier: Apache-2.0
// Products of matrices of arrays. The order of a sum is fixed, so what can be shared out are products and sums of
// different elements: blocks of threads take tiles of c, with their parts of a and b in shared memory; or threads take
// elements, where tiles would be mostly empty; or blocks take elements, where they are few and long: all threads
// multiply, one adds.
#include "devices/cuda/array_elements.cuh"
#include "devices/cuda/array_entries.h"
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/folds.cuh"
#include "devices/cuda/packs.cuh"

namespace tern::cuda {
namespace {

constexpr const char* kName = "array_matmul";
constexpr int kThreads = 256;

// Forms: what elements are multiplied and added as. As they are.
template <class T>
struct Number {
  using Element = T;
  using Value = T;
  __device__ static T value(T x, bool conjugate) {
    if constexpr (is_complex_element<T>) x.im = conjugate ? -x.im : x.im;
    return x;
  }
  __device__ static T element(T sum) { return sum; }
  __device__ static T product(T a, T b) { return Times::of(a, b); }
  __device__ static T sum(T a, T b) { return Plus::of(a, b); }
};

// Narrow integers in 32 bits, of which the upper ones make no difference to the lower ones.
template <class T>
struct Narrow {
  using Element = T;
  using Value = uint32_t;
  __device__ static uint32_t value(T x, bool) { return x; }
  __device__ static T element(uint32_t sum) { return static_cast<T>(sum); }
  __device__ static uint32_t product(uint32_t a, uint32_t b) { return a * b; }
  __device__ static uint32_t sum(uint32_t a, uint32_t b) { return a + b; }
};

// Whether any pair is true.
struct Truth {
  using Element = uint8_t;
  using Value = uint32_t;
  __device__ static uint32_t value(uint8_t x, bool) { return x != 0 ? 1 : 0; }
  __device__ static uint8_t element(uint32_t sum) { return static_cast<uint8_t>(sum); }
  __device__ static uint32_t product(uint32_t a, uint32_t b) { return a & b; }
  __device__ static uint32_t sum(uint32_t a, uint32_t b) { return a | b; }
};

// An operand: lines, which are rows of a or columns of b, along k.
struct Lines {
  const void* data;
  int64_t batch_stride, line_stride, k_stride;
  bool conjugate;

  template <class Form>
  __device__ const typename Form::Element* line(int64_t batch, int64_t line) const {
    return static_cast<const typename Form::Element*>(data) + batch * batch_stride + line * line_stride;
  }
};

struct Product {
  int64_t batch, m, n, k;
  Lines a, b;
  void* c;
  int64_t c_batch_stride;

  template <class Form>
  __device__ void put(int64_t of_batch, int64_t row, int64_t col, typename Form::Value sum) const {
    static_cast<typename Form::Element*>(c)[of_batch * c_batch_stride + row * n + col] = Form::element(sum);
  }
};

// ---------------------------------------------------------------- tiles

// Threads of a block are kSide x kSide, and a thread's elements are kSide apart: neighbours read and write neighbours.
constexpr int kSide = 16, kEach = 4, kTile = kSide * kEach, kDepth = 16;
static_assert(kSide * kSide == kThreads);

// A column more than there are lines: threads that write along k meet other banks.
template <class Value>
using TileMemory = Value[kDepth][kTile + 1];

// The part of kTile lines that begins at `from`, of which there are `lines` by `depth`; zeros beyond, which leave sums
// as they are: these begin at +0, so that none is -0.
template <class Form>
__device__ void load_tile(TileMemory<typename Form::Value>& tile, const typename Form::Element* from,
                          const Lines& operand, int64_t lines, int64_t depth) {
  const bool along_k = llabs(operand.k_stride) < llabs(operand.line_stride);
#pragma unroll
  for (int step = 0; step < kTile * kDepth / kThreads; ++step) {
    const int i = step * kThreads + static_cast<int>(threadIdx.x);
    const int line = along_k ? i / kDepth : i % kTile, k = along_k ? i % kDepth : i / kTile;
    typename Form::Value value = {};
    if (line < lines && k < depth) {
      value = Form::value(from[line * operand.line_stride + k * operand.k_stride], operand.conjugate);
    }
    tile[k][line] = value;
  }
}

template <class Form>
__device__ void add_products(const TileMemory<typename Form::Value>& a, const TileMemory<typename Form::Value>& b,
                             int row, int col, typename Form::Value (&sums)[kEach][kEach]) {
#pragma unroll 4
  for (int k = 0; k < kDepth; ++k) {
    typename Form::Value left[kEach], right[kEach];
#pragma unroll
    for (int i = 0; i < kEach; ++i) left[i] = a[k][row + i * kSide], right[i] = b[k][col + i * kSide];
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
#pragma unroll
      for (int j = 0; j < kEach; ++j) sums[i][j] = Form::sum(sums[i][j], Form::product(left[i], right[j]));
    }
  }
}

template <class Form>
__global__ void __launch_bounds__(kThreads)
    multiply_tiles(const __grid_constant__ Product product, int64_t row_tiles, int64_t col_tiles) {
  using Value = typename Form::Value;
  __shared__ TileMemory<Value> a, b;
  const int row = static_cast<int>(threadIdx.x) / kSide, col = static_cast<int>(threadIdx.x) % kSide;
  for (int64_t tile = blockIdx.x; tile < product.batch * row_tiles * col_tiles; tile += gridDim.x) {
    const int64_t first_col = tile % col_tiles * kTile, first_row = tile / col_tiles % row_tiles * kTile;
    const int64_t batch = tile / col_tiles / row_tiles;
    const auto* const rows = product.a.line<Form>(batch, first_row);
    const auto* const cols = product.b.line<Form>(batch, first_col);
    Value sums[kEach][kEach] = {};
    for (int64_t k = 0; k < product.k; k += kDepth) {
      load_tile<Form>(a, rows + k * product.a.k_stride, product.a, product.m - first_row, product.k - k);
      load_tile<Form>(b, cols + k * product.b.k_stride, product.b, product.n - first_col, product.k - k);
      __syncthreads();
      add_products<Form>(a, b, row, col, sums);
      __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
#pragma unroll
      for (int j = 0; j < kEach; ++j) {
        const int64_t at_row = first_row + row + i * kSide, at_col = first_col + col + j * kSide;
        if (at_row < product.m && at_col < product.n) product.put<Form>(batch, at_row, at_col, sums[i][j]);
      }
    }
  }
}

// ---------------------------------------------------------------- elements

// Element i of all of c, in row-major order.
struct Place {
  int64_t batch, row, col;
};

struct Places {
  Divisor m, n;

  __device__ Place at(int64_t i) const {
    const int64_t line = n.quotient(i), batch = m.quotient(line);
    return {batch, line - batch * m.divisor(), i - line * n.divisor()};
  }
};

template <class Form>
__device__ typename Form::Value product_at(const Lines& a, const Lines& b, const typename Form::Element* row,
                                           const typename Form::Element* col, int64_t k) {
  return Form::product(Form::value(row[k * a.k_stride], a.conjugate), Form::value(col[k * b.k_stride], b.conjugate));
}

// A thread takes an element.
template <class Form>
__global__ void __launch_bounds__(kThreads) multiply_elements(const __grid_constant__ Product product, Places places) {
  const int64_t count = product.batch * product.m * product.n;
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const Place place = places.at(i);
    const auto* const row = product.a.line<Form>(place.batch, place.row);
    const auto* const col = product.b.line<Form>(place.batch, place.col);
    typename Form::Value sum = {};
#pragma unroll 8
    for (int64_t k = 0; k < product.k; ++k) {
      sum = Form::sum(sum, product_at<Form>(product.a, product.b, row, col, k));
    }
    product.put<Form>(place.batch, place.row, place.col, sum);
  }
}

// A block takes an element. Its first thread adds the products of one part while all make those of the next.
constexpr int kPart = 1024;

template <class Form>
__global__ void __launch_bounds__(kThreads) multiply_long(const __grid_constant__ Product product, Places places) {
  using Value = typename Form::Value;
  __shared__ Value parts[2][kPart];
  const Place place = places.at(blockIdx.x);
  const auto* const row = product.a.line<Form>(place.batch, place.row);
  const auto* const col = product.b.line<Form>(place.batch, place.col);
  Value sum = {};
  int turn = 0;
  for (int64_t first = 0; first < product.k + kPart; first += kPart) {
    // The first thread comes last to its own products, which the others need not wait for.
    if (threadIdx.x == 0 && first > 0) {
      const int count = static_cast<int>(min(int64_t{kPart}, product.k - (first - kPart)));
      const Value* const part = parts[turn ^ 1];
#pragma unroll 8
      for (int i = 0; i < count; ++i) sum = Form::sum(sum, part[i]);
    }
#pragma unroll
    for (int step = 0; step < kPart / kThreads; ++step) {
      const int i = step * kThreads + static_cast<int>(threadIdx.x);
      if (first + i < product.k) {
        parts[turn][i] = product_at<Form>(product.a, product.b, row, col, first + i);
      }
    }
    __syncthreads();
    turn ^= 1;
  }
  if (threadIdx.x == 0) product.put<Form>(place.batch, place.row, place.col, sum);
}

// ---------------------------------------------------------------- all

constexpr int64_t kLeastTile = 32;  // rows and columns
constexpr int64_t kLongSum = 512, kFewElements = 4096;

template <class Form>
void multiply(const Exec& exec, const Product& product) {
  const cudaStream_t stream = stream_of(exec);
  const int64_t count = product.batch * product.m * product.n;
  const Places places = {Divisor(product.m), Divisor(product.n)};
  if (product.m >= kLeastTile && product.n >= kLeastTile) {
    const int64_t row_tiles = ceil_div(product.m, kTile), col_tiles = ceil_div(product.n, kTile);
    multiply_tiles<Form>
        <<<blocks_for(product.batch * row_tiles * col_tiles, 1), kThreads, 0, stream>>>(product, row_tiles, col_tiles);
  } else if (product.k >= kLongSum && count <= kFewElements) {
    multiply_long<Form><<<blocks_for(count, 1), kThreads, 0, stream>>>(product, places);
  } else {
    multiply_elements<Form><<<blocks_for(count, kThreads), kThreads, 0, stream>>>(product, places);
  }
  launched(exec, kName);
}

}  // namespace

void array_matmul(const Exec& exec, const ArrayMatmulArgs& args) noexcept {
  if (args.batch == 0 || args.m == 0 || args.n == 0) return;
  const Product product = {args.batch,
                           args.m,
                           args.n,
                           args.k,
                           {args.a, args.a_batch_stride, args.a_row_stride, args.a_col_stride, args.conjugate},
                           {args.b, args.b_batch_stride, args.b_col_stride, args.b_row_stride, false},
                           args.c,
                           args.c_batch_stride};
  switch (args.dtype) {
    case DType::f64:
      return multiply<Number<double>>(exec, product);
    case DType::c64:
      return multiply<Number<Complex<float>>>(exec, product);
    case DType::c128:
      return multiply<Number<Complex<double>>>(exec, product);
    case DType::boolean:
      return multiply<Truth>(exec, product);
    default:
      break;
  }
  // Modulo 2^bits signs make no difference.
  switch (size_of(args.dtype)) {
    case 1:
      return multiply<Narrow<uint8_t>>(exec, product);
    case 2:
      return multiply<Narrow<uint16_t>>(exec, product);
    case 4:
      return multiply<Number<uint32_t>>(exec, product);
    default:
      return multiply<Number<uint64_t>>(exec, product);
  }
}

}  // namespace tern::cuda
