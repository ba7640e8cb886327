// SPDX-License-Identifier: Apache-2.0
#include "axes.h"
#include "module.h"
#include "number.h"
#include "operand.h"
#include "tern/error_kinds.h"
#include "tern/ops.h"

namespace tern::python {
namespace {

Tensor zeros(const Shape& shape, std::optional<DType> dtype, const DeviceArgument& device) {
  return Tensor::zeros(shape, dtype.value_or(DType::f32), device.device);
}

Tensor full(const Shape& shape, const nb::object& value, std::optional<DType> dtype, const DeviceArgument& device) {
  const nb::object number = number_from(value);
  if (!number.is_valid()) throw WrongType(std::string("[full] expected a number, got ") + nb::repr(value).c_str());
  const Tensor one = full_of(number, dtype.value_or(default_dtype(kind_of(number))), device.device, "full");
  return without_gil([&] { return clone(expand(one, shape)); });
}

void bind_creation(nb::module_& m) {
  const auto keywords = [](const char* name, const char* more = "") {
    return "def " + std::string(name) + "(shape: int | tuple[int, ...]" + more +
           ", *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor";
  };
  m.def("zeros", &zeros, nb::arg("shape"), nb::kw_only(), nb::arg("dtype").none() = nb::none(),
        nb::arg("device").none() = nb::none(), nb::sig(keywords("zeros").c_str()),
        "Zeros; float32 unless dtype says otherwise.");
  m.def(
      "empty",
      [](const Shape& shape, std::optional<DType> dtype, const DeviceArgument& device) {
        return Tensor::empty(shape, dtype.value_or(DType::f32), device.device);
      },
      nb::arg("shape"), nb::kw_only(), nb::arg("dtype").none() = nb::none(), nb::arg("device").none() = nb::none(),
      nb::sig(keywords("empty").c_str()), "Elements of no particular value.");
  m.def(
      "ones",
      [](const Shape& shape, std::optional<DType> dtype, const DeviceArgument& device) {
        return full(shape, nb::int_(1), dtype.value_or(DType::f32), device);
      },
      nb::arg("shape"), nb::kw_only(), nb::arg("dtype").none() = nb::none(), nb::arg("device").none() = nb::none(),
      nb::sig(keywords("ones").c_str()), "Ones; float32 unless dtype says otherwise.");
  m.def("full", &full, nb::arg("shape"), nb::arg("fill_value"), nb::kw_only(), nb::arg("dtype").none() = nb::none(),
        nb::arg("device").none() = nb::none(), nb::sig(keywords("full", ", fill_value: complex").c_str()),
        "One number everywhere.");
}

}  // namespace

void bind_manipulation(nb::module_& m) {
  bind_creation(m);
  m.def(
      "reshape",
      [](const Tensor& x, const Shape& shape, std::optional<bool> copy) {
        const Tensor y = without_gil([&] { return reshape(x, shape); });
        if (copy && *copy && y.shares_storage_with(x)) return clone(y);
        if (copy && !*copy && !y.shares_storage_with(x))
          throw Error("[reshape] expected strides that allow a view where copy is False");
        return y;
      },
      nb::arg(), nb::arg("shape"), nb::kw_only(), nb::arg("copy").none() = nb::none(),
      nb::sig("def reshape(x: Tensor, /, shape: int | tuple[int, ...], *, copy: bool | None = None) -> Tensor"),
      "The elements in row-major order under a new shape, of which one extent may be -1; a view where strides allow.");
  m.def(
      "permute_dims", [](const Tensor& x, const Axes& axes) { return permute(x, axes.axes); }, nb::arg(),
      nb::arg("axes"), nb::sig("def permute_dims(x: Tensor, /, axes: tuple[int, ...]) -> Tensor"),
      "Axes in a new order, as a view.");
  m.def(
      "matrix_transpose", [](const Tensor& x) { return transpose(x); }, nb::arg(),
      nb::sig("def matrix_transpose(x: Tensor, /) -> Tensor"), "The last two axes swapped, as a view.");
  m.def(
      "broadcast_to", [](const Tensor& x, const Shape& shape) { return expand(x, shape); }, nb::arg(), nb::arg("shape"),
      nb::sig("def broadcast_to(x: Tensor, /, shape: tuple[int, ...]) -> Tensor"), "A view of a larger shape.");
  m.def(
      "expand_dims", [](const Tensor& x, int axis) { return unsqueeze(x, axis); }, nb::arg(), nb::kw_only(),
      nb::arg("axis") = 0, nb::sig("def expand_dims(x: Tensor, /, *, axis: int = 0) -> Tensor"), "A new axis of one.");
  m.def(
      "concat",
      [](const std::vector<Tensor>& parts, int axis) { return without_gil([&] { return concat(parts, axis); }); },
      nb::arg(), nb::kw_only(), nb::arg("axis") = 0,
      nb::sig("def concat(arrays: collections.abc.Sequence[Tensor], /, *, axis: int = 0) -> Tensor"),
      "Joined along an axis.");
  m.def(
      "astype",
      [](const Tensor& x, DType dtype, bool copy, const std::optional<DeviceArgument>& device) {
        return without_gil([&] {
          const Tensor there = device && !(device->device == x.device()) ? to_device(x, device->device) : x;
          return there.dtype() != dtype                 ? cast(there, dtype)
                 : copy && there.shares_storage_with(x) ? clone(there)
                                                        : there;
        });
      },
      nb::arg(), nb::arg(), nb::kw_only(), nb::arg("copy") = true, nb::arg("device").none() = nb::none(),
      nb::sig(
          "def astype(x: Tensor, dtype: DType, /, *, copy: bool = True, device: Device | str | None = None) -> Tensor"),
      "Converted to a dtype.");
  m.def(
      "matmul", [](const Tensor& x1, const Tensor& x2) { return without_gil([&] { return matmul(x1, x2); }); },
      nb::arg(), nb::arg(), nb::sig("def matmul(x1: Tensor, x2: Tensor, /) -> Tensor"),
      "The matrix product over the last two axes.");
}

}  // namespace tern::python
