// SPDX-License-Identifier: Apache-2.0
// The one exception type of the public API.
#pragma once

#include <stdexcept>
#include <string>

namespace tern {

// Thrown for every failure a caller can cause or meet: bad arguments, bad files, a full disk, no memory. The message
// reads
// `[operation] expected …, got …` and names the input at fault. An operation that throws leaves its inputs as they
// were.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace tern
