// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoint_store.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/check.h"
#include "base/file.h"
#include "base/mapped_file.h"
#include "io/json.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kManifest = "trainer.json";
constexpr std::string_view kPrefix = "step-";

void require(const std::error_code& error, const std::string& path) {
  check(!error, "checkpoint", "{}: {}", path, error.message());
}

// Names in a directory, sorted; none when it does not exist.
std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  if (!fs::exists(directory, error)) return names;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  require(error, directory);
  std::sort(names.begin(), names.end());
  return names;
}

// The step of a finished directory's name.
std::optional<int64_t> step_of(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  return error == std::errc() && stop == end && step >= 0 ? std::optional(step) : std::nullopt;
}

std::string hash_of(std::string_view bytes) { return fmt::format("{:016x}", XXH3_64bits(bytes.data(), bytes.size())); }

Json fingerprint(const std::string& path) {
  const MappedFile file(path);
  const std::string_view content(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  return {{"size", content.size()}, {"xxh3", hash_of(content)}};
}

void sync_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  const std::error_code error(errno, std::generic_category());
  if (descriptor >= 0) ::close(descriptor);
  check(synced, "checkpoint", "{}: {}", path, error.message());
}

// trainer.json: {"content": {"state": …, "files": {name: {"size": …, "xxh3": …}}}, "xxh3": of the compact content}.
void write_manifest(const std::string& directory, const Json& state) {
  Json files = Json::object();
  for (const std::string& name : names_in(directory)) {
    sync_file(directory + "/" + name);
    files[name] = fingerprint(directory + "/" + name);
  }
  const Json content = {{"state", state}, {"files", files}};
  const Json manifest = {{"content", content}, {"xxh3", hash_of(content.dump())}};
  write_file_atomically(directory + "/" + kManifest, manifest.dump(2) + "\n");
}

void rename_or_fail(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::rename(from, to, error);
  require(error, from);
}

// Gives the name `path` free for a whole checkpoint: whatever has it was passed over as damaged.
void set_aside(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return;
  const std::string aside = path + ".damaged";
  fs::remove_all(aside, error);
  require(error, aside);
  rename_or_fail(path, aside);
}

void verify_file(const std::string& path, const Json& expected) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  require(error, path);
  check(size == expected.at("size").get<uint64_t>(), "checkpoint", "{}: expected {} bytes, got {}", path,
        expected.at("size").dump(), size);
  const Json actual = fingerprint(path);
  check(actual == expected, "checkpoint", "{}: expected checksum {}, got {}", path, expected.at("xxh3").dump(),
        actual.at("xxh3").dump());
}

}  // namespace

std::vector<int64_t> CheckpointStore::steps() const {
  std::vector<int64_t> out;
  for (const std::string& name : names_in(root_)) {
    if (const std::optional<int64_t> step = step_of(name)) out.push_back(*step);
  }
  std::sort(out.rbegin(), out.rend());
  return out;
}

std::string CheckpointStore::path(int64_t step) const { return fmt::format("{}/{}{:06d}", root_, kPrefix, step); }

void CheckpointStore::write(int64_t step, const Json& state,
                            const std::function<void(const std::string&)>& fill) const {
  const std::string temporary = fmt::format("{}.tmp-{}", path(step), ::getpid());
  std::error_code error;
  try {
    fs::create_directories(temporary, error);
    require(error, temporary);
    fill(temporary);
    write_manifest(temporary, state);
    sync_directory(temporary);
    set_aside(path(step));
    rename_or_fail(temporary, path(step));
  } catch (...) {
    fs::remove_all(temporary, error);
    throw;
  }
  sync_directory(root_);
}

Json CheckpointStore::verified_state(int64_t step) const {
  const std::string directory = path(step);
  const std::string manifest_path = directory + "/" + kManifest;
  const Json manifest = parse_json("checkpoint", manifest_path, read_file(manifest_path));
  try {
    const Json& content = manifest.at("content");
    check(manifest.at("xxh3") == hash_of(content.dump()), "checkpoint", "{}: expected checksum {}, got {}",
          manifest_path, manifest.at("xxh3").dump(), hash_of(content.dump()));
    for (const auto& [name, expected] : content.at("files").items()) verify_file(directory + "/" + name, expected);
    return content.at("state");
  } catch (const Json::exception& e) {
    fail("checkpoint", "{}: expected a checkpoint's manifest: {}", manifest_path, e.what());
  }
}

void CheckpointStore::remove_leftovers() const {
  for (const std::string& name : names_in(root_)) {
    const size_t suffix = name.find(".tmp-");
    if (suffix == std::string::npos || !step_of(std::string_view(name).substr(0, suffix))) continue;
    std::error_code error;
    fs::remove_all(root_ + "/" + name, error);
    require(error, root_ + "/" + name);
  }
}

void CheckpointStore::prune(int64_t newest, int64_t keep) const {
  for (int64_t step : steps()) {
    if (step > newest || keep-- > 0) continue;
    std::error_code error;
    fs::remove_all(path(step), error);
    require(error, path(step));
  }
}

}  // namespace tern
