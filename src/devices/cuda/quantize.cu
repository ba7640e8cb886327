// SPDX-License-Identifier: Apache-2.0
// Quantization of rows to int8 by their greatest magnitude, alone and after a normalization. A row of up to 16384
// elements is read once and stays in registers; a longer one is read again for each walk. Norms of many rows have the
// next row under way meanwhile.
#include <cuda_pipeline_primitives.h>

#include <cstddef>
#include <type_traits>

#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/resident_blocks.cuh"
#include "devices/cuda/row_quantize.cuh"
#include "devices/cuda/rows.h"

namespace tern::cuda {
namespace {

// Where the results of a row go.
struct QuantizedRow {
  int8_t* q;
  int64_t stride;
  float* scale;
  int32_t* sum;

  template <class Args>
  __device__ QuantizedRow(const Args& args, int64_t row)
      : q(args.q + row * args.q_stride), stride(args.q_stride), scale(args.scale + row), sum(args.sums + row) {}

  // The row is padded to whole quads.
  __device__ void put(int64_t at, uint32_t codes) const {
    if (reinterpret_cast<uintptr_t>(q) % sizeof codes == 0) {
      *reinterpret_cast<uint32_t*>(q + at) = codes;
      return;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) q[at + i] = static_cast<int8_t>(codes >> (8 * i));
  }
};

// Quantizes the row of these quads.
template <int kHeld, class Value>
__device__ void quantize_row(const RowWalk& row, const Value& value, const QuantizedRow& to, BlockReducer& reduce) {
  const auto put = [&](int, int64_t at, uint32_t codes) { to.put(at, codes); };
  const RowCodes codes = quantize_row<kHeld>(row, value, reduce, put);
  const int64_t step = int64_t{4} * blockDim.x;
  for (int64_t at = round_up(row.cols, 4) + int64_t{4} * threadIdx.x; at < to.stride; at += step) to.put(at, 0);
  const int sum = reduce.sum(codes.sum);
  if (threadIdx.x == 0) {
    *to.scale = codes.scale;
    *to.sum = sum;
  }
}

// The thread's quads of a row: what load(i, at) gives, called at once and kept in registers, or at each use where kHeld
// is 0.
template <int kHeld, class Load>
class Quads {
 public:
  __device__ Quads(const RowWalk& row, const Load& load) : load_(load) {
    if constexpr (kHeld > 0) for_held_quads<kHeld>(row, [&](int i, int64_t at) { held_[i] = load(i, at); });
  }

  __device__ float4 operator()(int i, int64_t at) const {
    if constexpr (kHeld > 0) {
      return held_[i];
    } else {
      return load_(i, at);
    }
  }

 private:
  Load load_;
  float4 held_[kHeld > 0 ? kHeld : 1];
};

template <int kHeld, class Load>
__device__ Quads<kHeld, Load> quads_of(const RowWalk& row, const Load& load) {
  return Quads<kHeld, Load>(row, load);
}

template <int kHeld>
__device__ auto quads_of(const RowWalk& row, const float* data) {
  const Row<const float> from(data, row.cols);
  return quads_of<kHeld>(row, [from](int, int64_t at) { return from.quad(at); });
}

template <int kHeld>
constexpr int kMostThreads = kHeld > 0 ? kMostHoldingThreads : kMostRowThreads;

template <int kHeld>
__global__ void __launch_bounds__(kMostThreads<kHeld>) quantize(const __grid_constant__ QuantizeRowsArgs args) {
  __shared__ BlockReducer::Memory memory;
  BlockReducer reduce(memory);
  const RowWalk walk{args.cols, blockDim.x};
  let_next_start();
  wait_for_inputs();
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const auto x = quads_of<kHeld>(walk, args.x + row * args.cols);
    quantize_row<kHeld>(walk, x, QuantizedRow(args, row), reduce);
  }
}

// What a block makes of one row: x, second and gain give its quads.
template <int kHeld, Second kSecond, class X, class SecondQuads, class Gain>
__device__ void normalize_quantize_row(const NormQuantizeArgs& args, const RowWalk& walk, int64_t row, const X& x,
                                       const SecondQuads& second, const Gain& gain, BlockReducer& reduce) {
  const auto combine = [&](int i, int64_t at) {
    if constexpr (kSecond == Second::none) {
      return x(i, at);
    } else {
      return combined<kSecond>(x(i, at), second(i, at));
    }
  };
  const auto made = quads_of<kHeld>(walk, combine);
  const Row<float> sum(kSecond == Second::add ? args.sum + row * walk.cols : nullptr, walk.cols);
  if constexpr (kSecond == Second::add) {
    for_held_quads<kHeld>(walk, [&](int i, int64_t at) { sum.put(at, made(i, at)); });
  }
  const auto h = [&](int i, int64_t at) {
    if constexpr (kSecond == Second::add && kHeld == 0) {
      return sum.quad(at);  // x or add may be overwritten
    } else {
      return made(i, at);
    }
  };
  const float inverse = InverseRms::ready(walk.cols, args.eps)(row_squares<kHeld>(walk, h, reduce));
  const auto value = [&](int i, int64_t at) { return normalized(h(i, at), inverse, gain(i, at)); };
  quantize_row<kHeld>(walk, value, QuantizedRow(args, row), reduce);
}

template <int kHeld, Second kSecond>
__global__ void __launch_bounds__(kMostThreads<kHeld>)
    normalize_quantize(const __grid_constant__ NormQuantizeArgs args) {
  __shared__ BlockReducer::Memory memory;
  BlockReducer reduce(memory);
  constexpr int kHeldInputs = kHeld <= 4 ? kHeld : 0;  // registers have room for three rows of 4 quads, not of 8
  const RowWalk walk{args.cols, blockDim.x};
  let_next_start();
  const auto gain = quads_of<kHeldInputs>(walk, args.weight);
  wait_for_inputs();
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const int64_t begin = row * walk.cols;
    // Loads are under way before the first of them is waited for, and before a store that they could not pass.
    const auto x = quads_of<kHeldInputs>(walk, args.x + begin);
    const auto second = quads_of<kHeldInputs>(walk, second_of<kSecond>(args) + begin);
    normalize_quantize_row<kHeld, kSecond>(args, walk, row, x, second, gain, reduce);
  }
}

