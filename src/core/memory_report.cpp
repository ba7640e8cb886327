// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "core/storage.h"
#include "tern/memory.h"
#include "tern/tensor.h"

namespace tern {

TensorMemory memory_report(const Tensor& tensor) {
  const std::shared_ptr<Storage>& storage = tensor.storage();
  return {.dtype = tensor.dtype(),
          .shape = tensor.shape(),
          .strides = tensor.strides(),
          .contiguous = tensor.is_contiguous(),
          .bytes = static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype()),
          .storage_bytes = storage->bytes(),
          .offset = static_cast<std::byte*>(tensor.raw()) - static_cast<std::byte*>(storage->data()),
          .sharers = storage.use_count(),
          .owned = storage->owned(),
          .label = storage->label() == nullptr ? std::string() : storage->label()->name};
}

std::string to_string(const TensorMemory& m) {
  return fmt::format("{} {}, strides {}: {} bytes at {} of {} of {}{}, {} {}", name_of(m.dtype), to_string(m.shape),
                     to_string(m.strides), m.bytes, m.offset, m.owned ? "a block" : "another's block", m.storage_bytes,
                     m.label.empty() ? std::string() : fmt::format(", '{}'", m.label), m.sharers,
                     m.sharers == 1 ? "tensor" : "tensors");
}

}  // namespace tern
