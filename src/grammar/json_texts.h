// SPDX-License-Identifier: Apache-2.0
// The spellings of JSON values that grammars allow.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "grammar/tree.h"

namespace tern {

// Expressions for JSON in a tree, which must live as long. White space and the length of numbers are bounded, so that a
// model cannot go on for ever without saying anything.
class JsonTexts {
 public:
  explicit JsonTexts(GrammarTree& tree);

  // Any value, of any kind.
  ExprId value();
  // A string of so many characters, with all escapes but those for half a character.
  ExprId string(uint32_t min = 0, uint32_t max = kUnbounded);
  ExprId integer();
  ExprId number();
  ExprId boolean();

  // The shortest spelling of a value, with white space between its parts.
  ExprId constant(const nlohmann::ordered_json& value);
  // The shortest spelling, within a string, of one character of these.
  ExprId shortest(const std::vector<CharRange>& chars);
  ExprId quoted(ExprId characters);
  // A string other than these, without \u escapes.
  ExprId string_except(const std::vector<std::string>& excluded);

  ExprId member(ExprId key, ExprId value);   // key: value
  ExprId comma();                            // with the space behind it
  ExprId list(ExprId first, ExprId others);  // others: the part behind a comma, any number of times
  ExprId array(ExprId items);                // [items], where items is not empty
  ExprId object(ExprId members);             // {members}, where members is not empty
  ExprId empty_array();
  ExprId empty_object();

 private:
  ExprId enclosed(char open, ExprId content, char close);

  GrammarTree& tree_;
  RuleId space_, character_, string_, number_, integer_, value_;
};

// Any JSON value.
GrammarTree json_grammar();

}  // namespace tern
