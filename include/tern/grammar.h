// SPDX-License-Identifier: Apache-2.0
// Which texts a model may write: a grammar, any JSON, or JSON that fits a schema.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "tern/error.h"

namespace tern {

// A set of texts in UTF-8, described by a context-free grammar. An immutable value: copies share their tables, and
// threads may use one at the same time.
//
// What can never be completed is taken out when a grammar is made, so that no allowed beginning leads into a dead end;
// the exception is text nested deeper than some hundred levels (1024 open rules), which is not allowed at all.
class Grammar {
 public:
  // Reads GBNF, llama.cpp's notation; the rule `root` describes the whole text.
  //
  //   name ::= …            a rule; letters, digits, - and _ make a name. It ends with its line, except within
  //                         parentheses and after ::= and |; a line that begins with | continues it. # begins a
  //                         comment.
  //   "text"                these characters          [a-z_] [^"\\]    one character of, or not of, a class
  //   .                     any one character         a b   a | b      one after the other; either
  //   ( … )                 a group                   * + ? {m} {m,} {m,n}   repeats what stands before
  //
  // Escapes in text and classes: \n \r \t \\ \" \[ \] \- \^, \xHH, \uHHHH and \UHHHHHHHH (code points). Recursion of
  // any kind is fine, left recursion and rules that match nothing included. Throws Error with line and column.
  static Grammar parse(std::string_view gbnf);

  // Any JSON value, written as from_json_schema describes.
  static Grammar json();

  // JSON texts that are instances of a schema, a subset of JSON Schema draft 2020-12.
  //
  //   any type   type (one or a list), enum, const, anyOf, oneOf (read as anyOf), allOf (where its parts can be
  //              merged), $ref to "#…" (recursive ones too), $defs, definitions, true, false
  //   objects    properties, in the order of the schema; required; additionalProperties
  //   arrays     items, prefixItems, minItems, maxItems
  //   strings    minLength, maxLength; or pattern; or format: date, time, date-time, uuid, ipv4
  //   numbers    minimum, maximum, exclusiveMinimum, exclusiveMaximum
  //
  // Every text is an instance; not every instance is among the texts:
  //  - Without `type`, keywords that speak of some types (properties: objects) allow just these.
  //  - Without additionalProperties there are none beside the listed properties, without items none after prefixItems.
  //    Additional properties stand at the end and write no \u escape in their names.
  //  - enum and const are written in the shortest way; so are texts of a pattern, of which the parts that ECMA-262 and
  //    automata share are understood: classes, groups, |, quantifiers, ^ and $ at the ends; no look-around, no
  //    back-references, no \b, no \p.
  //  - White space: none, one blank, or a line break and up to 32 blanks or tabs after { [ , and before } ];
  //    none or one blank after a colon. Numbers: up to 20 digits before the point, 24 after it, 3 in the exponent; under bounds 15
  //    digits after the point and no exponent.
  //
  // Annotations (title, description, default, examples, deprecated, readOnly, writeOnly, $comment, $schema, the root's
  // $id) are ignored. Throws Error naming the place, as a JSON pointer, of any other keyword, of a value that it cannot
  // have, and when no text at all fits.
  static Grammar from_json_schema(std::string_view schema);

  // True if the whole text is one of the grammar's. Throws Error for a text on which the grammar has more readings than
  // memory is granted for.
  bool matches(std::string_view text) const;

 private:
  friend class GrammarMatcher;
  struct State;
  explicit Grammar(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace tern
