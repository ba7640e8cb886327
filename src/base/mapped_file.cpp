// SPDX-License-Identifier: Apache-2.0
#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/check_kind.h"

namespace tern {

MappedFile::MappedFile(const std::string& path) : path_(path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  check_as<NotFound>(descriptor >= 0 || errno != ENOENT, "open", "{}: {}", path, std::strerror(errno));
  check(descriptor >= 0, "open", "{}: {}", path, std::strerror(errno));
  struct stat status {};
  const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  const size_t size = regular ? static_cast<size_t>(status.st_size) : 0;
  // Who writes to it writes to pages of his own: the file stays as it is. The system is asked for no more than what is
  // written, however large the file.
  void* data = size > 0 ? ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0) : nullptr;
  const int error = errno;
  ::close(descriptor);
  check(regular, "open", "{}: expected a regular file", path);
  check(data != MAP_FAILED, "open", "{}: {}", path, std::strerror(error));
  bytes_ = {static_cast<const std::byte*>(data), size};
}

void MappedFile::release(std::span<const std::byte> bytes) const noexcept {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto at = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t begin = (at + page - 1) / page * page, end = (at + bytes.size()) / page * page;
  // A refusal leaves the pages where they are, which is only a waste.
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace tern
