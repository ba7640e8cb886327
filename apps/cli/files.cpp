// SPDX-License-Identifier: Apache-2.0
#include "files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>

#include "tern/error.h"

namespace fs = std::filesystem;

namespace tern::cli {
namespace {

std::string slurp(std::istream& in, const std::string& name) {
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) throw Error(fmt::format("[read] {}: cannot read", name));
  return text;
}

// A name beside `path` that no other process takes.
fs::path temporary_beside(const fs::path& path) { return path.string() + fmt::format(".partial-{}", getpid()); }

[[noreturn]] void fail_to_write(const fs::path& path, const std::string& reason) {
  throw Error(fmt::format("[write] {}: {}", path.string(), reason));
}

// Removes what is left of an unfinished write.
class Cleanup {
 public:
  explicit Cleanup(fs::path path) : path_(std::move(path)) {}
  ~Cleanup() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;

 private:
  fs::path path_;
};

void move_over(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) fail_to_write(to, error.message());
}

}  // namespace

std::string read_text(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) throw Error(fmt::format("[read] {}: expected a file, got a directory", path));
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(fmt::format("[read] {}: {}", path, std::generic_category().message(errno)));
  return slurp(in, path);
}

bool there_is(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::string read_stdin() { return slurp(std::cin, "stdin"); }

void write_text(const fs::path& path, std::string_view text) {
  const fs::path temporary = temporary_beside(path);
  const Cleanup cleanup(temporary);
  std::ofstream out(temporary, std::ios::binary);
  out << text;
  out.close();
  if (!out) fail_to_write(path, std::generic_category().message(errno));
  move_over(temporary, path);
}

void create_directory_whole(const std::string& path, const std::function<void(const fs::path&)>& fill) {
  const fs::path target = fs::absolute(path).lexically_normal();
  const fs::path whole = target.has_filename() ? target : target.parent_path();
  std::error_code error;
  if (there_is(whole) && !fs::is_empty(whole, error)) {
    fail_to_write(path, "expected a new or empty directory, got one with something in it");
  }
  const fs::path temporary = temporary_beside(whole);
  const Cleanup cleanup(temporary);
  fs::create_directories(temporary, error);
  if (error) fail_to_write(path, error.message());
  fill(temporary);
  move_over(temporary, whole);
}

}  // namespace tern::cli
