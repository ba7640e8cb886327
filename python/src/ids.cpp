// SPDX-License-Identifier: Apache-2.0
#include "ids.h"

#include <fmt/format.h>

#include <limits>

#include "interop.h"
#include "nested.h"
#include "tern/error_kinds.h"
#include "tern/ops.h"

namespace tern::python {

Tensor ids_tensor(nb::handle source, const Device& device) {
  if (!nb::isinstance<Tensor>(source) && !nb::ndarray_check(source)) return from_nested(source, DType::i64, device);
  const Tensor ids =
      nb::isinstance<Tensor>(source) ? nb::cast<Tensor>(source) : tensor_over(source, device, std::nullopt);
  if (!is_integer(ids.dtype()))
    throw WrongType(fmt::format("[ids] expected an integer dtype, got {}", array_name(ids.dtype())));
  return cast(ids, DType::i64);
}

std::vector<int32_t> ids_vector(nb::handle source) {
  const Tensor ids = ids_tensor(source, default_device());
  if (ids.rank() != 1) throw Error(fmt::format("[ids] expected one sequence, got shape {}", to_string(ids.shape())));
  std::vector<int32_t> out;
  for (const int64_t id : ids.to_vector<int64_t>()) {
    if (id < std::numeric_limits<int32_t>::min() || id > std::numeric_limits<int32_t>::max())
      throw OutOfRange(fmt::format("[ids] expected token ids, got {}", id));
    out.push_back(static_cast<int32_t>(id));
  }
  return out;
}

}  // namespace tern::python
