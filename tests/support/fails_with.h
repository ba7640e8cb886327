// SPDX-License-Identifier: Apache-2.0
// EXPECT_TRUE(fails_with("part of the message", [&] { … })): an Error, and the right one.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tern/error.h"

namespace tern::testing {

// Success when f throws tern::Error whose message has the form "[op] …" and contains `part`. Other exceptions pass
// through.
template <class F>
::testing::AssertionResult fails_with(std::string_view part, F&& f) {
  try {
    f();
  } catch (const Error& error) {
    const std::string_view message = error.what();
    if (message.substr(0, 1) == "[" && message.find(part) != message.npos) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "expected an error with \"" << part << "\", got \"" << message << "\"";
  }
  return ::testing::AssertionFailure() << "expected an error with \"" << part << "\", got none";
}

}  // namespace tern::testing
