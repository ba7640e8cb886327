// SPDX-License-Identifier: Apache-2.0
#include "tern/device.h"

#include <array>
#include <utility>

#include "base/named_enum.h"
#include "device/backend.h"

namespace tern {
namespace {

constexpr std::array<std::string_view, 2> kLayoutNames = {"two_bit", "base3"};
constexpr std::array<std::string_view, 2> kPrecisionNames = {"f32", "bf16"};

}  // namespace

std::string_view name_of(TernaryLayout layout) { return kLayoutNames[static_cast<size_t>(layout)]; }

TernaryLayout ternary_layout_from_name(std::string_view name) {
  return enum_from_name<TernaryLayout>("layout", kLayoutNames, name);
}

std::string_view name_of(MatmulPrecision precision) { return kPrecisionNames[static_cast<size_t>(precision)]; }

MatmulPrecision matmul_precision_from_name(std::string_view name) {
  return enum_from_name<MatmulPrecision>("precision", kPrecisionNames, name);
}

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
