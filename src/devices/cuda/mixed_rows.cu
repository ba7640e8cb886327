// SPDX-License-Identifier: Apache-2.0
// Rows of a table in bf16, numbers times one that is on the device, and int8 codes as bf16.
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/mixed_entries.h"
#include "devices/cuda/mixed_ratio.cuh"
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
    gather_rows(const __grid_constant__ MixedGatherArgs args, const __grid_constant__ Steps steps) {
  let_next_start();
  wait_for_inputs();
  Octet x[kAtOnce];
  for_octets_at_once(
      steps, args.count,
      [&](int k, const Place& place) {
        x[k] = load_pack<kOctet>(args.table + args.ids[place.row] * args.cols + kOctet * place.octet);
      },
      [&](int k, const Place& place) {
        *reinterpret_cast<uint4*>(args.y + place.row * args.cols + kOctet * place.octet) = halves_of(x[k]);
      });
}

// Of packs of 16 bytes.
template <class T>
__global__ void __launch_bounds__(kPackThreads) scale_all(const __grid_constant__ MixedScaleArgs args) {
  let_next_start();
  wait_for_inputs();
  const float factor = number_of(args.factor);
  if (factor == 1.0f) return;
  constexpr int kWidth = kPackWidth<T>;
  for (int64_t i = thread_of_grid() * kWidth; i < args.count; i += threads_of_grid() * kWidth) {
    T* const at = static_cast<T*>(args.y) + i;
    const auto scaled = [factor](T x) { return element_of<T>(number_of(x) * factor); };
    store_pack(at, map_pack<kWidth>(scaled, load_pack<kWidth>(at)));
  }
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

}  // namespace

void mixed_gather_rows(const Exec& exec, const MixedGatherArgs& args) noexcept {
  if (args.count == 0 || args.cols == 0) return;
  const int64_t row_octets = args.cols / kOctet;
  launch_early(exec, "mixed_gather_rows", gather_rows,
               blocks_for(args.count * row_octets, int64_t{kPackThreads} * kAtOnce), kPackThreads, 0, args,
               Steps(row_octets));
}

void mixed_scale(const Exec& exec, const MixedScaleArgs& args) noexcept {
  if (args.count == 0) return;
  constexpr const char* kScale = "mixed_scale";
  const auto scale = [&](auto kernel, int width) {
    // No more than run at one time: mostly they have nothing to do.
    const unsigned blocks =
        resident_blocks(exec, kScale, kernel, kPackThreads, 0, ceil_div(args.count, int64_t{kPackThreads} * width));
    launch_early(exec, kScale, kernel, blocks, kPackThreads, 0, args);
  };
  if (args.dtype == DType::bf16) return scale(scale_all<bf16>, kPackWidth<bf16>);
  scale(scale_all<float>, kPackWidth<float>);
}

void mixed_codes(const Exec& exec, const MixedCodesArgs& args) noexcept {
  if (args.rows == 0 || args.cols == 0) return;
  const int64_t row_octets = args.cols / kOctet;
  launch_early(exec, "mixed_codes", widen_codes, blocks_for(args.rows * row_octets, int64_t{kPackThreads} * kAtOnce),
               kPackThreads, 0, args, Steps(row_octets));
}

}  // namespace tern::cuda
