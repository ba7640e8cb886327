// SPDX-License-Identifier: Apache-2.0
// tern.DType: the data types under the array API's names.
#include <array>
#include <string>

#include "casters.h"
#include "module.h"

namespace tern::python {
namespace {

struct DTypeObject {
  DType value;
};

// The one object of each dtype, held by the module.
std::array<PyObject*, kDTypeCount>& objects() {
  static std::array<PyObject*, kDTypeCount> made{};
  return made;
}

std::optional<DType> dtype_from_name_of(std::string_view name) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    if (name == array_name(dtype) || name == name_of(dtype)) return dtype;
  }
  return std::nullopt;
}

// bool, int, float, complex themselves.
std::optional<DType> dtype_from_type(PyObject* type) {
  if (type == reinterpret_cast<PyObject*>(&PyBool_Type)) return DType::boolean;
  if (type == reinterpret_cast<PyObject*>(&PyLong_Type)) return DType::i64;
  if (type == reinterpret_cast<PyObject*>(&PyFloat_Type)) return DType::f32;
  if (type == reinterpret_cast<PyObject*>(&PyComplex_Type)) return DType::c64;
  return std::nullopt;
}

const char* kind_name(DType dtype) {
  if (dtype == DType::boolean) return "bool";
  if (is_signed_integer(dtype)) return "signed integer";
  if (is_unsigned_integer(dtype)) return "unsigned integer";
  return is_complex(dtype) ? "complex floating" : "real floating";
}

}  // namespace

const char* array_name(DType dtype) {
  constexpr const char* names[kDTypeCount] = {"float32", "bfloat16", "float16", "int8",      "uint8",
                                              "int32",   "int64",    "bool",    "int16",     "uint16",
                                              "uint32",  "uint64",   "float64", "complex64", "complex128"};
  return names[static_cast<int>(dtype)];
}

nb::object dtype_object(DType dtype) { return nb::borrow(objects()[static_cast<size_t>(dtype)]); }

std::optional<DType> dtype_from(nb::handle source) {
  if (nb::isinstance<DTypeObject>(source)) return nb::cast<DTypeObject&>(source).value;
  if (PyUnicode_Check(source.ptr())) return dtype_from_name_of(nb::cast<std::string_view>(source));
  if (PyType_Check(source.ptr())) {
    if (const std::optional<DType> dtype = dtype_from_type(source.ptr())) return dtype;
    const nb::object name = source.attr("__name__");
    return dtype_from_name_of(nb::cast<std::string_view>(name));
  }
  if (nb::hasattr(source, "name") && nb::hasattr(source, "itemsize")) {
    const nb::object name = source.attr("name");
    return PyUnicode_Check(name.ptr()) ? dtype_from_name_of(nb::cast<std::string_view>(name)) : std::nullopt;
  }
  return std::nullopt;
}

void bind_dtype(nb::module_& m) {
  nb::class_<DTypeObject>(m, "DType",
                          "A data type: tern.float32 and its like. Compares equal to its name and to NumPy's dtype.")
      .def(
          "__init__", [](DTypeObject* self, DType dtype) { new (self) DTypeObject{dtype}; }, nb::arg(),
          nb::sig("def __init__(self, dtype: object, /) -> None"))
      .def_prop_ro("name", [](const DTypeObject& self) { return array_name(self.value); })
      .def_prop_ro("itemsize", [](const DTypeObject& self) { return size_of(self.value); })
      .def_prop_ro("kind", [](const DTypeObject& self) { return kind_name(self.value); })
      .def(
          "__eq__", [](const DTypeObject& self, nb::handle other) { return dtype_from(other) == self.value; },
          nb::arg().none(), nb::sig("def __eq__(self, other: object, /) -> bool"))
      .def("__hash__", [](const DTypeObject& self) { return static_cast<int>(self.value); })
      .def("__repr__", [](const DTypeObject& self) { return std::string("tern.") + array_name(self.value); })
      .def("__str__", [](const DTypeObject& self) { return array_name(self.value); })
      .def("__reduce__", [](nb::handle self) {
        return nb::make_tuple(self.type(), nb::make_tuple(array_name(nb::cast<DTypeObject&>(self).value)));
      });
  for (int i = 0; i < kDTypeCount; ++i) {
    nb::object made = nb::cast(DTypeObject{static_cast<DType>(i)});
    m.attr(array_name(static_cast<DType>(i))) = made;
    objects()[static_cast<size_t>(i)] = made.ptr();
  }
}

}  // namespace tern::python
