// SPDX-License-Identifier: Apache-2.0
// Checks that several ops share; each throws Error in the name of the op and names the input at fault.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>

#include "base/check.h"
#include "core/format_shape.h"
#include "tern/ops.h"
#include "tern/tensor.h"

namespace tern {

// An input of an op, and what messages call it.
struct Input {
  const char* name;
  const Tensor& tensor;
};

// All are defined and on one device.
void check_inputs(const char* op, std::initializer_list<Input> inputs);
// The same, and all have this dtype.
void check_inputs(const char* op, DType dtype, std::initializer_list<Input> inputs);
// The same, and all have one dtype that arithmetic knows: a float, i32 or i64 / a float.
void check_arithmetic(const char* op, std::initializer_list<Input> inputs);
void check_floats(const char* op, std::initializer_list<Input> inputs);

// The device of `on` has kernels for arrays of any dtype; names the first of `dtypes` that models do not have, or the
// first.
void check_arrays(const char* op, const Tensor& on, std::initializer_list<DType> dtypes);

// No axis repeats elements, so that they can be written.
void check_own_elements(const char* op, const Input& input);

void check_shape(const char* op, const Input& input, const Shape& expected);
void check_rank(const char* op, const Input& input, int rank);
void check_rank_at_least(const char* op, const Input& input, int rank);

// Every one of the elements of `shape`, called `name`, is in [0, end), or equals `extra`. Names the first that is not,
// and where it is.
void check_index_values(const char* op, const char* name, std::span<const int64_t> values, const Shape& shape,
                        int64_t end, std::optional<int64_t> extra = std::nullopt);
// The same for an i32 or i64 tensor, which is read on the host: it waits for an asynchronous device.
void check_indices(const char* op, const Input& input, int64_t end, std::optional<int64_t> extra = std::nullopt);

// Those that models compute with: the floats with gradients, i32 and i64.
inline bool is_arithmetic(DType dtype) { return has_gradient(dtype) || dtype == DType::i32 || dtype == DType::i64; }

inline bool is_half(DType dtype) { return dtype == DType::bf16 || dtype == DType::f16; }

// f of the inputs in f32, rounded once to the first one's dtype: how ops meet bf16 and f16.
template <class F, class... Rest>
Tensor through_f32(F&& f, const Tensor& first, const Rest&... rest) {
  return cast(f(cast(first, DType::f32), cast(rest, DType::f32)...), first.dtype());
}

}  // namespace tern
