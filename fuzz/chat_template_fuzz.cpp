// SPDX-License-Identifier: Apache-2.0
// Any bytes as a chat template (up to the first NUL) and as its variables in JSON (what follows): an Error or a text,
// the same one twice.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tern/chat.h"

namespace {

constexpr std::string_view kVariables =
    R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":" \u00e9\nq"},{"role":"assistant",)"
    R"("content":null,"tool_calls":[{"function":{"name":"f","arguments":{"x":1.5,"y":[true,null]}}}]}],)"
    R"("tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"add_generation_prompt":true})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), size);
  const std::string_view variables = end < size ? input.substr(end + 1) : kVariables;
  if (input.substr(0, end).find("strftime_now") != input.npos) return 0;  // the clock may tick in between
  try {
    const tern::ChatTemplate chat = tern::ChatTemplate::parse(input.substr(0, end), {{"bos_token", "<s>"}});
    if (chat.render_json(variables) != chat.render_json(variables)) __builtin_trap();
  } catch (const tern::Error&) {
  }
  return 0;
}
