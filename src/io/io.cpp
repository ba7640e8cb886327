// SPDX-License-Identifier: Apache-2.0
#include "tern/io.h"

#include "io/npy.h"
#include "io/safetensors.h"

namespace tern {

std::vector<std::pair<std::string, Tensor>> load_safetensors(const std::string& path, const Device& device) {
  const SafetensorsFile file(path);
  std::vector<NamedTensor> out;
  for (const std::string& name : file.names()) out.emplace_back(name, file.tensor(name, device));
  return out;
}

void save_safetensors(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  write_safetensors(path, tensors, metadata);
}

Tensor load_npy(const std::string& path, const Device& device) { return read_npy(path, device); }

void save_npy(const std::string& path, const Tensor& tensor) { write_npy(path, tensor); }

}  // namespace tern
