// SPDX-License-Identifier: Apache-2.0
// The options that shape a text, for the command line and for changing them in a chat.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

#include "tern/engine.h"

namespace tern::cli {

// --max-tokens, --temperature, --top-k, --top-p, --min-p, --repetition-penalty and --stop.
void add_sampling(CLI::App& verb, TextOptions& options);

// Sets one of "max-tokens", "temperature", "top-k", "top-p", "min-p", "repetition-penalty" and "seed". Throws Error
// naming it and the value where that will not do.
void set_sampling(TextOptions& options, std::string_view name, std::string_view value);

// "temperature 0.8, top-k 40, …".
std::string sampling_text(const TextOptions& options);

}  // namespace tern::cli
