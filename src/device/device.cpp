// SPDX-License-Identifier: Apache-2.0
#include "tern/device.h"

#include <array>
#include <utility>

#include "base/named_enum.h"
#include "device/backend.h"

namespace tern {
namespace {

constexpr std::array<std::string_view, 2> kLayoutNames = {"two_bit", "base3"};

}  // namespace

std::string_view name_of(TernaryLayout layout) { return kLayoutNames[static_cast<size_t>(layout)]; }

TernaryLayout ternary_layout_from_name(std::string_view name) {
  return enum_from_name<TernaryLayout>("layout", kLayoutNames, name);
}

Device::Device(std::shared_ptr<Backend> backend) : backend_(std::move(backend)), memory_(backend_.get()) {}

std::string_view Device::name() const { return backend_->name(); }
std::string Device::description() const { return backend_->description(); }
std::string_view Device::isa() const { return backend_->isa(); }
int Device::threads() const { return backend_->threads(); }
TernaryLayout Device::ternary_layout() const { return backend_->exec().ternary.layout; }

}  // namespace tern
