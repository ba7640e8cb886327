// SPDX-License-Identifier: Apache-2.0
// What copies of a Grammar share.
#pragma once

#include "grammar/automaton.h"
#include "tern/grammar.h"

namespace tern {

struct Grammar::State {
  Automaton automaton;
};

}  // namespace tern
