// SPDX-License-Identifier: Apache-2.0
#include "train/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace tern {

DirectoryLock::DirectoryLock(const std::string& directory)
    : descriptor_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  check(descriptor_ >= 0, "train", "{}: {}", directory, std::strerror(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  const int error = errno;
  ::close(descriptor_);
  check(error != EWOULDBLOCK, "train", "{}: expected a directory that nobody trains in, got one that another run holds",
        directory);
  fail("train", "{}: cannot lock it: {}", directory, std::strerror(error));
}

DirectoryLock::~DirectoryLock() { ::close(descriptor_); }

}  // namespace tern
