// SPDX-License-Identifier: Apache-2.0
// A model directory's weights: one file, or shards with an index
// ({"metadata": …, "weight_map": {"<tensor>": "<file>", …}}).
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/file.h"
#include "io/json.h"
#include "io/names.h"
#include "io/safetensors.h"

namespace tern {
namespace {

constexpr const char* kOp = "safetensors";
constexpr const char* kSingleName = "model.safetensors";
constexpr const char* kIndexName = "model.safetensors.index.json";

using WeightMap = std::map<std::string, std::string>;  // tensor → file

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name != "." && name.find("..") == name.npos &&
         name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
}

WeightMap read_weight_map(const std::string& path) {
  const nlohmann::json index = parse_json(kOp, path, read_file(path, kLargestSafetensorsHeader));
  const bool has_map = index.is_object() && index.contains("weight_map") && index["weight_map"].is_object();
  check(has_map, kOp, "{}: expected an object with an object 'weight_map', got none", path);
  WeightMap out;
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    if (!is_plain_file_name(name)) {
      fail(kOp, "{}: tensor {}: expected the name of a file in the same directory, got {}", path, quote_name(tensor),
           file.is_string() ? quote_name(name) : file.type_name());
    }
    out.emplace(tensor, name);
  }
  check(!out.empty(), kOp, "{}: expected tensors in 'weight_map', got none", path);
  return out;
}

std::vector<std::string> shards_of(const WeightMap& map) {
  std::vector<std::string> out;
  for (const auto& [tensor, file] : map) out.push_back(file);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace

SafetensorsSet::SafetensorsSet(const std::string& directory) : directory_(directory) {
  const std::filesystem::path root(directory);
  std::error_code ignored;
  if (std::filesystem::exists(root / kSingleName, ignored)) {
    files_.emplace_back((root / kSingleName).string());
    return;
  }
  check(std::filesystem::exists(root / kIndexName, ignored), kOp, "{}: expected a directory with {} or {}, got neither",
        directory, kSingleName, kIndexName);
  const WeightMap map = read_weight_map((root / kIndexName).string());
  const std::vector<std::string> shards = shards_of(map);
  for (const std::string& shard : shards) files_.emplace_back((root / shard).string());
  for (const auto& [tensor, shard] : map) {
    const auto index = static_cast<size_t>(std::lower_bound(shards.begin(), shards.end(), shard) - shards.begin());
    check(files_[index].has(tensor), kOp, "{}: expected tensor {}, which {} lists there, got none",
          files_[index].path(), quote_name(tensor), kIndexName);
  }
  check_unique();
}

std::vector<std::string> SafetensorsSet::names() const {
  std::vector<std::string> out;
  for (const SafetensorsFile& file : files_) {
    for (std::string& name : file.names()) out.push_back(std::move(name));
  }
  return out;
}

void SafetensorsSet::check_unique() const {
  std::vector<std::string> all = names();
  std::sort(all.begin(), all.end());
  const auto twin = std::adjacent_find(all.begin(), all.end());
  if (twin != all.end())
    fail(kOp, "{}: expected each tensor in one file, got {} in two", directory_, quote_name(*twin));
}

const SafetensorsFile* SafetensorsSet::owner(std::string_view name) const {
  const auto found =
      std::find_if(files_.begin(), files_.end(), [name](const SafetensorsFile& file) { return file.has(name); });
  return found == files_.end() ? nullptr : &*found;
}

const SafetensorsFile& SafetensorsSet::require(std::string_view name) const {
  const SafetensorsFile* file = owner(name);
  if (file == nullptr) fail_missing_name(kOp, directory_, name, names());
  return *file;
}

}  // namespace tern
