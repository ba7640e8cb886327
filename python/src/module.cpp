// SPDX-License-Identifier: Apache-2.0
#include "module.h"

NB_MODULE(_core, m) {
  using namespace tern::python;
  // What lives until the interpreter's end, in a global or a traceback, is not an error of the user.
  nb::set_leak_warnings(false);
  // An array of what no dtype holds is a TypeError; nanobind would also print that it is no Tensor.
  nb::set_implicit_cast_warnings(false);
  m.doc() = "The compiled part of tern; import tern instead.";
  bind_errors(m);
  bind_dtype(m);
  bind_device(m);
  TensorClass tensor = bind_tensor(m);
  bind_interop(m, tensor);
  bind_elementwise(m, tensor);
  bind_creation(m);
  bind_reductions(m, tensor);
  bind_manipulation(m, tensor);
  bind_nn(m);
  bind_linalg(m);
  bind_sorting(m);
  bind_products(m);
  bind_random(m);
  bind_quant(m);
  bind_packed(m);
  bind_io(m);
  bind_grammar(m);
  bind_text(m);
  bind_model(m);
  bind_generate(m);
  bind_train(m);
}
