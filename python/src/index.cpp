// SPDX-License-Identifier: Apache-2.0
#include "index.h"

#include <fmt/format.h>

#include <vector>

#include "interop.h"
#include "nested.h"
#include "tern/error_kinds.h"
#include "tern/indexing.h"
#include "tern/ops.h"

namespace tern::python {
namespace {

std::optional<int64_t> bound_from(nb::handle bound) {
  if (bound.is_none()) return std::nullopt;
  const nb::object number = nb::steal(PyNumber_Index(bound.ptr()));
  if (!number.is_valid()) throw nb::python_error();
  // Beyond 64 bits is beyond any extent.
  return PyNumber_AsSsize_t(number.ptr(), nullptr);
}

Index index_from(nb::handle item, const Device& device) {
  if (item.is_none()) return kNewAxis;
  if (item.is(nb::ellipsis())) return kEllipsis;
  if (PyBool_Check(item.ptr())) return item.ptr() == Py_True;
  if (PySlice_Check(item.ptr()))
    return Slice{bound_from(item.attr("start")), bound_from(item.attr("stop")), bound_from(item.attr("step"))};
  if (nb::isinstance<Tensor>(item)) return nb::cast<Tensor>(item);
  if (PyLong_Check(item.ptr())) return nb::cast<int64_t>(item);
  if (nb::ndarray_check(item)) return tensor_over(item, device, std::nullopt);
  if (PyIndex_Check(item.ptr())) return nb::cast<int64_t>(nb::steal(PyNumber_Index(item.ptr())));
  if (!PyList_Check(item.ptr()))
    throw OutOfRange(fmt::format("[index] expected integers, slices, ..., None, arrays or masks, got {}",
                                 nb::repr(item.type()).c_str()));
  // An empty list names no elements.
  return nb::len(item) == 0 ? Tensor::empty({0}, DType::i64, device) : from_nested(item, std::nullopt, device);
}

std::vector<Index> indices_from(nb::handle key, const Device& device) {
  std::vector<Index> indices;
  if (!PyTuple_Check(key.ptr())) {
    indices.push_back(index_from(key, device));
  } else {
    for (nb::handle item : nb::borrow<nb::tuple>(key)) indices.push_back(index_from(item, device));
  }
  return indices;
}

}  // namespace

Tensor get_item(const Tensor& tensor, nb::handle key) {
  const std::vector<Index> indices = indices_from(key, tensor.device());
  return without_gil([&] { return index(tensor, indices); });
}

void set_item(const Tensor& tensor, nb::handle key, const Operand& value) {
  const std::vector<Index> indices = indices_from(key, tensor.device());
  without_gil([&] {
    if (value.tensor() != nullptr) {
      assign_index(tensor, indices, *value.tensor());
    } else {
      assign_index(tensor, indices, value.number());
    }
  });
}

}  // namespace tern::python
