// SPDX-License-Identifier: Apache-2.0
// A file mapped into memory, read-only.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace tern {

// The mapping lives as long as the object. Writing through it is a fault; if another process truncates the file while
// it is mapped, reading past the new end is one, too.
class MappedFile {
 public:
  // Throws Error naming the path when it is not a readable regular file.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

  // Says that these bytes of the mapping will not be read again soon: the whole pages among them leave the process's
  // resident memory (not the page cache), and come back when they are read.
  void release(std::span<const std::byte> bytes) const noexcept;

 private:
  std::string path_;
  std::span<const std::byte> bytes_;
};

}  // namespace tern
