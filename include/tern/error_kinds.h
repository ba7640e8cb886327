// SPDX-License-Identifier: Apache-2.0
// Kinds of Error, for callers that answer some in their own way. Every other failure is a plain Error.
#pragma once

#include "tern/error.h"

namespace tern {

// A dtype that an operation does not know, or that differs from another one where it must not.
class WrongType : public Error {
 public:
  using Error::Error;
};

// An index, an id or an axis that there is not.
class OutOfRange : public Error {
 public:
  using Error::Error;
};

// The device has no memory, or no more than it was granted.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

// A file or a directory that is not there.
class NotFound : public Error {
 public:
  using Error::Error;
};

}  // namespace tern
