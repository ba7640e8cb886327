// SPDX-License-Identifier: Apache-2.0
// Work in a forked child.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

namespace tern::testing {

// Runs work() in a child process; whether it returned true there.
template <class Work>
bool in_child(Work work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work() ? 0 : 1);
  int status = 1;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace tern::testing
