// SPDX-License-Identifier: Apache-2.0
// A lock on a directory, so that two processes do not train in it at once.
#pragma once

#include <string>

namespace tern {

// Held by this object, or until the process ends in whatever way; leaves no file behind.
class DirectoryLock {
 public:
  // Throws Error when another process (or object) holds it.
  explicit DirectoryLock(const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace tern
