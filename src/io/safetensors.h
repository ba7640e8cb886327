// SPDX-License-Identifier: Apache-2.0
// Tensors in safetensors files: one file, a model directory's set of files, and writing.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "io/safetensors_header.h"
#include "tern/tensor.h"

namespace tern {

using NamedTensor = std::pair<std::string, Tensor>;

// What a file says of a tensor.
struct SafetensorsInfo {
  std::string_view dtype_name;  // the format's: "F32"
  std::optional<DType> dtype;   // none for a type that Tern cannot read
  Shape shape;
  uint64_t bytes = 0;
};

// A file, mapped into memory. It must not be truncated or written to while this or a tensor of it lives.
class SafetensorsFile {
 public:
  // Opens and checks the whole layout (safetensors_header.h). Throws Error naming the path.
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return file_->path(); }
  // In the order of the data.
  std::vector<std::string> names() const;
  bool has(std::string_view name) const { return header_.find(name) != nullptr; }
  // Throws Error, with near names, when there is no such tensor.
  SafetensorsInfo info(std::string_view name) const;
  // The tensor on the device. On a CPU device it is a view of the mapping, which it keeps alive, and must not be
  // written to; where the data is not aligned for its type it is a copy. Throws Error, with near names, when there is
  // no such tensor, when Tern has no such type, and when a BOOL is neither 0 nor 1.
  Tensor tensor(std::string_view name, const Device& device) const;
  // The tensor's bytes in the mapping, as they lie in the file. Throws Error, with near names, when there is none.
  std::span<const std::byte> bytes(std::string_view name) const;
  // Says that the tensor will not be read again soon: its pages leave the process's resident memory.
  void release(std::string_view name) const { file_->release(bytes(name)); }
  // The strings under __metadata__.
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }

 private:
  const SafetensorsEntry& entry(std::string_view name) const;

  std::shared_ptr<const MappedFile> file_;
  SafetensorsHeader header_;
};

// The weights of a model directory: model.safetensors or, in its absence, the files that model.safetensors.index.json
// lists.
class SafetensorsSet {
 public:
  // Opens and checks every file. Throws Error when there are no weights, when the index names a file outside the
  // directory or a tensor that is not in the file it names, and when a tensor is in two files.
  explicit SafetensorsSet(const std::string& directory);

  // Those of the first file, then those of the second, …
  std::vector<std::string> names() const;
  bool has(std::string_view name) const { return owner(name) != nullptr; }
  // As in SafetensorsFile.
  SafetensorsInfo info(std::string_view name) const { return require(name).info(name); }
  Tensor tensor(std::string_view name, const Device& device) const { return require(name).tensor(name, device); }
  std::span<const std::byte> bytes(std::string_view name) const { return require(name).bytes(name); }
  void release(std::string_view name) const { require(name).release(name); }

  const std::vector<SafetensorsFile>& files() const { return files_; }

 private:
  const SafetensorsFile* owner(std::string_view name) const;
  const SafetensorsFile& require(std::string_view name) const;
  void check_unique() const;

  std::string directory_;
  std::vector<SafetensorsFile> files_;
};

// Creates or replaces the file in one step (base/file.h). The bytes depend on the arguments alone and are those of the
// reference library: wider types first, then by name; the header padded with spaces to 8 bytes, so every tensor is
// aligned. Views are written in row-major order. Throws Error for a name given twice, "__metadata__" or text that is
// not UTF-8.
void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace tern
