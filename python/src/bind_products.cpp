// SPDX-License-Identifier: Apache-2.0
// Products of arrays along axes.
#include "keywords.h"
#include "module.h"
#include "tern/einsum.h"

namespace tern::python {
namespace {

// A number of axes, or the axes of each operand.
using TensordotAxes = std::variant<int, std::pair<std::vector<int>, std::vector<int>>>;

Tensor tensordot_from(const Tensor& a, const Tensor& b, const TensordotAxes& axes) {
  return without_gil([&] {
    if (const int* count = std::get_if<int>(&axes)) return tensordot(a, b, *count);
    const auto& [of_a, of_b] = std::get<1>(axes);
    return tensordot(a, b, of_a, of_b);
  });
}

Tensor einsum_from(const std::string& subscripts, const nb::args& operands) {
  const std::vector<Tensor> list = tensors_of("einsum", operands);
  return without_gil([&] { return einsum(subscripts, list); });
}

}  // namespace

void bind_products(nb::module_& m) {
  m.def("einsum", &einsum_from, nb::arg("subscripts"), nb::arg("operands"),
        nb::sig("def einsum(subscripts: str, *operands: Tensor) -> Tensor"), "Einstein's sums: 'ij,jk->ik'.");
  m.def("tensordot", &tensordot_from, nb::arg(), nb::arg(), nb::kw_only(), nb::arg("axes") = 2,
        nb::sig(signature("tensordot",
                          "x1: Tensor, x2: Tensor, /, *, axes: int | tuple[collections.abc.Sequence[int], "
                          "collections.abc.Sequence[int]] = 2")
                    .c_str()),
        "Sums of products over axes of both.");
  m.def(
      "vecdot",
      [](const Tensor& x1, const Tensor& x2, int axis) { return without_gil([&] { return vecdot(x1, x2, axis); }); },
      nb::arg(), nb::arg(), nb::kw_only(), nb::arg("axis") = -1,
      nb::sig(signature("vecdot", "x1: Tensor, x2: Tensor, /, *, axis: int = -1").c_str()),
      "Sums of conj(x1) * x2 along an axis.");
}

}  // namespace tern::python
