// SPDX-License-Identifier: Apache-2.0
// Reading GBNF, the notation of Grammar::parse.
#pragma once

#include <string_view>

#include "grammar/tree.h"

namespace tern {

// Throws Error with line and column, both from 1, columns counted in characters.
GrammarTree parse_gbnf(std::string_view text);

}  // namespace tern
