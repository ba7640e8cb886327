// SPDX-License-Identifier: Apache-2.0
// What Python gives where C++ wants a DType, a Shape or a Device.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "tern/device.h"
#include "tern/dtype.h"
#include "tern/shape.h"

namespace tern::python {

namespace nb = nanobind;

// The name of the array API: "float32".
const char* array_name(DType dtype);
// tern.float32 and its like, the one object of each.
nb::object dtype_object(DType dtype);
// A tern.DType, its name, a NumPy dtype or scalar type, or bool, int, float, complex; nothing for anything else.
std::optional<DType> dtype_from(nb::handle source);

// tern.default_device().
Device& default_device();
// What `device=` was given: a Device, the name of one (the default device if that is its name), or None for the
// default.
struct DeviceArgument {
  Device device;
};
std::optional<Device> device_from(nb::handle source);

// An int or a sequence of ints, such as a tuple; nothing for anything else. Throws Error for more than kMaxRank.
std::optional<Shape> shape_from(nb::handle source);
nb::tuple to_tuple(const Shape& shape);

}  // namespace tern::python

namespace nanobind::detail {

template <>
struct type_caster<tern::DType> {
  NB_TYPE_CASTER(tern::DType, const_name("DType"))
  bool from_python(handle source, uint32_t, cleanup_list*) {
    const std::optional<tern::DType> found = tern::python::dtype_from(source);
    if (found) value = *found;
    return found.has_value();
  }
  static handle from_cpp(tern::DType dtype, rv_policy, cleanup_list*) {
    return tern::python::dtype_object(dtype).release();
  }
};

template <>
struct type_caster<tern::Shape> {
  NB_TYPE_CASTER(tern::Shape, const_name("tuple[int, ...]"))
  bool from_python(handle source, uint32_t, cleanup_list*) {
    const std::optional<tern::Shape> found = tern::python::shape_from(source);
    if (found) value = *found;
    return found.has_value();
  }
  static handle from_cpp(const tern::Shape& shape, rv_policy, cleanup_list*) {
    return tern::python::to_tuple(shape).release();
  }
};

template <>
struct type_caster<tern::python::DeviceArgument> {
  NB_TYPE_CASTER(tern::python::DeviceArgument, const_name("Device | str | None"))
  bool from_python(handle source, uint32_t, cleanup_list*) {
    const std::optional<tern::Device> found = tern::python::device_from(source);
    if (found) value.device = *found;
    return found.has_value();
  }
};

}  // namespace nanobind::detail
