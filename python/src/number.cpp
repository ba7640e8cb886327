// SPDX-License-Identifier: Apache-2.0
#include "number.h"

#include <fmt/format.h>

#include <array>
#include <complex>
#include <cstring>
#include <limits>
#include <span>

namespace tern::python {
namespace {

bool is_number(PyObject* object) { return PyLong_Check(object) || PyFloat_Check(object) || PyComplex_Check(object); }

template <class T>
void store(T value, std::byte* to) {
  std::memcpy(to, &value, sizeof(T));
}

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

[[noreturn]] void no_room(nb::handle number, DType dtype, const char* op) {
  throw Error(
      fmt::format("[{}] expected a number that {} holds, got {}", op, array_name(dtype), nb::repr(number).c_str()));
}

template <class T>
void store_integer(nb::handle number, std::byte* to, const char* op) {
  if (!PyLong_Check(number.ptr())) no_room(number, dtype_of<T>, op);
  if constexpr (std::is_signed_v<T>) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
    if (overflow != 0 || value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max())
      no_room(number, dtype_of<T>, op);
    store(static_cast<T>(value), to);
  } else {
    const unsigned long long value = PyLong_AsUnsignedLongLong(number.ptr());
    if (PyErr_Occurred() != nullptr || value > std::numeric_limits<T>::max()) {
      PyErr_Clear();
      no_room(number, dtype_of<T>, op);
    }
    store(static_cast<T>(value), to);
  }
}

double real_of(nb::handle number, DType dtype, const char* op) {
  if (PyComplex_Check(number.ptr())) no_room(number, dtype, op);
  const double value = PyFloat_AsDouble(number.ptr());
  if (value == -1.0 && PyErr_Occurred() != nullptr) throw nb::python_error();
  return value;
}

std::complex<double> complex_of(nb::handle number) {
  const Py_complex value = PyComplex_AsCComplex(number.ptr());
  if (PyErr_Occurred() != nullptr) throw nb::python_error();
  return {value.real, value.imag};
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

NumberKind kind_of(nb::handle number) {
  if (PyBool_Check(number.ptr())) return NumberKind::boolean;
  if (PyLong_Check(number.ptr())) return NumberKind::integer;
  return PyFloat_Check(number.ptr()) ? NumberKind::real : NumberKind::complex;
}

DType default_dtype(NumberKind kind) {
  constexpr DType dtypes[] = {DType::boolean, DType::i64, DType::f32, DType::c64};
  return dtypes[static_cast<int>(kind)];
}

void write_number(nb::handle number, DType dtype, std::byte* to, const char* op) {
  switch (dtype) {
    case DType::boolean:
      return store(nb::cast<bool>(nb::bool_(number)), to);
    case DType::i8:
      return store_integer<int8_t>(number, to, op);
    case DType::u8:
      return store_integer<uint8_t>(number, to, op);
    case DType::i16:
      return store_integer<int16_t>(number, to, op);
    case DType::u16:
      return store_integer<uint16_t>(number, to, op);
    case DType::i32:
      return store_integer<int32_t>(number, to, op);
    case DType::u32:
      return store_integer<uint32_t>(number, to, op);
    case DType::i64:
      return store_integer<int64_t>(number, to, op);
    case DType::u64:
      return store_integer<uint64_t>(number, to, op);
    case DType::bf16:
      return store(bf16(static_cast<float>(real_of(number, dtype, op))), to);
    case DType::f16:
      return store(f16(static_cast<float>(real_of(number, dtype, op))), to);
    case DType::f32:
      return store(static_cast<float>(real_of(number, dtype, op)), to);
    case DType::f64:
      return store(real_of(number, dtype, op), to);
    case DType::c64:
      return store(std::complex<float>(complex_of(number)), to);
    case DType::c128:
      return store(complex_of(number), to);
  }
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

Tensor full_of(nb::handle number, DType dtype, const Device& device, const char* op) {
  std::array<std::byte, 16> element{};
  write_number(number, dtype, element.data(), op);
  return Tensor::from_bytes(std::span(element).first(size_of(dtype)), {}, dtype, device);
}

nb::object item(const Tensor& tensor) {
  if (tensor.numel() != 1)
    throw Error(fmt::format("[item] expected a tensor of one element, got shape {}", to_string(tensor.shape())));
  std::array<std::byte, 16> element{};
  tensor.copy_to_host(std::span(element).first(size_of(tensor.dtype())));
  return read_number(element.data(), tensor.dtype());
}

}  // namespace tern::python
