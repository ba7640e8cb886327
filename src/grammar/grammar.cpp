// SPDX-License-Identifier: Apache-2.0
#include "tern/grammar.h"

#include "grammar/gbnf.h"
#include "grammar/grammar_state.h"
#include "grammar/json_schema.h"
#include "grammar/json_texts.h"
#include "grammar/state_table.h"

namespace tern {

Grammar Grammar::parse(std::string_view gbnf) {
  return Grammar(std::make_shared<const State>(State{compile(parse_gbnf(gbnf))}));
}

Grammar Grammar::json() { return Grammar(std::make_shared<const State>(State{compile(json_grammar())})); }

Grammar Grammar::from_json_schema(std::string_view schema) {
  return Grammar(std::make_shared<const State>(State{compile(json_schema_grammar(schema))}));
}

bool Grammar::matches(std::string_view text) const {
  StateTable states(state_->automaton);
  uint32_t state = states.start();
  for (const char byte : text) {
    state = states.step(state, static_cast<uint8_t>(byte));
    if (state == StateTable::kDead) return false;
    if (states.is_large()) {
      StateTable fresh(state_->automaton);
      state = fresh.import(states, state);
      states = std::move(fresh);
    }
  }
  return states.can_end(state);
}

}  // namespace tern
