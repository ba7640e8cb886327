// SPDX-License-Identifier: Apache-2.0
// Whole files: reading, and writing so that a reader never meets half a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace tern {

// The file's content. Throws Error naming the path when it cannot be read or is larger than `limit` bytes.
std::string read_file(const std::string& path, uint64_t limit = uint64_t{1} << 32);

// Appends to a file that is being written; every call throws Error naming the path when the disk is full or fails.
class FileWriter {
 public:
  explicit FileWriter(const std::string& path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // Flushes to the disk and closes.
  void finish();

 private:
  std::string path_;
  int descriptor_;
};

// Creates or replaces the file in one step: `fill` writes a temporary file beside it, which is flushed to the disk and
// renamed over `path`. When anything throws, the temporary file is removed and an older file stays as it was.
void write_file_atomically(const std::string& path, const std::function<void(FileWriter&)>& fill);
void write_file_atomically(const std::string& path, std::string_view content);

// Flushes a directory's entries (new names, renames) to the disk. Throws Error naming the path.
void sync_directory(const std::string& path);

}  // namespace tern
