// SPDX-License-Identifier: Apache-2.0
// Rows of bf16 times a factor each, and int8 codes as bf16.
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/mixed_entries.h"
#include "devices/cuda/row_groups.cuh"

namespace tern::cuda {
namespace {

constexpr int kAtOnce = 4;  // octets of a thread, which are under way together

// How a thread goes from an octet of a matrix to the one that is kPackThreads behind it without a division.
struct Steps {
  Divisor row_octets;
  int64_t rows, octets;

  explicit Steps(int64_t of_row) : row_octets(of_row), rows(kPackThreads / of_row), octets(kPackThreads % of_row) {}
};

struct Place {
  int64_t row, octet;

  __device__ Place(const Steps& steps, int64_t at)
      : row(steps.row_octets.quotient(at)), octet(at - row * steps.row_octets.divisor()) {}

  __device__ void advance(const Steps& steps) {
    row += steps.rows;
    octet += steps.octets;
    if (octet >= steps.row_octets.divisor()) {
      octet -= steps.row_octets.divisor();
      ++row;
    }
  }
};

// Calls load(k, place) for the thread's octets of `rows` rows, k < kAtOnce, then store(k, place) for the same.
template <class Load, class Store>
__device__ void for_octets_at_once(const Steps& steps, int64_t rows, const Load& load, const Store& store) {
  const int64_t octets = rows * steps.row_octets.divisor(), each = int64_t{kPackThreads} * kAtOnce;
  for (int64_t first = blockIdx.x * each + threadIdx.x; first < octets; first += gridDim.x * each) {
    const Place begin(steps, first);
    const auto for_all = [&](const auto& what) {
      Place place = begin;
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k) {
        if (place.row < rows) what(k, place);
        place.advance(steps);
      }
    };
    for_all(load);
    for_all(store);
  }
}

__global__ void __launch_bounds__(kPackThreads)
    scale_rows(const __grid_constant__ MixedScaleRowsArgs args, const __grid_constant__ Steps steps) {
  let_next_start();
  wait_for_inputs();
  const auto at = [&](const Place& place) { return place.row * args.cols + kOctet * place.octet; };
  uint4 x[kAtOnce];
  float scale[kAtOnce];
  for_octets_at_once(
      steps, args.rows,
      [&](int k, const Place& place) {
        x[k] = *reinterpret_cast<const uint4*>(args.x + at(place));
        scale[k] = args.by.q_scale[place.row];
      },
      [&](int k, const Place& place) {
        const float by = args.by.factor / scale[k];
        const Octet y = map_pack<kOctet>([by](float v) { return v * by; }, octet_of(x[k]));
        *reinterpret_cast<uint4*>(args.y + at(place)) = halves_of(y);
      });
}

__global__ void __launch_bounds__(kPackThreads)
    widen_codes(const __grid_constant__ MixedCodesArgs args, const __grid_constant__ Steps steps) {
  let_next_start();
  wait_for_inputs();
  Pack<int8_t, kOctet> x[kAtOnce];
  for_octets_at_once(
      steps, args.rows,
      [&](int k, const Place& place) {
        x[k] = load_pack<kOctet>(args.x + place.row * args.x_stride + kOctet * place.octet);
      },
      [&](int k, const Place& place) {
        const Octet y = map_pack<kOctet>([](int8_t code) { return static_cast<float>(code); }, x[k]);
        *reinterpret_cast<uint4*>(args.y + place.row * args.cols + kOctet * place.octet) = halves_of(y);
      });
}

template <class Args>
void launch(const Exec& exec, const char* name, void (*kernel)(Args, Steps), const Args& args) {
  if (args.rows == 0 || args.cols == 0) return;
  const int64_t row_octets = args.cols / kOctet;
  launch_early(exec, name, kernel, blocks_for(args.rows * row_octets, int64_t{kPackThreads} * kAtOnce), kPackThreads, 0,
               args, Steps(row_octets));
}

}  // namespace

void mixed_scale_rows(const Exec& exec, const MixedScaleRowsArgs& args) noexcept {
  launch(exec, "mixed_scale_rows", scale_rows, args);
}

void mixed_codes(const Exec& exec, const MixedCodesArgs& args) noexcept {
  launch(exec, "mixed_codes", widen_codes, args);
}

}  // namespace tern::cuda
