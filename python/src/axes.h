// SPDX-License-Identifier: Apache-2.0
// `axis=` of Python: an int, a tuple of ints, or None.
#pragma once

#include <vector>

#include "casters.h"

namespace tern::python {

struct Axes {
  std::vector<int> axes;
};

}  // namespace tern::python

namespace nanobind::detail {

template <>
struct type_caster<tern::python::Axes> {
  NB_TYPE_CASTER(tern::python::Axes, const_name("int | tuple[int, ...]"))
  bool from_python(handle source, uint32_t, cleanup_list*) {
    const std::optional<tern::Shape> found = tern::python::shape_from(source);
    if (!found) return false;
    for (const int64_t axis : *found) value.axes.push_back(static_cast<int>(axis));
    return true;
  }
};

}  // namespace nanobind::detail
