// SPDX-License-Identifier: Apache-2.0
// tern.Tensor: what it is, its numbers and its gradient. Its operators are in bind_elementwise.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "index.h"
#include "memory_fields.h"
#include "module.h"
#include "nested.h"
#include "number.h"
#include "operand.h"
#include "tern/autograd.h"
#include "tern/error_kinds.h"
#include "tern/ops.h"
#include "tern/print.h"

namespace tern::python {
namespace {

// The number of a tensor without axes, of a kind up to `highest`.
nb::object number_of(const Tensor& tensor, const char* op, Scalar::Kind highest) {
  if (tensor.rank() != 0)
    throw WrongType(fmt::format("[{}] expected a tensor without axes, got shape {}", op, to_string(tensor.shape())));
  nb::object number = item(tensor);
  if (scalar_of(number, op).kind() > highest)
    throw WrongType(fmt::format("[{}] expected another dtype, got {}", op, array_name(tensor.dtype())));
  return number;
}

int64_t length_of(const Tensor& tensor) {
  if (tensor.rank() == 0) throw WrongType("[len] expected a tensor with axes, got one without");
  return tensor.size(0);
}

// Rows of the first axis, one by one.
struct Rows {
  Tensor tensor;
  int64_t next = 0;
};

Tensor transposed(const Tensor& x, const char* op, bool matrices) {
  if (matrices ? x.rank() < 2 : x.rank() != 2)
    throw Error(fmt::format("[{}] expected {} axes, got shape {}", op, matrices ? "at least two" : "two",
                            to_string(x.shape())));
  return transpose(x);
}

nb::object namespace_of(nb::handle version) {
  if (!version.is_none()) {
    const auto name = nb::cast<std::string>(version);
    constexpr std::string_view known[] = {"2021.12", "2022.12", "2023.12", "2024.12"};
    if (std::ranges::find(known, name) == std::end(known))
      throw Error("[__array_namespace__] expected a version of the standard up to 2024.12, got " + name);
  }
  return nb::module_::import_("tern");
}

Tensor astype(const Tensor& x, DType dtype, bool copy) {
  return without_gil({&x}, [&] { return x.dtype() != dtype ? cast(x, dtype) : copy ? clone(x) : x; });
}

nb::dict report_of(const Tensor& x) {
  const TensorMemory memory = memory_report(x);
  nb::dict out;
  out["dtype"] = memory.dtype;
  out["shape"] = memory.shape;
  out["strides"] = memory.strides;
  out["contiguous"] = memory.contiguous;
  put_memory_fields(out, memory);
  return out;
}

void bind_description(TensorClass& tensor) {
  tensor.def_prop_ro("dtype", &Tensor::dtype)
      .def_prop_ro("device", [](const Tensor& self) { return self.device(); })
      .def_prop_ro("shape", [](const Tensor& self) { return self.shape(); })
      .def_prop_ro(
          "strides", [](const Tensor& self) { return self.strides(); }, "In elements; 0 of an axis that was broadcast.")
      .def_prop_ro("ndim", &Tensor::rank)
      .def_prop_ro("size", &Tensor::numel)
      .def_prop_ro("itemsize", [](const Tensor& self) { return size_of(self.dtype()); })
      .def_prop_ro("nbytes",
                   [](const Tensor& self) { return static_cast<size_t>(self.numel()) * size_of(self.dtype()); })
      .def_prop_ro(
          "T", [](const Tensor& self) { return transposed(self, "T", false); }, "A matrix transposed, as a view.")
      .def_prop_ro(
          "mT", [](const Tensor& self) { return transposed(self, "mT", true); },
          "The last two axes swapped, as a view.")
      .def("is_contiguous", &Tensor::is_contiguous)
      .def("shares_storage_with", &Tensor::shares_storage_with, nb::arg())
      .def("memory_report", &report_of, nb::sig("def memory_report(self) -> dict[str, typing.Any]"),
           "Where the elements lie, how many bytes they have, and how many tensors share the block.")
      .def_prop_ro(
          "data_ptr", [](const Tensor& self) { return reinterpret_cast<uintptr_t>(self.raw()); },
          "The address of the first element.");
}

void bind_numbers(TensorClass& tensor) {
  tensor.def("item", &item, "The only element, as Python's number.")
      .def("tolist", &to_nested, nb::sig("def tolist(self) -> typing.Any"), "Nested lists of numbers.")
      .def("__bool__",
           [](const Tensor& self) { return nb::cast<bool>(nb::bool_(number_of(self, "bool", Scalar::Kind::complex))); })
      .def(
          "__int__",
          [](const Tensor& self) { return nb::steal(PyNumber_Long(number_of(self, "int", Scalar::Kind::real).ptr())); },
          nb::sig("def __int__(self) -> int"))
      .def(
          "__float__",
          [](const Tensor& self) {
            return nb::steal(PyNumber_Float(number_of(self, "float", Scalar::Kind::real).ptr()));
          },
          nb::sig("def __float__(self) -> float"))
      .def(
          "__complex__",
          [](const Tensor& self) {
            const Py_complex value = PyComplex_AsCComplex(number_of(self, "complex", Scalar::Kind::complex).ptr());
            return nb::steal(PyComplex_FromCComplex(value));
          },
          nb::sig("def __complex__(self) -> complex"))
      .def(
          "__index__",
          [](const Tensor& self) -> nb::object {
            nb::object number = number_of(self, "index", Scalar::Kind::integer);
            if (PyBool_Check(number.ptr())) throw WrongType("[index] expected an integer dtype, got bool");
            return number;
          },
          nb::sig("def __index__(self) -> int"))
      .def("__len__", &length_of)
      .def("__getitem__", &get_item, nb::arg().none(), nb::sig("def __getitem__(self, key: typing.Any, /) -> Tensor"))
      .def("__setitem__", &set_item, nb::arg().none(), nb::arg(),
           nb::sig("def __setitem__(self, key: typing.Any, value: Tensor | complex, /) -> None"))
      .def(
          "__iter__",
          [](const Tensor& self) {
            length_of(self);
            return Rows{self};
          },
          nb::sig("def __iter__(self) -> collections.abc.Iterator[Tensor]"))
      .def("astype", &astype, nb::arg(), nb::kw_only(), nb::arg("copy") = true,
           nb::sig("def astype(self, dtype: DType, /, *, copy: bool = True) -> Tensor"))
      .def("__copy__", [](const Tensor& self) { return without_gil([&] { return clone(self); }); })
      .def("__deepcopy__", [](const Tensor& self, nb::handle) { return without_gil([&] { return clone(self); }); })
      .def(
          "to_device",
          [](const Tensor& self, const DeviceArgument& device, nb::handle) {
            return self.device() == device.device ? self : without_gil([&] { return to_device(self, device.device); });
          },
          nb::arg(), nb::kw_only(), nb::arg("stream").none() = nb::none(),
          nb::sig("def to_device(self, device: Device | str, /, *, stream: object = None) -> Tensor"));
}

void bind_gradient(TensorClass& tensor) {
  tensor.def_prop_rw("requires_grad", &Tensor::requires_grad, [](Tensor& self, bool on) { self.set_requires_grad(on); })
      .def_prop_rw(
          "grad",
          [](const Tensor& self) -> std::optional<Tensor> {
            const Tensor grad = self.grad();
            return grad.defined() ? std::optional(grad) : std::nullopt;
          },
          [](Tensor& self, std::optional<Tensor> grad) { self.set_grad(grad.value_or(Tensor())); },
          nb::arg("grad").none(), "The gradient that backward() added up, float32; None before.")
      .def("detach", &Tensor::detach, "The same elements, cut off from the graph.")
      .def(
          "backward",
          [](const Tensor& self, const std::optional<Tensor>& grad) { backward(self, grad.value_or(Tensor())); },
          nb::arg("grad").none() = nb::none(), nb::call_guard<nb::gil_scoped_release>(),
          "Adds the gradient of this tensor, weighted by grad (1 for one element), to .grad of every leaf that "
          "requires one.");
}

}  // namespace

TensorClass bind_tensor(nb::module_& m) {
  nb::class_<Rows>(m, "_Rows")
      .def(
          "__iter__", [](nb::handle self) { return nb::borrow(self); },
          nb::sig("def __iter__(self) -> collections.abc.Iterator[Tensor]"))
      .def("__next__", [](Rows& self) {
        if (self.next == self.tensor.size(0)) throw nb::stop_iteration();
        return select(self.tensor, 0, self.next++);
      });
  TensorClass tensor(
      m, "Tensor", nb::dynamic_attr(), nb::is_weak_referenceable(), nb::pooled(),
      "A strided view of numbers of one dtype on a device. Made by asarray, zeros, ... and by operations.");
  tensor.attr("__array_priority__") = 1000;  // NumPy's operators leave the work to ours
  bind_description(tensor);
  bind_numbers(tensor);
  bind_gradient(tensor);
  tensor
      .def(
          "__repr__", [](nb::handle self) { return nb::module_::import_("tern._format").attr("tensor_repr")(self); },
          nb::sig("def __repr__(self) -> str"))
      .def(
          "__str__", [](const Tensor& self) { return to_string(self); }, nb::call_guard<nb::gil_scoped_release>())
      .def(
          "__array_namespace__", [](nb::handle, nb::handle version) { return namespace_of(version); }, nb::kw_only(),
          nb::arg("api_version").none() = nb::none(),
          nb::sig("def __array_namespace__(self, /, *, api_version: str | None = None) -> typing.Any"),
          "The module tern, as the array API's namespace.");
  const PrintOptions defaults;
  m.def(
      "to_string",
      [](const Tensor& x, int precision, bool suppress_small, int64_t threshold, int64_t edge_items, int line_width,
         int indent, int suffix, const std::string& separator) {
        return to_string(x, {precision, suppress_small, threshold, edge_items, line_width, indent, suffix, separator});
      },
      nb::arg("x"), nb::kw_only(), nb::arg("precision") = defaults.precision,
      nb::arg("suppress_small") = defaults.suppress_small, nb::arg("threshold") = defaults.threshold,
      nb::arg("edge_items") = defaults.edge_items, nb::arg("line_width") = defaults.line_width,
      nb::arg("indent") = defaults.indent, nb::arg("suffix") = defaults.suffix,
      nb::arg("separator") = std::string(defaults.separator), nb::call_guard<nb::gil_scoped_release>(),
      "The elements as text, as numpy.array2string writes them.");
  return tensor;
}

}  // namespace tern::python
