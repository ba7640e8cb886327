// SPDX-License-Identifier: Apache-2.0
// Ternary numerics; tern.quant presents them.
#include <fmt/format.h>

#include "module.h"
#include "operand.h"
#include "tern/ops.h"

namespace tern::python {
namespace {

using Released = nb::call_guard<nb::gil_scoped_release>;

}  // namespace

void bind_quant(nb::module_& m) {
  nb::module_ quant = m.def_submodule("_quant", "Ternary numerics.");
  nb::class_<QuantizedRows>(quant, "QuantizedRows", "Activations in int8 per row: x is about q / scale.")
      .def_ro("shape", &QuantizedRows::shape)
      .def_ro("q", &QuantizedRows::q)
      .def_ro("scale", &QuantizedRows::scale)
      .def_ro("sums", &QuantizedRows::sums)
      .def("__repr__", [](const QuantizedRows& self) { return "QuantizedRows(shape=" + to_string(self.shape) + ")"; });
  nb::class_<PackedTernary>(quant, "PackedTernary", "A ternary matrix in the layout of its device.")
      .def_ro("bytes", &PackedTernary::bytes)
      .def_ro("rows", &PackedTernary::rows)
      .def_ro("cols", &PackedTernary::cols)
      .def_ro("scale", &PackedTernary::scale)
      .def("__repr__", [](const PackedTernary& self) {
        return fmt::format("PackedTernary({} x {}, scale={:.6g}, {} bytes)", self.rows, self.cols, self.scale,
                           self.bytes.numel());
      });
  quant.def("mean_abs", nb::overload_cast<const Tensor&>(&mean_abs), nb::arg("w"), Released(),
            "The mean of |w|: the absmean scale of b1.58.");
  quant.def("ternary_codes", &ternary_codes, nb::arg("w"), nb::arg("scale"), Released(),
            "clip(round(w / scale), -1, 1) as int8.");
  quant.def("pack_ternary", &pack_ternary, nb::arg("codes"), nb::arg("scale"), Released(),
            "int8 codes -1, 0, 1 [rows, cols] in the layout of their device.");
  quant.def("unpack_ternary", &unpack_ternary, nb::arg("packed"), Released(), "The int8 codes of a packed matrix.");
  quant.def("quantize_rows", &quantize_rows, nb::arg("x"), Released(),
            "Activations in int8 by the largest of each row.");
  quant.def(
      "ternary_linear", [](const QuantizedRows& x, const PackedTernary& w) { return ternary_linear(x, w); },
      nb::arg("x"), nb::arg("w"), Released(),
      "x times the transposed w by exact integer sums, then one scale per row.");
  quant.def("ternary_linear_sums", &ternary_linear_sums, nb::arg("x"), nb::arg("w"), Released(),
            "The int32 sums themselves.");
  quant.def("ternary_linear_ste", &ternary_linear_ste, nb::arg("x"), nb::arg("xq"), nb::arg("master"), nb::arg("codes"),
            nb::arg("w"), Released(),
            "ternary_linear with the straight-through gradient to x and to the master weights.");
}

}  // namespace tern::python
