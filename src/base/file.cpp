// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/check_kind.h"

namespace tern {
namespace {

constexpr size_t kLargestWrite = size_t{1} << 30;  // Linux writes at most 2^31 - 4096 bytes per call

[[noreturn]] void fail_errno(const char* op, const std::string& path) {
  if (errno == ENOENT) fail_as<NotFound>(op, "{}: {}", path, std::strerror(errno));
  fail(op, "{}: {}", path, std::strerror(errno));
}

// A descriptor that is closed at the end of its scope.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

}  // namespace

std::string read_file(const std::string& path, uint64_t limit) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.value < 0) fail_errno("read", path);
  struct stat status {};
  if (::fstat(file.value, &status) != 0) fail_errno("read", path);
  check(!S_ISDIR(status.st_mode), "read", "{}: expected a file, got a directory", path);
  std::string content;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = ::read(file.value, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno("read", path);
    if (got == 0) return content;
    content.append(buffer, static_cast<size_t>(got));
    check(content.size() <= limit, "read", "{}: expected at most {} bytes, got more", path, limit);
  }
}

FileWriter::FileWriter(const std::string& path)
    : path_(path), descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) fail_errno("write", path_);
}

FileWriter::~FileWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void FileWriter::write(const void* data, size_t bytes) {
  const char* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t wrote = ::write(descriptor_, from, bytes < kLargestWrite ? bytes : kLargestWrite);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail_errno("write", path_);
    from += wrote;
    bytes -= static_cast<size_t>(wrote);
  }
}

void FileWriter::finish() {
  if (::fsync(descriptor_) != 0) fail_errno("write", path_);
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) fail_errno("write", path_);
}

void write_file_atomically(const std::string& path, const std::function<void(FileWriter&)>& fill) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  try {
    FileWriter file(temporary);
    fill(file);
    file.finish();
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail_errno("write", path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  const std::string parent = std::filesystem::path(path).parent_path().string();
  sync_directory(parent.empty() ? "." : parent);
}

void write_file_atomically(const std::string& path, std::string_view content) {
  write_file_atomically(path, [content](FileWriter& file) { file.write(content); });
}

void sync_directory(const std::string& path) {
  const Descriptor directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (directory.value < 0 || ::fsync(directory.value) != 0) fail_errno("sync", path);
}

}  // namespace tern
