// SPDX-License-Identifier: Apache-2.0
// Packed tensors in safetensors files (tern/io.h).
#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/check.h"
#include "io/names.h"
#include "io/safetensors.h"
#include "tern/io.h"

namespace tern {
namespace {

constexpr const char* kOp = "safetensors";
constexpr std::string_view kPrefix = "tern.packed.";

struct Description {
  PackedType type;
  Shape shape;
};

std::string text_of(const PackedTensor& tensor) {
  return fmt::format("{} {}", name_of(tensor.type()), to_string(tensor.shape()));
}

bool take(std::string_view& text, std::string_view part) {
  if (!text.starts_with(part)) return false;
  text.remove_prefix(part.size());
  return true;
}

// "[2, 3]", exactly as to_string() writes it.
std::optional<Shape> shape_from(std::string_view text) {
  Shape shape;
  if (!take(text, "[")) return std::nullopt;
  while (!take(text, "]")) {
    int64_t extent = 0;
    if (shape.rank() == kMaxRank || (shape.rank() > 0 && !take(text, ", "))) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
    if (error != std::errc() || extent < 0) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    shape.push_back(extent);
  }
  return text.empty() ? std::optional(shape) : std::nullopt;
}

Description description_from(std::string_view text) {
  const size_t space = std::min(text.find(' '), text.size());
  for (int i = 0; i < kPackedTypeCount; ++i) {
    const auto type = static_cast<PackedType>(i);
    if (name_of(type) != text.substr(0, space)) continue;
    if (const std::optional<Shape> shape = shape_from(text.substr(std::min(space + 1, text.size()))))
      return {type, *shape};
  }
  fail(kOp, "expected a packed type and a shape, as in 'ternary [2, 3]', got {}", quote_name(text));
}

PackedTensor packed_from(const std::string& path, const std::string& name, const std::string& text,
                         const Tensor& bytes) {
  try {
    const Description found = description_from(text);
    return PackedTensor::over(bytes, found.shape, found.type);
  } catch (const Error& error) {
    fail(kOp, "{}: packed tensor {}: {}", path, quote_name(name), error.what());
  }
}

}  // namespace

StoredTensors load_stored(const std::string& path, const Device& device) {
  const SafetensorsFile file(path);
  StoredTensors out;
  std::map<std::string, std::string> packed;
  for (const auto& [key, value] : file.metadata()) {
    if (!key.starts_with(kPrefix)) {
      out.metadata.emplace(key, value);
      continue;
    }
    const std::string name = key.substr(kPrefix.size());
    check(file.has(name), kOp, "{}: expected a tensor {}, which the metadata call packed, got none", path,
          quote_name(name));
    packed.emplace(name, value);
  }
  for (const std::string& name : file.names()) {
    const Tensor tensor = file.tensor(name, device);
    const auto found = packed.find(name);
    if (found == packed.end()) {
      out.tensors.emplace_back(name, tensor);
    } else {
      out.packed.emplace_back(name, packed_from(path, name, found->second, tensor));
    }
  }
  return out;
}

void save_stored(const std::string& path, const StoredTensors& content) {
  std::vector<NamedTensor> all(content.tensors.begin(), content.tensors.end());
  std::map<std::string, std::string> metadata = content.metadata;
  const auto reserved =
      std::ranges::find_if(metadata, [](const auto& entry) { return entry.first.starts_with(kPrefix); });
  check(reserved == metadata.end(), kOp, "{}: expected metadata that do not begin with '{}', got '{}'", path, kPrefix,
        reserved == metadata.end() ? "" : reserved->first);
  for (const auto& [name, tensor] : content.packed) {
    check(tensor.defined(), kOp, "{}: expected packed tensors, got an undefined one as {}", path, quote_name(name));
    all.emplace_back(name, tensor.bytes());
    metadata.emplace(std::string(kPrefix) + name, text_of(tensor));
  }
  write_safetensors(path, all, metadata);
}

}  // namespace tern
