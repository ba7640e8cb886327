// SPDX-License-Identifier: Apache-2.0
// What one rendering carries along: its budget, its clock, and the values that live as long as it does.
#pragma once

#include <ctime>
#include <deque>

#include "jinja/value.h"

namespace tern::jinja {

class Runtime {
 public:
  Runtime(const Limits& limits, const std::tm& now) : budget(limits), now_(now) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // The time that strftime_now tells.
  const std::tm& now() const { return now_; }

  Namespace* make_namespace() {
    budget.make(sizeof(Namespace) + 64);
    return &spaces_.emplace_back();
  }

  Budget budget;
  int line = 0;  // of the node that is evaluated

 private:
  std::tm now_;
  std::deque<Namespace> spaces_;  // may hold each other; they die together
};

}  // namespace tern::jinja
