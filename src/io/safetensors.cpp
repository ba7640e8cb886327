// SPDX-License-Identifier: Apache-2.0
#include "io/safetensors.h"

#include <algorithm>

#include "base/check.h"
#include "core/storage.h"
#include "io/booleans.h"
#include "io/names.h"

namespace tern {
namespace {

constexpr const char* kOp = "safetensors";

bool is_aligned(const std::byte* data, DType dtype) { return reinterpret_cast<uintptr_t>(data) % size_of(dtype) == 0; }

// A tensor over mapped bytes, which live as long as its storage. Storage is untyped: const goes, the contract stays.
Tensor view_of(std::shared_ptr<const MappedFile> file, std::span<const std::byte> bytes, const Shape& shape,
               DType dtype, const Device& device) {
  auto storage = std::make_shared<Storage>(device, const_cast<std::byte*>(bytes.data()), bytes.size(), std::move(file));
  return Tensor::over(std::move(storage), 0, shape, contiguous_strides(shape), dtype);
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path)
    : file_(std::make_shared<const MappedFile>(path)), header_(parse_safetensors_header(file_->bytes(), path)) {}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> out;
  for (const SafetensorsEntry& entry : header_.entries) out.push_back(entry.name);
  return out;
}

const SafetensorsEntry& SafetensorsFile::entry(std::string_view name) const {
  const SafetensorsEntry* found = header_.find(name);
  if (found == nullptr) fail_missing_name(kOp, path(), name, names());
  return *found;
}

SafetensorsInfo SafetensorsFile::info(std::string_view name) const {
  const SafetensorsEntry& found = entry(name);
  return {found.dtype->name, found.dtype->dtype, found.shape, found.end - found.begin};
}

std::span<const std::byte> SafetensorsFile::bytes(std::string_view name) const {
  const SafetensorsEntry& found = entry(name);
  return file_->bytes().subspan(found.begin, found.end - found.begin);
}

Tensor SafetensorsFile::tensor(std::string_view name, const Device& device) const {
  const SafetensorsEntry& found = entry(name);
  if (!found.dtype->dtype) {
    fail(kOp, "{}: tensor {}: expected a dtype that Tern reads, got {}", path(), quote_name(name), found.dtype->name);
  }
  const DType dtype = *found.dtype->dtype;
  const std::span<const std::byte> data = bytes(name);
  if (dtype == DType::boolean && !are_booleans(data)) {
    fail(kOp, "{}: tensor {}: expected BOOL values 0 and 1, got others", path(), quote_name(name));
  }
  const bool in_place = device.name() == "cpu" && !data.empty() && is_aligned(data.data(), dtype);
  return in_place ? view_of(file_, data, found.shape, dtype, device)
                  : Tensor::from_bytes(data, found.shape, dtype, device);
}

}  // namespace tern
