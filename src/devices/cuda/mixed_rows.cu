// SPDX-License-Identifier: Apache-2.0
// Rows of bf16 times a factor each, and int8 codes as bf16.
#include "devices/cuda/convert.cuh"
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/mixed_entries.h"
#include "devices/cuda/row_groups.cuh"

namespace tern::cuda {
namespace {

constexpr int kAtOnce = 4;  // octets of a thread, which are under way together

// Calls load(k, octet) and then store(k, octet), k < kAtOnce, for the thread's octets below `octets`.
template <class Load, class Store>
__device__ void for_octets_at_once(int64_t octets, const Load& load, const Store& store) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x * kAtOnce;
  for (int64_t first = int64_t{blockIdx.x} * blockDim.x * kAtOnce + threadIdx.x; first < octets; first += step) {
    const auto each = [&](const auto& what) {
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k) {
        const int64_t at = first + int64_t{k} * blockDim.x;
        if (at < octets) what(k, at);
      }
    };
    each(load);
    each(store);
  }
}

__global__ void __launch_bounds__(kPackThreads)
    scale_rows(const __grid_constant__ MixedScaleRowsArgs args, const __grid_constant__ Divisor row_octets) {
  let_next_start();
  wait_for_inputs();
  const auto* const from = reinterpret_cast<const uint4*>(args.x);
  auto* const to = reinterpret_cast<uint4*>(args.y);
  uint4 x[kAtOnce];
  float scale[kAtOnce];
  for_octets_at_once(
      args.rows * row_octets.divisor(),
      [&](int k, int64_t at) {
        x[k] = from[at];
        scale[k] = args.by.q_scale[row_octets.quotient(at)];
      },
      [&](int k, int64_t at) {
        const float by = args.by.factor / scale[k];
        to[at] = halves_of(map_pack<kOctet>([by](float v) { return v * by; }, octet_of(x[k])));
      });
}

__global__ void __launch_bounds__(kPackThreads)
    widen_codes(const __grid_constant__ MixedCodesArgs args, const __grid_constant__ Divisor row_octets) {
  let_next_start();
  wait_for_inputs();
  auto* const to = reinterpret_cast<uint4*>(args.y);
  Pack<int8_t, kOctet> x[kAtOnce];
  for_octets_at_once(
      args.rows * row_octets.divisor(),
      [&](int k, int64_t at) {
        const int64_t row = row_octets.quotient(at), octet = at - row * row_octets.divisor();
        x[k] = load_pack<kOctet>(args.x + row * args.x_stride + kOctet * octet);
      },
      [&](int k, int64_t at) {
        to[at] = halves_of(map_pack<kOctet>([](int8_t code) { return static_cast<float>(code); }, x[k]));
      });
}

template <class Args>
void launch(const Exec& exec, const char* name, void (*kernel)(Args, Divisor), const Args& args) {
  if (args.rows == 0 || args.cols == 0) return;
  const int64_t row_octets = args.cols / kOctet;
  launch_early(exec, name, kernel, blocks_for(args.rows * row_octets, kPackThreads * kAtOnce), kPackThreads, 0, args,
               Divisor(row_octets));
}

}  // namespace

void mixed_scale_rows(const Exec& exec, const MixedScaleRowsArgs& args) noexcept {
  launch(exec, "mixed_scale_rows", scale_rows, args);
}

void mixed_codes(const Exec& exec, const MixedCodesArgs& args) noexcept {
  launch(exec, "mixed_codes", widen_codes, args);
}

}  // namespace tern::cuda
