// SPDX-License-Identifier: Apache-2.0
// Normalization of rows of bf16, and their quantization.
#include "devices/cuda/mixed_entries.h"
#include "devices/cuda/row_groups.cuh"
#include "devices/cuda/row_quantize.cuh"

namespace tern::cuda {
namespace {

constexpr const char* kName = "mixed_norm_quantize";

// Some may be NaN where kCareful.
template <bool kCareful>
__device__ uint2 octet_codes(const Octet& x) {
  const float4 low = {x.at[0], x.at[1], x.at[2], x.at[3]}, high = {x.at[4], x.at[5], x.at[6], x.at[7]};
  if constexpr (kCareful) return {pack_codes(low), pack_codes(high)};
  return {pack_finite_codes(low), pack_finite_codes(high)};
}

// The greatest magnitude. Where kCareful, NaNs are passed over, else it is NaN then.
template <bool kCareful>
__device__ float greatest_of(float greatest, const Octet& x) {
#pragma unroll
  for (const float v : x.at) greatest = kCareful ? fmaxf(greatest, fabsf(v)) : greatest_or_nan(greatest, v);
  return greatest;
}

// Blocks of a multiprocessor: as many as the registers for a row allow.
template <int kHeld>
constexpr int kNormBlocks = kHeld > 0 && kHeld <= 3 ? 4 : 2;

template <int kThreads, int kHeld, bool kGated>
__global__ void __launch_bounds__(kGroupBlock, kNormBlocks<kHeld>)
    normalize_quantize(const __grid_constant__ MixedNormQuantizeArgs args, int stages) {
  extern __shared__ uint4 shared[];
  __shared__ typename RowGroup<kThreads>::Slots slots;
  RowGroup<kThreads> group(slots);
  const int octets = static_cast<int>(args.cols / kOctet), stride_octets = static_cast<int>(args.q_stride / kOctet);
  let_next_start();
  wait_for_inputs();
  using Weights = ColumnWeights<kThreads, kHeld>;
  constexpr int kMatrices = kGated ? 2 : 1;
  RowMatrix matrices[kMatrices] = {{args.x, args.cols}};
  if constexpr (kGated) matrices[1] = {args.gate, args.cols};
  RowReader<kThreads, kHeld, kMatrices> reader(matrices, args.rows, octets, stages, shared + Weights::kPlaces);
  const Weights weights(args.weight, octets, reinterpret_cast<float4*>(shared));
  const InverseRms inverse_rms = InverseRms::ready(args.cols, args.eps);
  __syncthreads();

  for (int64_t row = group.first_row(); group.is_left(row, args.rows); row += group.step()) {
    reader.next();
    const auto read = [&](int i, int at) {
      const Octet x = reader.octet(0, i, at);
      if constexpr (kGated) return gated(x, reader.octet(kMatrices - 1, i, at));
      return x;
    };
    Octet kept[kHeld > 0 ? kHeld : 1];
    Octet squares = {};
    for_octets<kHeld>(group, octets, [&](int i, int at) {
      kept[i] = read(i, at);
      squares = add_products(squares, kept[i], kept[i]);
    });
    const float inv = inverse_rms(group.sum(sum_of(squares)));
    const auto normalized = [&](const Octet& h, int at) {
      return map_pack<kOctet>([inv](float v, float w) { return v * inv * w; }, h, weights.octet(at));
    };
    const auto value = [&](int i, int at) {
      if constexpr (kHeld > 0) return kept[i];
      return normalized(read(i, at), at);
    };
    if constexpr (kHeld > 0) {
      for_octets<kHeld>(group, octets, [&](int i, int at) { kept[i] = normalized(kept[i], at); });
    }
    const bool is_row = row < args.rows;
    uint2* const q = reinterpret_cast<uint2*>(args.q + row * args.q_stride);
    float greatest = 0.0f, scale = 0.0f;
    int sum = 0;
    const auto measure = [&](auto careful) {
      greatest = 0.0f;
      for_octets<kHeld>(group, octets,
                        [&](int i, int at) { greatest = greatest_of<careful()>(greatest, value(i, at)); });
      greatest = group.max(greatest);
    };
    const auto quantize = [&](auto careful) {
      scale = code_scale(greatest);
      for_octets<kHeld>(group, octets, [&](int i, int at) {
        const auto scaled = map_pack<kOctet>([scale](float v) { return v * scale; }, value(i, at));
        const uint2 codes = octet_codes<careful()>(scaled);
        sum = __dp4a(static_cast<int>(codes.x), 0x01010101, __dp4a(static_cast<int>(codes.y), 0x01010101, sum));
        if (is_row && at < octets) q[at] = codes;
      });
    };
    // Rows with numbers that are not finite are rare, and a warp takes the way for those as one.
    measure(std::false_type());
    if (__any_sync(kAllLanes, !isfinite(greatest))) {
      measure(std::true_type());
      quantize(std::true_type());
    } else {
      quantize(std::false_type());
    }
    sum = group.sum(sum);
    if (!is_row) continue;
#pragma unroll 1
    for (int at = octets + group.thread(); at < stride_octets; at += kThreads) q[at] = {};
    if (group.thread() == 0) {
      args.scale[row] = scale;
      args.sums[row] = sum;
      args.inv_rms[row] = inv;
    }
  }
}

template <int kThreads, int kHeld>
__global__ void __launch_bounds__(kGroupBlock, 2) normalize(const __grid_constant__ MixedNormArgs args, int stages) {
  extern __shared__ uint4 shared[];
  __shared__ typename RowGroup<kThreads>::Slots slots;
  RowGroup<kThreads> group(slots);
  const int octets = static_cast<int>(args.cols / kOctet);
  let_next_start();
  wait_for_inputs();
  using Weights = ColumnWeights<kThreads, kHeld>;
  const RowMatrix matrices[] = {{args.x, args.cols}};
  RowReader<kThreads, kHeld, 1> reader(matrices, args.rows, octets, stages, shared + Weights::kPlaces);
  const Weights weights(args.weight, octets, reinterpret_cast<float4*>(shared));
  const InverseRms inverse_rms = InverseRms::ready(args.cols, args.eps);
  __syncthreads();

  for (int64_t row = group.first_row(); group.is_left(row, args.rows); row += group.step()) {
    reader.next();
    Octet squares = {};
    for_octets<kHeld>(group, octets, [&](int i, int at) {
      const Octet x = reader.octet(0, i, at);
      squares = add_products(squares, x, x);
    });
    const float inv = inverse_rms(group.sum(sum_of(squares)));
    if (row >= args.rows) continue;
    for_octets<kHeld>(group, octets, [&](int i, int at) {
      if (at >= octets) return;
      const auto normalized = [inv](float v, float w) { return v * inv * w; };
      put_halves(args.y + row * args.cols, at, map_pack<kOctet>(normalized, reader.octet(0, i, at), weights.octet(at)));
    });
    if (group.thread() == 0) args.inv_rms[row] = inv;
  }
}

template <bool kGated>
void launch(const Exec& exec, const MixedNormQuantizeArgs& args) {
  constexpr int kMatrices = kGated ? 2 : 1;
  const RowShare share = row_share(exec, args.cols, kMatrices);
  const auto bytes = static_cast<size_t>(shared_bytes(share, kMatrices));
  with_share(share, [&](auto threads, auto held) {
    const auto kernel = normalize_quantize<threads(), held(), kGated>;
    const unsigned blocks = resident_blocks(exec, kName, kernel, share, args.rows, bytes);
    launch_early(exec, kName, kernel, blocks, kGroupBlock, bytes, args, share.stages);
  });
}

}  // namespace

void mixed_norm_quantize(const Exec& exec, const MixedNormQuantizeArgs& args) noexcept {
  if (args.rows == 0) return;
  if (args.gate) return launch<true>(exec, args);
  launch<false>(exec, args);
}

void mixed_norm(const Exec& exec, const MixedNormArgs& args) noexcept {
  if (args.rows == 0) return;
  const RowShare share = row_share(exec, args.cols, 1);
  const auto bytes = static_cast<size_t>(shared_bytes(share, 1));
  with_share(share, [&](auto threads, auto held) {
    const auto kernel = normalize<threads(), held()>;
    const unsigned blocks = resident_blocks(exec, "mixed_norm", kernel, share, args.rows, bytes);
    launch_early(exec, "mixed_norm", kernel, blocks, kGroupBlock, bytes, args, share.stages);
  });
}

}  // namespace tern::cuda
