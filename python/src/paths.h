// SPDX-License-Identifier: Apache-2.0
// Paths of Python: str or os.PathLike.
#pragma once

#include <string>

#include "casters.h"

namespace tern::python {

struct PathArgument {
  std::string path;
};

}  // namespace tern::python

namespace nanobind::detail {

template <>
struct type_caster<tern::python::PathArgument> {
  NB_TYPE_CASTER(tern::python::PathArgument, const_name("str | os.PathLike"))
  bool from_python(handle source, uint32_t, cleanup_list*) {
    object path = steal(PyOS_FSPath(source.ptr()));
    object bytes = path.is_valid() ? steal(PyUnicode_EncodeFSDefault(path.ptr())) : object();
    if (!bytes.is_valid()) {
      PyErr_Clear();
      return false;
    }
    value.path = PyBytes_AsString(bytes.ptr());
    return true;
  }
};

}  // namespace nanobind::detail
