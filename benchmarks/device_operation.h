// SPDX-License-Identifier: Apache-2.0
// What bench_device_ops measures.
#pragma once

#include <functional>
#include <string>

namespace tern::benchmarks {

struct Operation {
  std::string name;
  std::function<void()> check;  // throws where the result is wrong
  std::function<void()> run;
  bool recordable = true;
  double flops = 0;
};

}  // namespace tern::benchmarks
