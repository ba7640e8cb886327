// SPDX-License-Identifier: Apache-2.0
#include "core/storage.h"

#include <utility>

namespace tern {

Storage::Storage(Device device, void* data, size_t bytes, Release release)
    : device_(std::move(device)), data_(data), bytes_(bytes), release_(std::move(release)) {}

Storage::~Storage() {
  if (release_) release_(data_, bytes_);
}

}  // namespace tern
