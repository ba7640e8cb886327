// SPDX-License-Identifier: Apache-2.0
// tern.DType: the data types under the array API's names.
#include <algorithm>
#include <array>
#include <string>

#include "casters.h"
#include "module.h"
#include "tern/error_kinds.h"
#include "tern/promotion.h"

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
  static const nb::handle dtype_type = nb::type<DTypeObject>();
  if (source.type().is(dtype_type)) return nb::inst_ptr<DTypeObject>(source)->value;
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

namespace {

// A dtype, or a tensor's or a number's; what a number of Python does to the others is told apart.
struct Promoted {
  std::optional<DType> dtype;
  std::optional<ScalarKind> number;

  void add(nb::handle source) {
    if (nb::isinstance<Tensor>(source)) return add(nb::cast<const Tensor&>(source).dtype());
    if (PyLong_Check(source.ptr()) || PyFloat_Check(source.ptr()) || PyComplex_Check(source.ptr())) {
      const ScalarKind kind = PyBool_Check(source.ptr())    ? ScalarKind::boolean
                              : PyLong_Check(source.ptr())  ? ScalarKind::integer
                              : PyFloat_Check(source.ptr()) ? ScalarKind::real
                                                            : ScalarKind::complex;
      number = std::max(number.value_or(kind), kind);
      return;
    }
    const std::optional<DType> found = dtype_from(source);
    if (!found)
      throw WrongType(std::string("[result_type] expected tensors, dtypes and numbers, got ") +
                      nb::repr(source.type()).c_str());
    add(*found);
  }
  void add(DType other) { dtype = dtype ? result_type(*dtype, other) : other; }
};

DType promoted(const nb::args& sources) {
  Promoted all;
  for (nb::handle source : sources) all.add(source);
  if (!all.dtype) throw Error("[result_type] expected a tensor or a dtype, got none");
  return all.number ? result_type(*all.dtype, *all.number) : *all.dtype;
}

DType dtype_of_argument(nb::handle source) {
  Promoted one;
  one.add(source);
  if (!one.dtype) throw WrongType("[dtype] expected a dtype or a tensor, got a number");
  return *one.dtype;
}

void bind_limits(nb::module_& m) {
  nb::class_<FloatInfo>(m, "FloatInfo", "Limits of a floating-point dtype; of its parts where it is complex.")
      .def_ro("dtype", &FloatInfo::dtype)
      .def_ro("bits", &FloatInfo::bits)
      .def_ro("eps", &FloatInfo::eps)
      .def_ro("max", &FloatInfo::max)
      .def_ro("min", &FloatInfo::min)
      .def_ro("smallest_normal", &FloatInfo::smallest_normal)
      .def_ro("smallest_subnormal", &FloatInfo::smallest_subnormal);
  nb::class_<IntegerInfo>(m, "IntegerInfo", "Limits of an integer dtype.")
      .def_ro("dtype", &IntegerInfo::dtype)
      .def_ro("bits", &IntegerInfo::bits)
      .def_ro("max", &IntegerInfo::max)
      .def_ro("min", &IntegerInfo::min);
  m.def(
      "finfo", [](nb::handle type) { return finfo(dtype_of_argument(type)); }, nb::arg(),
      nb::sig("def finfo(type: DType | Tensor, /) -> FloatInfo"),
      "Limits of a floating-point dtype, or of a tensor's.");
  m.def(
      "iinfo", [](nb::handle type) { return iinfo(dtype_of_argument(type)); }, nb::arg(),
      nb::sig("def iinfo(type: DType | Tensor, /) -> IntegerInfo"), "Limits of an integer dtype, or of a tensor's.");
  m.def("result_type", &promoted, nb::sig("def result_type(*arrays_and_dtypes: Tensor | DType | complex) -> DType"),
        "The dtype that operations on these give.");
  m.def(
      "can_cast", [](nb::handle from, DType to) { return can_cast(dtype_of_argument(from), to); }, nb::arg(), nb::arg(),
      nb::sig("def can_cast(from_: DType | Tensor, to: DType, /) -> bool"),
      "Whether promotion leads from one dtype to another.");
}

}  // namespace

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
  bind_limits(m);
}

}  // namespace tern::python
