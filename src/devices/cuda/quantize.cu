// SPDX-License-Identifier: Apache-2.0
// Quantization of rows to int8 by their greatest magnitude, alone and after a normalization. A row of up to 16384
// elements is read once and stays in registers; a longer one is read again for each walk.
#include <type_traits>

#include "devices/cuda/row_sums.cuh"
#include "devices/cuda/rows.h"

namespace tern::cuda {
namespace {

// |x| as bits, which are ordered as the numbers are; 0 for NaN.
__device__ uint32_t magnitude(float x) {
  const uint32_t bits = __float_as_uint(x) & 0x7fffffff;
  return bits > 0x7f800000 ? 0 : bits;
}

__device__ uint32_t greatest_magnitude(const float4& x) {
  const uint4 bits = make_uint4(magnitude(x.x), magnitude(x.y), magnitude(x.z), magnitude(x.w));
  return fold_quad(bits, [](uint32_t a, uint32_t b) { return a > b ? a : b; });
}

__device__ float int8_scale(float greatest) { return 1.0f / fmaxf(greatest, 1e-5f) * 127.0f; }

// The conversion rounds half to even, saturates, and makes 0 of NaN.
__device__ int code_of(float x) { return min(max(__float2int_rn(x), -128), 127); }

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
  __device__ void put(int64_t at, const int4& codes) const {
    const auto byte = [](int code) { return static_cast<signed char>(code); };
    const char4 bytes = make_char4(byte(codes.x), byte(codes.y), byte(codes.z), byte(codes.w));
    if (reinterpret_cast<uintptr_t>(q) % sizeof(char4) == 0) {
      *reinterpret_cast<char4*>(q + at) = bytes;
    } else {
      q[at] = bytes.x;
      q[at + 1] = bytes.y;
      q[at + 2] = bytes.z;
      q[at + 3] = bytes.w;
    }
  }
};

// Quantizes the row whose quads are value(i, at). What value gives beyond the row's end is 0 or NaN.
template <int kHeld, class Value>
__device__ void quantize_row(const Value& value, int64_t cols, const QuantizedRow& to, BlockReducer& reduce) {
  uint32_t greatest = 0;
  for_held_quads<kHeld>(cols, [&](int i, int64_t at) { greatest = max(greatest, greatest_magnitude(value(i, at))); });
  const float scale = int8_scale(__uint_as_float(reduce.max(greatest)));
  int sum = 0;
  for_held_quads<kHeld>(cols, [&](int i, int64_t at) {
    const float4 x = value(i, at);
    const int4 codes =
        make_int4(code_of(x.x * scale), code_of(x.y * scale), code_of(x.z * scale), code_of(x.w * scale));
    to.put(at, codes);
    sum += fold_quad(codes, [](int a, int b) { return a + b; });
  });
  const int64_t step = int64_t{4} * blockDim.x;
  for (int64_t at = round_up(cols, 4) + int64_t{4} * threadIdx.x; at < to.stride; at += step) to.put(at, int4{});
  sum = reduce.sum(sum);
  if (threadIdx.x == 0) {
    *to.scale = scale;
    *to.sum = sum;
  }
}

// The thread's quads of a row: what load(i, at) gives, called at once and kept in registers, or at each use where kHeld
// is 0.
template <int kHeld, class Load>
class Quads {
 public:
  __device__ Quads(int64_t cols, const Load& load) : load_(load) {
    if constexpr (kHeld > 0) for_held_quads<kHeld>(cols, [&](int i, int64_t at) { held_[i] = load(i, at); });
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
__device__ Quads<kHeld, Load> quads_of(int64_t cols, const Load& load) {
  return Quads<kHeld, Load>(cols, load);
}

template <int kHeld>
__device__ auto quads_of(const float* row, int64_t cols) {
  const Row<const float> from(row, cols);
  return quads_of<kHeld>(cols, [from](int, int64_t at) { return from.quad(at); });
}

template <int kHeld>
__global__ void __launch_bounds__(kMostRowThreads) quantize(const __grid_constant__ QuantizeRowsArgs args) {
  __shared__ BlockReducer::Memory memory;
  BlockReducer reduce(memory);
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const auto x = quads_of<kHeld>(args.x + row * args.cols, args.cols);
    quantize_row<kHeld>(x, args.cols, QuantizedRow(args, row), reduce);
  }
}

// Of NormQuantizeArgs: what there is besides x.
enum class Second : uint8_t { none, add, gate };

__device__ float added(float x, float y) { return x + y; }

// NaN stays.
__device__ float gated(float up, float gate) {
  const float r = gate < 0.0f ? 0.0f : gate;
  return r * r * up;
}

template <int kHeld, Second kSecond>
__global__ void __launch_bounds__(kMostRowThreads) normalize_quantize(const __grid_constant__ NormQuantizeArgs args) {
  __shared__ BlockReducer::Memory memory;
  BlockReducer reduce(memory);
  constexpr int kHeldInputs = kHeld <= 2 ? kHeld : 0;  // registers have room for two rows of 4 quads, not for three
  const int64_t cols = args.cols;
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const int64_t begin = row * cols;
    const float* const second = kSecond == Second::add ? args.add : kSecond == Second::gate ? args.gate : args.x;
    // Loads are under way before the first of them is waited for, and before a store that they could not pass.
    const auto x = quads_of<kHeldInputs>(args.x + begin, cols);
    const auto other = quads_of<kHeldInputs>(second + begin, cols);
    const auto weight = quads_of<kHeld>(args.weight, cols);
    const auto h = quads_of<kHeld>(cols, [&](int i, int64_t at) {
      if constexpr (kSecond == Second::none) {
        return x(i, at);
      } else {
        return map_quads(kSecond == Second::add ? added : gated, x(i, at), other(i, at));
      }
    });
    const Row<float> sum(kSecond == Second::add ? args.sum + begin : nullptr, cols);
    float4 squares = {};
    for_held_quads<kHeld>(cols, [&](int i, int64_t at) {
      const float4 v = h(i, at);
      if constexpr (kSecond == Second::add) sum.put(at, v);
      squares = add_products(squares, v, v);
    });
    const float inv = inverse_rms(reduce.sum(sum_of(squares)), cols, args.eps);
    const auto value = [&](int i, int64_t at) {
      if constexpr (kSecond == Second::add && kHeld == 0) {
        return normalized(sum.quad(at), inv, weight(i, at));  // x or add may be overwritten
      } else {
        return normalized(h(i, at), inv, weight(i, at));
      }
    };
    quantize_row<kHeld>(value, cols, QuantizedRow(args, row), reduce);
  }
}

// Calls launch(held) with held_quads(cols) as a constant.
template <class Launch>
void with_held_quads(int64_t cols, const Launch& launch) {
  switch (held_quads(cols)) {
    case 1:
      return launch(std::integral_constant<int, 1>());
    case 2:
      return launch(std::integral_constant<int, 2>());
    case 4:
      return launch(std::integral_constant<int, 4>());
    default:
      return launch(std::integral_constant<int, 0>());
  }
}

template <Second kSecond>
void launch_norm_quantize(const Exec& exec, const NormQuantizeArgs& args) {
  with_held_quads(args.cols, [&](auto held) {
    launch_rows(exec, "norm_quantize", args.rows, args.cols, normalize_quantize<held(), kSecond>, args);
  });
}

}  // namespace

void quantize_rows(const Exec& exec, const QuantizeRowsArgs& args) noexcept {
  with_held_quads(args.cols,
                  [&](auto held) { launch_rows(exec, "quantize_rows", args.rows, args.cols, quantize<held()>, args); });
}

void norm_quantize(const Exec& exec, const NormQuantizeArgs& args) noexcept {
  if (args.add) return launch_norm_quantize<Second::add>(exec, args);
  if (args.gate) return launch_norm_quantize<Second::gate>(exec, args);
  launch_norm_quantize<Second::none>(exec, args);
}

}  // namespace tern::cuda
