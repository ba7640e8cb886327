// SPDX-License-Identifier: Apache-2.0
// Values as text, as Python's str() and repr() write them.
#pragma once

#include <string>

#include "jinja/value.h"

namespace tern::jinja {

// str(value); what {{ value }} prints.
std::string to_text(Budget& budget, const Value& value);
// repr(value).
std::string to_repr(Budget& budget, const Value& value);
// The shortest digits that read back as the same number: 1.0, 1e+16, nan.
std::string real_to_text(double value);

}  // namespace tern::jinja
