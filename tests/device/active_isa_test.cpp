// SPDX-License-Identifier: Apache-2.0
// The suite runs once per instruction set under TERN_ISA=…: this proves that the forced one is the active one.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "support/fails_with.h"
#include "tern/device.h"

namespace tern {
namespace {

using testing::fails_with;

// Sets TERN_ISA for a scope.
class ForcedIsa {
 public:
  explicit ForcedIsa(const char* value) {
    if (const char* old = std::getenv("TERN_ISA")) old_ = old;
    ::setenv("TERN_ISA", value, 1);
  }
  ~ForcedIsa() { old_ ? ::setenv("TERN_ISA", old_->c_str(), 1) : ::unsetenv("TERN_ISA"); }
  ForcedIsa(const ForcedIsa&) = delete;
  ForcedIsa& operator=(const ForcedIsa&) = delete;

 private:
  std::optional<std::string> old_;
};

TEST(ActiveIsa, IsTheOneThatThisRunForces) {
  const char* forced = std::getenv("TERN_ISA");
  const std::string expected = forced && *forced ? forced : Device::cpu_isas().back();
  const Device device = Device::open("cpu");
  EXPECT_EQ(device.isa(), expected);
  EXPECT_NE(device.description().find(expected), std::string::npos);
}

TEST(ActiveIsa, FollowsTheEnvironment) {
  for (const std::string& isa : Device::cpu_isas()) {
    const ForcedIsa forced(isa.c_str());
    EXPECT_EQ(Device::open("cpu").isa(), isa);
  }
}

TEST(ActiveIsa, EmptyMeansTheBest) {
  const ForcedIsa forced("");
  EXPECT_EQ(Device::open("cpu").isa(), Device::cpu_isas().back());
}

TEST(ActiveIsa, TheArgumentGoesBeforeTheEnvironment) {
  const ForcedIsa forced("avx7");
  DeviceOptions options;
  options.isa = "scalar";
  EXPECT_EQ(Device::open("cpu", options).isa(), "scalar");
}

TEST(ActiveIsa, UnknownOnesAreNamed) {
  const ForcedIsa forced("avx7");
  EXPECT_TRUE(fails_with("[TERN_ISA] expected one of scalar, ", [] { Device::open("cpu"); }));
  EXPECT_TRUE(fails_with("got 'avx7'", [] { Device::open("cpu"); }));
  for (const std::string& isa : Device::cpu_isas()) EXPECT_TRUE(fails_with(isa, [] { Device::open("cpu"); }));
  DeviceOptions options;
  options.isa = "neon9";
  EXPECT_TRUE(fails_with("[isa] expected one of", [&] { Device::open("cpu", options); }));
  EXPECT_TRUE(fails_with("got 'neon9'", [&] { Device::open("cpu", options); }));
}

TEST(ActiveIsa, ThreadsAreChecked) {
  DeviceOptions options;
  for (const int threads : {-1, 1 << 20}) {
    options.threads = threads;
    EXPECT_TRUE(fails_with("[threads] expected 0 (one per core) to", [&] { Device::open("cpu", options); }));
  }
  options.threads = 3;
  EXPECT_EQ(Device::open("cpu", options).threads(), 3);
}

}  // namespace
}  // namespace tern
