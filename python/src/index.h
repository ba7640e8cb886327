// SPDX-License-Identifier: Apache-2.0
// What stands between brackets: tensor[key].
#pragma once

#include "operand.h"

namespace tern::python {

// NumPy's rules (tern/indexing.h): a view for slices, integers, ... and None, a copy for arrays and masks.
Tensor get_item(const Tensor& tensor, nb::handle key);
// Writes a value, broadcast and converted, into the elements that get_item names.
void set_item(const Tensor& tensor, nb::handle key, const Operand& value);

}  // namespace tern::python
