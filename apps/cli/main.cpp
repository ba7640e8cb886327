// SPDX-License-Identifier: Apache-2.0
// The program `tern`: picks the verb and turns failures into messages and exit statuses.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <utility>
#include <vector>

#include "output.h"
#include "tern/error.h"
#include "verbs.h"

namespace tern::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kMisused = 2;
constexpr int kNobodyReads = 128 + SIGPIPE;

struct Verb {
  const char* name;
  const char* summary;
  Action (*add)(CLI::App& verb);
};

constexpr Verb kVerbs[] = {
    {"train", "Train a ternary model on text files", add_train},
    {"run", "Continue a prompt", add_run},
    {"chat", "Talk with a model", add_chat},
    {"bench", "Speed of a model on this machine", add_bench},
    {"eval", "Perplexity and bits per byte of a text file", add_eval},
    {"info", "What a model is made of", add_info},
    {"pack", "Turn f32 masters into packed ternary weights", add_pack},
    {"logits", "Write the logits of token ids as .npy", add_logits},
    {"tokenize", "Text to token ids and back", add_tokenize},
    {"devices", "Devices and instruction sets of this machine", add_devices},
};

// What runs the verb that was chosen must not bring the program down without a word.
int guarded(const Action& action) {
  try {
    return action();
  } catch (const BrokenPipe&) {
    return kNobodyReads;
  } catch (const Error& error) {
    note("tern: {}\n", error.what());
  } catch (const std::exception& error) {
    note("tern: [internal] {}\n", error.what());
  }
  return kFailed;
}

int run(int argc, char** argv) {
  CLI::App app{"Tern trains, packs and runs ternary (1.58-bit) language models.", "tern"};
  app.set_version_flag("--version", "tern " TERN_VERSION);
  app.require_subcommand(1);
  std::vector<std::pair<CLI::App*, Action>> verbs;
  for (const Verb& verb : kVerbs) {
    CLI::App* added = app.add_subcommand(verb.name, verb.summary);
    verbs.emplace_back(added, verb.add(*added));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kMisused;
  }
  for (const auto& [verb, action] : verbs) {
    if (verb->parsed()) return guarded(action);
  }
  return kMisused;
}

}  // namespace
}  // namespace tern::cli

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);  // writing then fails, which output.cpp reports
  return tern::cli::guarded([&] { return tern::cli::run(argc, argv); });
}
