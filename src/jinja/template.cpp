// SPDX-License-Identifier: Apache-2.0
#include "jinja/template.h"

#include "base/check.h"
#include "jinja/interpreter.h"
#include "jinja/json.h"
#include "jinja/lexer.h"
#include "jinja/parser.h"

namespace tern::jinja {
namespace {

constexpr const char* kOp = "template";
constexpr size_t kShownMessage = 2000;

// \n for every line end, and none at the end of the template, as Jinja does.
std::string normalized(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t at = 0; at < source.size(); ++at) {
    if (source[at] == '\r' && at + 1 < source.size() && source[at + 1] == '\n') continue;
    text += source[at] == '\r' ? '\n' : source[at];
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

Template Template::parse(std::string_view source, std::string name) {
  check(source.size() <= kMaxSource, kOp, "{}: expected at most {} bytes, got {}", name, kMaxSource, source.size());
  try {
    auto block = std::make_shared<const Block>(jinja::parse(normalized(source)));
    return Template(std::move(block), std::move(name));
  } catch (const SyntaxFault& fault) {
    fail(kOp, "{}:{}: {}", name, fault.line, fault.message);
  }
}

std::string Template::render(std::span<const std::string_view> variables, const std::tm& now,
                             const Limits& limits) const {
  Values dicts;
  Budget unlimited(Limits{SIZE_MAX, SIZE_MAX});  // what the caller gives does not count
  for (const std::string_view json : variables) {
    try {
      dicts.push_back(parse_json(unlimited, json));
    } catch (const Fault& fault) {
      fail(kOp, "variables of {}: {}", name_, fault.what());
    }
    check(dicts.back().dict() != nullptr, kOp, "variables of {}: expected a JSON object, got a {}", name_,
          dicts.back().kind());
  }
  Runtime runtime(limits, now);
  try {
    return Interpreter(runtime).run(*block_, dicts);
  } catch (const Fault& fault) {
    const std::string message = fault.what();
    fail(kOp, "{}:{}: {}", name_, runtime.line, message.substr(0, kShownMessage));
  }
}

}  // namespace tern::jinja
