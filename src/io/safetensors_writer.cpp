// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/check.h"
#include "base/file.h"
#include "core/device_memory.h"
#include "io/names.h"
#include "io/safetensors.h"

namespace tern {
namespace {

constexpr const char* kOp = "safetensors";
constexpr size_t kAlignment = 8;
constexpr size_t kChunk = size_t{1} << 24;  // bytes on their way from a device to the file

size_t format_dtype(DType dtype) {
  const auto* found = std::find_if(kSafetensorsDTypes.begin(), kSafetensorsDTypes.end(),
                                   [dtype](const SafetensorsDType& candidate) { return candidate.dtype == dtype; });
  check(found != kSafetensorsDTypes.end(), kOp, "expected a dtype that the format has, got {}", name_of(dtype));
  return static_cast<size_t>(found - kSafetensorsDTypes.begin());
}

uint64_t bytes_of(const Tensor& tensor) { return static_cast<uint64_t>(tensor.numel()) * size_of(tensor.dtype()); }

// `text` as a JSON string, quotes included.
std::string json_string(const std::string& path, const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::type_error&) {
    fail(kOp, "{}: expected names and metadata in UTF-8, got {} bytes that are not", path, text.size());
  }
}

// The reference library's order: the dtypes' from the last to the first, then by name.
std::vector<const NamedTensor*> sorted(const std::string& path, std::span<const NamedTensor> tensors) {
  std::vector<const NamedTensor*> out;
  for (const NamedTensor& named : tensors) {
    check(named.second.defined(), kOp, "{}: expected tensors, got an undefined one as {}", path,
          quote_name(named.first));
    check(named.first != "__metadata__", kOp, "{}: expected names other than '__metadata__', got it", path);
    out.push_back(&named);
  }
  std::sort(out.begin(), out.end(), [](const NamedTensor* a, const NamedTensor* b) { return a->first < b->first; });
  const auto twin = std::adjacent_find(out.begin(), out.end(),
                                       [](const NamedTensor* a, const NamedTensor* b) { return a->first == b->first; });
  if (twin != out.end()) fail(kOp, "{}: expected each name once, got {} twice", path, quote_name((*twin)->first));
  std::stable_sort(out.begin(), out.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return format_dtype(a->second.dtype()) > format_dtype(b->second.dtype());
  });
  return out;
}

std::string metadata_text(const std::string& path, const std::map<std::string, std::string>& metadata) {
  std::vector<std::string> members;
  for (const auto& [key, value] : metadata) members.push_back(json_string(path, key) + ":" + json_string(path, value));
  return fmt::format("\"__metadata__\":{{{}}}", fmt::join(members, ","));
}

// The header's text, padded.
std::string header_text(const std::string& path, const std::vector<const NamedTensor*>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  std::vector<std::string> members;
  if (!metadata.empty()) members.push_back(metadata_text(path, metadata));
  uint64_t begin = 0;
  for (const NamedTensor* named : tensors) {
    const auto& [name, tensor] = *named;
    const uint64_t end = begin + bytes_of(tensor);
    members.push_back(fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", json_string(path, name),
                                  kSafetensorsDTypes[format_dtype(tensor.dtype())].name,
                                  fmt::join(tensor.shape().begin(), tensor.shape().end(), ","), begin, end));
    begin = end;
  }
  std::string text = fmt::format("{{{}}}", fmt::join(members, ","));
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  check(text.size() <= kLargestSafetensorsHeader, kOp, "{}: expected a header of at most {} bytes, got {}", path,
        kLargestSafetensorsHeader, text.size());
  return text;
}

void write_elements(FileWriter& file, const Tensor& tensor, std::vector<std::byte>& buffer) {
  const uint64_t bytes = bytes_of(tensor);
  if (!tensor.is_contiguous()) {
    buffer.resize(std::max<size_t>(buffer.size(), bytes));
    tensor.copy_to_host(std::span(buffer).first(bytes));
    file.write(buffer.data(), bytes);
    return;
  }
  const auto* from = static_cast<const std::byte*>(tensor.raw());
  for (uint64_t done = 0; done < bytes; done += kChunk) {
    const size_t part = std::min<uint64_t>(kChunk, bytes - done);
    buffer.resize(std::max(buffer.size(), part));
    tensor.device().memory().copy_to_host(buffer.data(), from + done, part);
    file.write(buffer.data(), part);
  }
}

}  // namespace

void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::vector<const NamedTensor*> order = sorted(path, tensors);
  const std::string header = header_text(path, order, metadata);
  const uint64_t length = header.size();
  write_file_atomically(path, [&](FileWriter& file) {
    file.write(&length, sizeof length);
    file.write(header);
    std::vector<std::byte> buffer;
    for (const NamedTensor* named : order) write_elements(file, named->second, buffer);
  });
}

}  // namespace tern