// For many rows: blocks stay, and a row is copied to shared memory while the one before it is worked on. Each thread
// copies its own quads, so it waits for nobody else's.
template <Second kSecond>
constexpr int kMatrices = kSecond == Second::none ? 1 : 2;
constexpr int kStages = 2;

template <int kHeld, Second kSecond>
__global__ void __launch_bounds__(kMostHoldingThreads)
    normalize_quantize_stream(const __grid_constant__ NormQuantizeArgs args) {
  extern __shared__ float4 stages[];
  __shared__ BlockReducer::Memory memory;
  BlockReducer reduce(memory);
  const RowWalk walk{args.cols, blockDim.x};
  const float* const inputs[] = {args.x, second_of<kSecond>(args)};
  const auto place = [&](int stage, int matrix, int i) {
    return stages + ((stage * kMatrices<kSecond> + matrix) * kHeld + i) * blockDim.x + threadIdx.x;
  };
  const auto ask = [&](int stage, int64_t row) {
    if (row < args.rows) {
#pragma unroll
      for (int m = 0; m < kMatrices<kSecond>; ++m) {
        for_held_quads<kHeld>(walk, [&](int i, int64_t at) {
          __pipeline_memcpy_async(place(stage, m, i), inputs[m] + row * walk.cols + at, sizeof(float4));
        });
      }
    }
    __pipeline_commit();
  };
  let_next_start();
  const auto gain = quads_of<kHeld>(walk, args.weight);
  wait_for_inputs();
  ask(0, blockIdx.x);
  int stage = 0;
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x, stage ^= 1) {
    ask(stage ^ 1, row + gridDim.x);
    __pipeline_wait_prior(1);
    const auto x = [&](int i, int64_t) { return *place(stage, 0, i); };
    const auto second = [&](int i, int64_t) { return *place(stage, kMatrices<kSecond> - 1, i); };
    normalize_quantize_row<kHeld, kSecond>(args, walk, row, x, second, gain, reduce);
  }
}

template <class Args>
void launch_early_rows(const Exec& exec, const char* name, void (*kernel)(Args), const Args& args) {
  if (args.rows == 0) return;
  launch_early(exec, name, kernel, blocks_for(args.rows, 1), row_threads(args.cols), 0, args);
}

template <int kHeld, Second kSecond>
size_t stream_bytes(int64_t cols) {
  return size_t{kStages} * kMatrices<kSecond> * kHeld * row_threads(cols) * sizeof(float4);
}

// Whether there are so many rows that each block has several, whole quads to copy, and shared memory for them.
bool is_stream(const Exec& exec, const NormQuantizeArgs& args, size_t bytes) {
  constexpr int64_t kLeastRows = 8;  // of a multiprocessor
  const size_t most = is_hopper(exec) ? 224 << 10 : 96 << 10;
  const auto holds_quads = [](const float* x) { return is_aligned(x, sizeof(float4)); };
  return args.rows >= kLeastRows * multiprocessors(exec) && bytes <= most && args.cols % 4 == 0 &&
         holds_quads(args.x) && holds_quads(args.add) && holds_quads(args.gate);
}

template <int kHeld, Second kSecond>
void launch_stream(const Exec& exec, const NormQuantizeArgs& args) {
  constexpr const char* kName = "norm_quantize";
  const auto kernel = normalize_quantize_stream<kHeld, kSecond>;
  const auto threads = static_cast<int>(row_threads(args.cols));
  const size_t bytes = stream_bytes<kHeld, kSecond>(args.cols);
  const unsigned blocks = resident_blocks(exec, kName, kernel, threads, bytes, args.rows);
  launch_early(exec, kName, kernel, blocks, static_cast<unsigned>(threads), bytes, args);
}

}  // namespace

void quantize_rows(const Exec& exec, const QuantizeRowsArgs& args) noexcept {
  with_held_quads(args.cols, [&](auto held) { launch_early_rows(exec, "quantize_rows", quantize<held()>, args); });
}

void norm_quantize(const Exec& exec, const NormQuantizeArgs& args) noexcept {
  with_second(args, [&](auto second) {
    with_held_quads(args.cols, [&](auto held) {
      if constexpr (held() >= 1 && held() <= 4) {  // where registers hold a row and its weights
        const bool streams = is_stream(exec, args, stream_bytes<held(), second()>(args.cols));
        if (streams) return launch_stream<held(), second()>(exec, args);
      }
      launch_early_rows(exec, "norm_quantize", normalize_quantize<held(), second()>, args);
    });
  });
}

}  // namespace tern::cuda
