// SPDX-License-Identifier: Apache-2.0
// The room's door: a parsed template that renders.
#pragma once

#include <ctime>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "jinja/limits.h"
#include "jinja/syntax.h"

namespace tern::jinja {

// A Jinja template in the dialect of Hugging Face's chat templates: trim_blocks and lstrip_blocks, no escaping, loop
// controls, the immutable sandbox. Differs from Jinja 3.1 in that integers have 64 bits, case maps ASCII letters only,
// filters like map run at once and not when read, the views keys(), values() and items() of a dict are lists, as is
// range(), and nothing refers to other templates. An immutable value: copies share the tree.
class Template {
 public:
  // Expects UTF-8. Throws Error naming the template and the line at fault.
  static Template parse(std::string_view source, std::string name);

  // The text for variables: JSON objects whose members are the template's variables, of several with one name the last.
  // strftime_now tells `now`. Throws Error when the template does, when it passes a limit, and for what is no JSON
  // object.
  std::string render(std::span<const std::string_view> variables, const std::tm& now, const Limits& limits = {}) const;

 private:
  Template(std::shared_ptr<const Block> block, std::string name) : block_(std::move(block)), name_(std::move(name)) {}

  std::shared_ptr<const Block> block_;
  std::string name_;
};

}  // namespace tern::jinja
