// SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include "axes.h"
#include "module.h"
#include "operand.h"
#include "tern/ops.h"

namespace tern::python {
namespace {

using OverAxes = Tensor (*)(const Tensor&, std::span<const int>, bool);
using OverAxis = Tensor (*)(const Tensor&, int, bool);

std::string signature(const char* name, const char* axis) {
  return "def " + std::string(name) + "(x: Tensor, /, *, axis: " + axis + " = None, keepdims: bool = False) -> Tensor";
}

void over_axes(nb::module_& m, const char* name, OverAxes op, const char* doc) {
  m.def(
      name,
      [op](const Tensor& x, const std::optional<Axes>& axis, bool keep) {
        // No axes at all leave every element.
        if (axis && axis->axes.empty()) return x;
        const std::vector<int> axes = axis ? axis->axes : std::vector<int>();
        return without_gil([&] { return op(x, axes, keep); });
      },
      nb::arg(), nb::kw_only(), nb::arg("axis").none() = nb::none(), nb::arg("keepdims") = false,
      nb::sig(signature(name, "int | tuple[int, ...] | None").c_str()), doc);
}

void over_axis(nb::module_& m, const char* name, OverAxis op, const char* doc) {
  m.def(
      name,
      [op](const Tensor& x, std::optional<int> axis, bool keep) {
        return without_gil([&] {
          if (axis) return op(x, *axis, keep);
          const Tensor flat = op(reshape(x, {-1}), 0, false);
          return keep ? reshape(flat, Shape(std::vector<int64_t>(static_cast<size_t>(x.rank()), 1))) : flat;
        });
      },
      nb::arg(), nb::kw_only(), nb::arg("axis").none() = nb::none(), nb::arg("keepdims") = false,
      nb::sig(signature(name, "int | None").c_str()), doc);
}

}  // namespace

void bind_reductions(nb::module_& m) {
  over_axes(m, "sum", &sum, "The sum over axes, or of all elements.");
  over_axes(m, "mean", &mean, "The mean over axes, or of all elements.");
  over_axis(m, "max", &max, "The largest element of an axis, or of all.");
  over_axis(m, "min", &min, "The smallest element of an axis, or of all.");
  over_axis(m, "argmax", &argmax, "The first index of the largest element.");
  over_axis(m, "argmin", &argmin, "The first index of the smallest element.");
}

}  // namespace tern::python
