// SPDX-License-Identifier: Apache-2.0
// Reductions of arrays along an axis: of integers, and of what is not 0. Both are exact in any order.
#include "devices/cuda/array_reduce.cuh"

#include "device/element_bytes.h"
#include "devices/cuda/array_entries.h"
#include "devices/cuda/array_reduce_parts.h"
#include "devices/cuda/folds.cuh"
#include "devices/cuda/truth_mask.cuh"

namespace tern::cuda {
namespace {

// Of sums and products modulo 2^64, whose lower part is the result of a narrower dtype.
template <class Fn>
struct IntegerResults {
  using Acc = uint64_t;
  void* y;
  DType dtype;
  bool is_signed;
  double divisor;

  static __device__ Acc start() { return Fn::template start<Acc>(); }
  static __device__ Acc join(Acc a, Acc b) { return Fn::of(a, b); }
  __device__ void put(int64_t i, Acc acc) const {
    if (dtype == DType::f64) {
      const double value = is_signed ? static_cast<double>(static_cast<int64_t>(acc)) : static_cast<double>(acc);
      static_cast<double*>(y)[i] = value / divisor;
    } else if (size_of(dtype) == 8) {
      static_cast<uint64_t*>(y)[i] = acc;
    } else {
      static_cast<uint32_t*>(y)[i] = static_cast<uint32_t>(acc);
    }
  }
};

template <class Fn, class T>
struct FoldIntegers : IntegerResults<Fn> {
  using In = T;
  using Results = IntegerResults<Fn>;
  static constexpr int kLanes = kWarp;

  __device__ uint64_t of(T x, int64_t, int64_t) const { return static_cast<uint64_t>(static_cast<int64_t>(x)); }
};

template <class Fn, class T>
void fold_integers(const Exec& exec, const ArrayReduceArgs& args) {
  const bool is_signed = is_signed_integer(args.dtype);
  reduce_as(exec, args, FoldIntegers<Fn, T>{{args.y, args.result, is_signed, args.divisor}});
}

template <class Fn>
void fold_integers(const Exec& exec, const ArrayReduceArgs& args) {
  switch (args.dtype) {
    case DType::i8:
      return fold_integers<Fn, int8_t>(exec, args);
    case DType::i16:
      return fold_integers<Fn, int16_t>(exec, args);
    case DType::u16:
      return fold_integers<Fn, uint16_t>(exec, args);
    case DType::i32:
      return fold_integers<Fn, int32_t>(exec, args);
    case DType::u32:
      return fold_integers<Fn, uint32_t>(exec, args);
    case DType::i64:
    case DType::u64:
      return fold_integers<Fn, uint64_t>(exec, args);
    default:  // bool, too
      return fold_integers<Fn, uint8_t>(exec, args);
  }
}

// How many are not 0, which says whether any or all are.
struct TruthResults {
  using Acc = uint64_t;
  void* y;
  ArrayReduceOp op;
  uint64_t extent;

  static __device__ Acc start() { return 0; }
  static __device__ Acc join(Acc a, Acc b) { return a + b; }
  __device__ void put(int64_t i, Acc count) const {
    if (op == ArrayReduceOp::count_nonzero) {
      static_cast<uint64_t*>(y)[i] = count;
    } else {
      static_cast<uint8_t*>(y)[i] = op == ArrayReduceOp::any ? count > 0 : count == extent;
    }
  }
};

template <class Bits>
struct CountTruths : TruthResults {
  using In = Bits;
  using Results = TruthResults;
  static constexpr int kLanes = kWarp;
  TruthMask mask;

  __device__ uint64_t of(Bits x, int64_t, int64_t) const { return mask.is_true(x) ? 1 : 0; }
};

}  // namespace

void reduce_integers(const Exec& exec, const ArrayReduceArgs& args) {
  args.op == ArrayReduceOp::sum ? fold_integers<Plus>(exec, args) : fold_integers<Times>(exec, args);
}

void reduce_truths(const Exec& exec, const ArrayReduceArgs& args) {
  with_bytes(size_of(args.dtype), [&](auto bits) {
    const TruthResults results = {args.y, args.op, static_cast<uint64_t>(args.extent)};
    reduce_as(exec, args, CountTruths<decltype(bits)>{results, TruthMask(args.dtype)});
  });
}

void array_reduce(const Exec& exec, const ArrayReduceArgs& args) noexcept {
  switch (args.op) {
    case ArrayReduceOp::sum:
    case ArrayReduceOp::prod:
    case ArrayReduceOp::sum_squares:
      return is_float(args.dtype) || is_complex(args.dtype) ? reduce_floats(exec, args) : reduce_integers(exec, args);
    case ArrayReduceOp::max:
    case ArrayReduceOp::min:
    case ArrayReduceOp::argmax:
    case ArrayReduceOp::argmin:
      return reduce_extremes(exec, args);
    case ArrayReduceOp::any:
    case ArrayReduceOp::all:
    case ArrayReduceOp::count_nonzero:
      return reduce_truths(exec, args);
  }
}

}  // namespace tern::cuda
