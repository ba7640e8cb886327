// SPDX-License-Identifier: Apache-2.0
// Tokens to a syntax tree: the grammar of Jinja 3.1 without templates that refer to other templates.
#pragma once

#include <string_view>

#include "jinja/syntax.h"

namespace tern::jinja {

// Expects UTF-8 with \n for line ends. Throws SyntaxFault.
Block parse(std::string_view source);

}  // namespace tern::jinja
