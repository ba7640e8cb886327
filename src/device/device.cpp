// SPDX-License-Identifier: Apache-2.0
#include "tern/device.h"

#include <utility>

#include "device/backend.h"

namespace tern {

Device::Device(std::shared_ptr<Backend> backend) : backend_(std::move(backend)), memory_(backend_.get()) {}

std::string_view Device::name() const { return backend_->name(); }
std::string Device::description() const { return backend_->description(); }
std::string_view Device::isa() const { return backend_->isa(); }
int Device::threads() const { return backend_->threads(); }
void Device::synchronize() const { backend_->synchronize(); }
MemoryStatistics Device::memory_statistics() const { return backend_->statistics(); }
void Device::trim_memory() const { backend_->trim(); }
TernaryLayout Device::ternary_layout() const { return backend_->exec().ternary.layout; }
MatmulPrecision Device::matmul_precision() const { return backend_->exec().matmul_precision; }

}  // namespace tern
