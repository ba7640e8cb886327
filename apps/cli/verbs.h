// SPDX-License-Identifier: Apache-2.0
// The verbs of the program. Each has a file of its own, which declares its options and gives back what it does.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace tern::cli {

// Runs a verb whose options have been parsed; returns the exit status.
using Action = std::function<int()>;

Action add_bench(CLI::App& verb);
Action add_chat(CLI::App& verb);
Action add_devices(CLI::App& verb);
Action add_eval(CLI::App& verb);
Action add_info(CLI::App& verb);
Action add_logits(CLI::App& verb);
Action add_pack(CLI::App& verb);
Action add_run(CLI::App& verb);
Action add_tokenize(CLI::App& verb);
Action add_train(CLI::App& verb);

}  // namespace tern::cli
