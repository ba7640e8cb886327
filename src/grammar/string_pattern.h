// SPDX-License-Identifier: Apache-2.0
// Regular expressions of JSON Schema's `pattern`, as parts of a grammar.
#pragma once

#include <string>
#include <string_view>

#include "grammar/json_texts.h"
#include "grammar/tree.h"

namespace tern {

// What stands between the quotes of the JSON strings that a pattern finds a match in, each character in its shortest
// spelling. `place` names the pattern in errors.
//
// The notation is ECMA-262's with the u flag as far as automata can follow it: classes, \d \w \s \D \W \S, ., groups
// (captures capture nothing), |, quantifiers (a lazy one finds the same strings), ^ and $ at the ends of the pattern or
// of its alternatives. Throws Error for anything else, naming it.
ExprId pattern_characters(std::string_view pattern, const std::string& place, GrammarTree& tree, JsonTexts& texts);

}  // namespace tern
