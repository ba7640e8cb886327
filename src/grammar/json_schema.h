// SPDX-License-Identifier: Apache-2.0
// JSON schemas as grammars: what Grammar::from_json_schema promises.
#pragma once

#include <string_view>

#include "grammar/tree.h"

namespace tern {

// Throws Error naming the place in the schema.
GrammarTree json_schema_grammar(std::string_view schema);

}  // namespace tern
