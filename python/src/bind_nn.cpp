// SPDX-License-Identifier: Apache-2.0
// Functions of networks; tern.nn presents them.
#include "module.h"
#include "operand.h"
#include "tern/ops.h"

namespace tern::python {
namespace {

void unary(nb::module_& m, const char* name, Tensor (*op)(const Tensor&), const char* doc) {
  m.def(
      name, [op](const Tensor& x) { return without_gil([&] { return op(x); }); }, nb::arg("x"), doc);
}

using Released = nb::call_guard<nb::gil_scoped_release>;

}  // namespace

void bind_nn(nb::module_& m) {
  nb::module_ nn = m.def_submodule("_nn", "Functions of networks.");
  unary(nn, "relu", &relu, "max(x, 0)");
  unary(nn, "relu2", &relu2, "The square of relu(x).");
  unary(nn, "sigmoid", &sigmoid, "1 / (1 + exp(-x))");
  unary(nn, "silu", &silu, "x * sigmoid(x)");
  unary(nn, "rsqrt", &rsqrt, "1 / sqrt(x)");
  unary(nn, "softmax", &softmax, "Softmax over the last axis.");
  nn.def("relu2_gate", &relu2_gate, nb::arg("gate"), nb::arg("up"), Released(), "relu2(gate) * up");
  nn.def("rms_norm", &rms_norm, nb::arg("x"), nb::arg("weight"), nb::arg("eps") = 1e-5f, Released(),
         "x * weight / sqrt(mean(x * x) + eps) over the last axis.");
  nn.def("rope", &rope, nb::arg("x"), nb::arg("positions"), nb::arg("cos"), nb::arg("sin"), Released(),
         "Rotary embedding: x [batch, tokens, heads, dim], positions int32 [batch, tokens], cos and sin [positions, "
         "dim / 2].");
  nn.def("linear", &linear, nb::arg("x"), nb::arg("weight"), Released(), "x times the transposed weight [out, in].");
  nn.def("embedding", &embedding, nb::arg("table"), nb::arg("ids"), Released(), "Rows of the table; ids int64.");
  nn.def("attention", &attention, nb::arg("q"), nb::arg("k"), nb::arg("v"), nb::arg("scale"), Released(),
         "Causal grouped-query attention: q [batch, tokens, heads, dim], k and v [batch, tokens, kv_heads, dim].");
  nn.def("cross_entropy", &cross_entropy, nb::arg("logits"), nb::arg("targets"), Released(),
         "The mean of -log softmax(logits)[target] over the targets other than -100; targets int64.");
  nn.def("cross_entropy_rows", &cross_entropy_rows, nb::arg("logits"), nb::arg("targets"), Released(),
         "cross_entropy of each row, 0 where ignored.");
  nn.def("linear_cross_entropy", &linear_cross_entropy, nb::arg("hidden"), nb::arg("weight"), nb::arg("targets"),
         Released(), "cross_entropy(linear(hidden, weight), targets) whose logits never exist as a whole.");
}

}  // namespace tern::python
