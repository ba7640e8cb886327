// SPDX-License-Identifier: Apache-2.0
// Ctrl-C: long verbs end in an orderly way when asked to.
#pragma once

namespace tern::cli {

// From now on the first SIGINT or SIGTERM is only remembered; a second one ends the process as usual.
void catch_interrupts();

// The remembered signal's number, or 0.
int interrupted();

// The exit status after `interrupted()`: 128 plus its number, as shells have it.
int interrupted_status();

}  // namespace tern::cli
