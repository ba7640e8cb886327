// SPDX-License-Identifier: Apache-2.0
#include "ops/checks.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/check_kind.h"
#include "core/unravel.h"
#include "device/backend.h"
#include "tern/device.h"

namespace tern {
namespace {

template <class T>
void check_values(const char* op, const char* name, std::span<const T> values, const Shape& shape, int64_t end,
                  std::optional<int64_t> extra) {
  // Without a branch for each: a step of training waits for this.
  bool all_good = true;
  const auto known = static_cast<uint64_t>(std::max<int64_t>(end, 0));
  const auto other = extra ? static_cast<uint64_t>(*extra) : uint64_t{0};
  const auto good = [&](T value) {
    const auto bits = static_cast<uint64_t>(int64_t{value});  // of a value below 0 they are beyond any end
    return bits < known || (extra && bits == other);
  };
  for (const T value : values) all_good &= good(value);
  if (all_good) return;
  const auto bad = std::find_if_not(values.begin(), values.end(), good);
  fail_as<OutOfRange>(op, "expected {} in [0, {}){}, got {} at {}", name, end,
                      extra ? fmt::format(" or {}", *extra) : "", *bad,
                      to_string(unravel(bad - values.begin(), shape)));
}

void check_one_dtype(const char* op, std::initializer_list<Input> inputs) {
  const DType dtype = inputs.begin()->tensor.dtype();
  for (const Input& input : inputs) {
    check_as<WrongType>(input.tensor.dtype() == dtype, op, "expected {} of the same dtype as {}, {}, got {}",
                        input.name, inputs.begin()->name, name_of(dtype), name_of(input.tensor.dtype()));
  }
}

}  // namespace

void check_inputs(const char* op, std::initializer_list<Input> inputs) {
  const Input* const first = inputs.begin();
  for (const Input& input : inputs) {
    check(input.tensor.defined(), op, "expected {} to be defined, got an undefined tensor", input.name);
    check(&input == first || input.tensor.device() == first->tensor.device(), op,
          "expected {} on the device of {}, got another", input.name, first->name);
  }
}

void check_inputs(const char* op, DType dtype, std::initializer_list<Input> inputs) {
  check_inputs(op, inputs);
  for (const Input& input : inputs) {
    check_as<WrongType>(input.tensor.dtype() == dtype, op, "expected {} of dtype {}, got {}", input.name,
                        name_of(dtype), name_of(input.tensor.dtype()));
  }
}

void check_arithmetic(const char* op, std::initializer_list<Input> inputs) {
  check_inputs(op, inputs);
  check_one_dtype(op, inputs);
  const DType dtype = inputs.begin()->tensor.dtype();
  check_as<WrongType>(is_arithmetic(dtype), op, "expected {} of a float dtype, i32 or i64, got {}",
                      inputs.begin()->name, name_of(dtype));
}

void check_floats(const char* op, std::initializer_list<Input> inputs) {
  check_inputs(op, inputs);
  check_one_dtype(op, inputs);
  check_as<WrongType>(has_gradient(inputs.begin()->tensor.dtype()), op, "expected {} of a float dtype, got {}",
                      inputs.begin()->name, name_of(inputs.begin()->tensor.dtype()));
}

void check_arrays(const char* op, const Tensor& on, std::initializer_list<DType> dtypes) {
  if (on.device().backend().kernels().array) return;
  const auto* other = std::find_if_not(dtypes.begin(), dtypes.end(), is_model_dtype);
  fail(op, "expected what {} has kernels for, got dtype {}", on.device().backend().kernels().name,
       name_of(other == dtypes.end() ? *dtypes.begin() : *other));
}

void check_own_elements(const char* op, const Input& input) {
  const Tensor& x = input.tensor;
  for (int axis = 0; axis < x.rank(); ++axis) {
    check(x.strides()[axis] != 0 || x.shape()[axis] <= 1 || x.numel() == 0, op,
          "expected {} with elements of its own, got one that axis {} repeats", input.name, axis);
  }
}

void check_shape(const char* op, const Input& input, const Shape& expected) {
  check(input.tensor.shape() == expected, op, "expected {} of shape {}, got {}", input.name, expected,
        input.tensor.shape());
}

void check_rank(const char* op, const Input& input, int rank) {
  check(input.tensor.rank() == rank, op, "expected {} with {} axes, got shape {}", input.name, rank,
        input.tensor.shape());
}

void check_rank_at_least(const char* op, const Input& input, int rank) {
  check(input.tensor.rank() >= rank, op, "expected {} with at least {} axes, got shape {}", input.name, rank,
        input.tensor.shape());
}

void check_index_values(const char* op, const char* name, std::span<const int64_t> values, const Shape& shape,
                        int64_t end, std::optional<int64_t> extra) {
  check_values(op, name, values, shape, end, extra);
}

void check_indices(const char* op, const Input& input, int64_t end, std::optional<int64_t> extra) {
  const Tensor& x = input.tensor;
  if (x.dtype() == DType::i32) {
    check_values<int32_t>(op, input.name, x.to_vector<int32_t>(), x.shape(), end, extra);
  } else {
    check_values<int64_t>(op, input.name, x.to_vector<int64_t>(), x.shape(), end, extra);
  }
}

}  // namespace tern
