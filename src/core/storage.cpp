// SPDX-License-Identifier: Apache-2.0
#include "core/storage.h"

#include <utility>

#include "core/device_memory.h"

namespace tern {

Storage::Storage(const Device& device, size_t bytes)
    : device_(device.for_storage()),
      bytes_(bytes),
      owned_(true),
      label_(device.memory().labels().current()),
      data_(device.memory().allocate(bytes)) {
  if (label_ != nullptr) label_->add(bytes);
}

Storage::Storage(const Device& device, void* data, size_t bytes, std::shared_ptr<const void> keeper)
    : device_(device.for_storage()), bytes_(bytes), owned_(false), data_(data), keeper_(std::move(keeper)) {}

Storage::~Storage() {
  if (!owned_) return;
  if (label_ != nullptr) label_->remove(bytes_);
  device_.memory().release(data_, bytes_);
}

}  // namespace tern
