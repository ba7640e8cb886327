// SPDX-License-Identifier: Apache-2.0
// What training does with weights: one AdamW step, in the order of operations of PyTorch's single-tensor
// implementation, and rounding to ternary codes; with packing in ternary_pack.cu.
#include <cmath>

#include "devices/cuda/packs.cuh"
#include "devices/cuda/piece_list.cuh"
#include "devices/cuda/pointwise.h"
#include "devices/cuda/ternary_code.cuh"

namespace tern::cuda {
namespace {

struct Coefficients {
  float grad_scale, keep, blend1, blend2, decay2, step, root2, eps;
};

Coefficients coefficients_of(const AdamwArgs& args) {
  const double bias1 = 1.0 - std::pow(args.beta1, static_cast<double>(args.step));
  const double bias2 = 1.0 - std::pow(args.beta2, static_cast<double>(args.step));
  return {.grad_scale = static_cast<float>(args.grad_scale),
          .keep = static_cast<float>(1.0 - args.lr * args.weight_decay),
          .blend1 = static_cast<float>(1.0 - args.beta1),
          .blend2 = static_cast<float>(1.0 - args.beta2),
          .decay2 = static_cast<float>(args.beta2),
          .step = static_cast<float>(-(args.lr / bias1)),
          .root2 = static_cast<float>(std::sqrt(bias2)),
          .eps = static_cast<float>(args.eps)};
}

// One element of p, m and v.
__device__ void step_element(const Coefficients& c, float grad, float& p, float& m, float& v) {
  const float g = grad * c.grad_scale;
  m = fmaf(c.blend1, g - m, m);
  v = v * c.decay2 + c.blend2 * g * g;
  p = p * c.keep + c.step * m / (sqrtf(v) / c.root2 + c.eps);
}

// Elements i … i + kWidth - 1.
template <int kWidth>
__device__ void step_pack(const AdamwTensor& tensor, const Coefficients& coefficients, int64_t i) {
  const auto grad = load_pack<kWidth>(tensor.grad + i);
  auto p = load_pack<kWidth>(tensor.p + i), m = load_pack<kWidth>(tensor.m + i), v = load_pack<kWidth>(tensor.v + i);
#pragma unroll
  for (int l = 0; l < kWidth; ++l) step_element(coefficients, grad.at[l], p.at[l], m.at[l], v.at[l]);
  store_pack(tensor.p + i, p);
  store_pack(tensor.m + i, m);
  store_pack(tensor.v + i, v);
}

// Elements [begin, end), by the block; in packs of kWidth where all begin at whole ones.
template <int kWidth>
__device__ void step_piece(const AdamwTensor& tensor, const Coefficients& coefficients, int64_t begin, int64_t end) {
  const int64_t packs_end = begin + (end - begin) / kWidth * kWidth;
  for (int64_t i = begin + threadIdx.x * kWidth; i < packs_end; i += kPackThreads * kWidth) {
    step_pack<kWidth>(tensor, coefficients, i);
  }
  for (int64_t i = packs_end + threadIdx.x; i < end; i += kPackThreads) step_pack<1>(tensor, coefficients, i);
}

constexpr int64_t kPiece = 4096;  // elements, whole packs

__device__ uintptr_t address(const float* p) { return reinterpret_cast<uintptr_t>(p); }

__global__ void __launch_bounds__(kPackThreads)
    step_all(const __grid_constant__ PieceList<AdamwTensor> list, Coefficients coefficients) {
  constexpr int kWidth = kPackWidth<float>;
  for (int64_t piece = blockIdx.x; piece < list.pieces(); piece += gridDim.x) {
    const int at = list.item_of(piece);
    const AdamwTensor tensor = list.item[at];
    const int64_t begin = (piece - list.begin[at]) * kPiece, end = std::min(tensor.count, begin + kPiece);
    const uintptr_t addresses = address(tensor.p) | address(tensor.m) | address(tensor.v) | address(tensor.grad);
    if (addresses % (kWidth * sizeof(float)) == 0) {
      step_piece<kWidth>(tensor, coefficients, begin, end);
    } else {
      step_piece<1>(tensor, coefficients, begin, end);
    }
  }
}

}  // namespace

void adamw(const Exec& exec, const AdamwArgs& args) noexcept {
  const Coefficients coefficients = coefficients_of(args);
  const auto tensor_of = [&](int64_t t) { return args.tensor[t]; };
  const auto pieces_of = [](const AdamwTensor& tensor) { return ceil_div(tensor.count, kPiece); };
  for_lists(args.tensors, tensor_of, pieces_of, [&](const PieceList<AdamwTensor>& list, int64_t) {
    if (list.pieces() == 0) return;
    step_all<<<blocks_for(list.pieces(), 1), kPackThreads, 0, stream_of(exec)>>>(list, coefficients);
    launched(exec, "adamw");
  });
}

void ternary_codes(const Exec& exec, const TernaryCodesArgs& args) noexcept {
  map_contiguous(exec, "ternary_codes", args.count, TernaryCode{args.inverse_scale}, args.codes, args.w);
}

}  // namespace tern::cuda
