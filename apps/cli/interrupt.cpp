// SPDX-License-Identifier: Apache-2.0
#include "interrupt.h"

#include <signal.h>

namespace tern::cli {
namespace {

volatile sig_atomic_t caught = 0;  // a signal handler can reach nothing but globals

extern "C" void remember(int signal) { caught = signal; }

void handle_with(void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

void catch_interrupts() { handle_with(remember, SA_RESTART | static_cast<int>(SA_RESETHAND)); }

void release_interrupts() { handle_with(SIG_DFL, 0); }

int interrupted() { return caught; }

bool interrupted_by_keyboard() { return caught == SIGINT; }

void forget_interrupt() { caught = 0; }

int interrupted_status() { return 128 + caught; }

}  // namespace tern::cli
