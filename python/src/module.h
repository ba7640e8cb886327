// SPDX-License-Identifier: Apache-2.0
// The parts of the extension, each in a file of its name.
#pragma once

#include <nanobind/nanobind.h>

#include "tern/model.h"
#include "tern/tensor.h"

namespace tern::python {

namespace nb = nanobind;

using TensorClass = nb::class_<Tensor>;

void bind_errors(nb::module_& m);
void bind_dtype(nb::module_& m);
void bind_device(nb::module_& m);
TensorClass bind_tensor(nb::module_& m);
void bind_interop(nb::module_& m, TensorClass& tensor);
void bind_elementwise(nb::module_& m, TensorClass& tensor);
void bind_creation(nb::module_& m);
void bind_reductions(nb::module_& m, TensorClass& tensor);
void bind_manipulation(nb::module_& m, TensorClass& tensor);
void bind_nn(nb::module_& m);
void bind_linalg(nb::module_& m);
void bind_sorting(nb::module_& m);
void bind_products(nb::module_& m);
void bind_random(nb::module_& m);
void bind_quant(nb::module_& m);
void bind_io(nb::module_& m);
void bind_grammar(nb::module_& m);
void bind_text(nb::module_& m);
void bind_model(nb::module_& m);
void bind_generate(nb::module_& m);
void bind_train(nb::module_& m);

}  // namespace tern::python
