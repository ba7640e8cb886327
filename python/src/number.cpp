// SPDX-License-Identifier: Apache-2.0
#include "number.h"

#include <fmt/format.h>

#include <array>
#include <complex>
#include <cstring>
#include <span>

#include "tern/error_kinds.h"

namespace tern::python {
namespace {

bool is_number(PyObject* object) { return PyLong_Check(object) || PyFloat_Check(object) || PyComplex_Check(object); }

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

Scalar integer_of(nb::handle number, const char* op) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  if (overflow == 0) return value;
  const unsigned long long large = overflow > 0 ? PyLong_AsUnsignedLongLong(number.ptr()) : 0;
  if (overflow < 0 || PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    throw Error(fmt::format("[{}] expected an integer of 64 bits, got {}", op, nb::repr(number).c_str()));
  }
  return large;
}

}  // namespace

nb::object number_from(nb::handle object) {
  if (is_number(object.ptr())) return nb::borrow(object);
  if (nb::hasattr(object, "ndim") && nb::hasattr(object, "item") && nb::cast<int64_t>(object.attr("ndim")) == 0) {
    nb::object number = object.attr("item")();
    if (is_number(number.ptr())) return number;
  }
  if (!PyUnicode_Check(object.ptr()) && PyIndex_Check(object.ptr())) return nb::steal(PyNumber_Index(object.ptr()));
  return nb::object();
}

Scalar scalar_of(nb::handle number, const char* op) {
  if (PyBool_Check(number.ptr())) return number.ptr() == Py_True;
  if (PyLong_Check(number.ptr())) return integer_of(number, op);
  if (PyFloat_Check(number.ptr())) return PyFloat_AsDouble(number.ptr());
  const Py_complex value = PyComplex_AsCComplex(number.ptr());
  return std::complex<double>(value.real, value.imag);
}

Scalar scalar_from(nb::handle object, const char* op) {
  const nb::object number = number_from(object);
  if (!number.is_valid()) throw WrongType(fmt::format("[{}] expected a number, got {}", op, nb::repr(object.type()).c_str()));
  return scalar_of(number, op);
}

DType default_dtype(Scalar::Kind kind) {
  constexpr DType dtypes[] = {DType::boolean, DType::i64, DType::f32, DType::c64};
  return dtypes[static_cast<int>(kind)];
}

nb::object read_number(const std::byte* from, DType dtype) {
  switch (dtype) {
    case DType::boolean:
      return nb::bool_(load<bool>(from));
    case DType::i8:
      return nb::int_(load<int8_t>(from));
    case DType::u8:
      return nb::int_(load<uint8_t>(from));
    case DType::i16:
      return nb::int_(load<int16_t>(from));
    case DType::u16:
      return nb::int_(load<uint16_t>(from));
    case DType::i32:
      return nb::int_(load<int32_t>(from));
    case DType::u32:
      return nb::int_(load<uint32_t>(from));
    case DType::i64:
      return nb::int_(load<int64_t>(from));
    case DType::u64:
      return nb::int_(load<uint64_t>(from));
    case DType::bf16:
      return nb::float_(static_cast<float>(load<bf16>(from)));
    case DType::f16:
      return nb::float_(static_cast<float>(load<f16>(from)));
    case DType::f32:
      return nb::float_(load<float>(from));
    case DType::f64:
      return nb::float_(load<double>(from));
    case DType::c64: {
      const auto value = load<std::complex<float>>(from);
      return nb::steal(PyComplex_FromDoubles(value.real(), value.imag()));
    }
    case DType::c128: {
      const auto value = load<std::complex<double>>(from);
      return nb::steal(PyComplex_FromDoubles(value.real(), value.imag()));
    }
  }
  return nb::none();
}

nb::object item(const Tensor& tensor) {
  if (tensor.numel() != 1)
    throw Error(fmt::format("[item] expected a tensor of one element, got shape {}", to_string(tensor.shape())));
  std::array<std::byte, 16> element{};
  tensor.copy_to_host(std::span(element).first(size_of(tensor.dtype())));
  return read_number(element.data(), tensor.dtype());
}

}  // namespace tern::python
