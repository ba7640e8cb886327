// SPDX-License-Identifier: Apache-2.0
// Ctrl-C: long verbs end in an orderly way when asked to.
#pragma once

namespace tern::cli {

// From now on the first SIGINT or SIGTERM is only remembered; a second one ends the process as usual.
void catch_interrupts();

// From now on signals end the process again.
void release_interrupts();

// The remembered signal's number, or 0.
int interrupted();

// Whether it is Ctrl-C's; and as if it had not come.
bool interrupted_by_keyboard();
void forget_interrupt();

// The exit status after `interrupted()`: 128 plus its number, as shells have it.
int interrupted_status();

}  // namespace tern::cli
