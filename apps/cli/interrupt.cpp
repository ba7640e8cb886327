// SPDX-License-Identifier: Apache-2.0
#include "interrupt.h"

#include <signal.h>

namespace tern::cli {
namespace {

volatile sig_atomic_t caught = 0;  // a signal handler can reach nothing but globals

extern "C" void remember(int signal) { caught = signal; }

}  // namespace

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = remember;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int interrupted() { return caught; }

int interrupted_status() { return 128 + caught; }

}  // namespace tern::cli
