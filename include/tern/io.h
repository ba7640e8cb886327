// SPDX-License-Identifier: Apache-2.0
// Tensors in files: safetensors and NumPy's .npy.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tern/packed_tensor.h"
#include "tern/tensor.h"

namespace tern {

// Every tensor of a safetensors file, in the order of the file. The file is checked wholly first. On a CPU device the
// tensors are views of the mapped file, which must not be changed while they live (saving over it is safe); what is
// written to them stays in memory. Throws Error naming the path and the tensor at fault.
std::vector<std::pair<std::string, Tensor>> load_safetensors(const std::string& path, const Device& device);

// Creates or replaces a safetensors file in one step: when anything fails, an older file stays as it was. The same
// tensors and metadata give the same bytes. Throws Error for a name given twice.
void save_safetensors(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata = {});

// What a safetensors file holds, packed tensors among it. These lie in the file as the u8 tensors that are their bytes,
// which any reader sees; the metadata "tern.packed.<name>": "<type> <shape>", as in "ternary [2560, 640]", says more.
struct StoredTensors {
  std::vector<std::pair<std::string, Tensor>> tensors;
  std::vector<std::pair<std::string, PackedTensor>> packed;
  std::map<std::string, std::string> metadata;  // the rest of it
};

// As load_safetensors, which gives bytes in the place of packed tensors. Bytes that are not of such values, and metadata
// that does not fit a tensor of the file, are an Error, too.
StoredTensors load_stored(const std::string& path, const Device& device);
// As save_safetensors. Metadata of the caller's must not begin with "tern.packed.".
void save_stored(const std::string& path, const StoredTensors& content);

// The array in a .npy file of f4, f2, i1, u1, i4, i8 or b1; one in Fortran order becomes a transposed view.
Tensor load_npy(const std::string& path, const Device& device);

// Creates or replaces a .npy file in one step. Throws Error for bf16, which NumPy lacks.
void save_npy(const std::string& path, const Tensor& tensor);

}  // namespace tern
