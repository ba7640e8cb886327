// SPDX-License-Identifier: Apache-2.0
#include "tern/device.h"

#include <algorithm>
#include <utility>

#include "device/backend.h"

namespace tern {
namespace {

std::vector<MemoryLeak> leaks_of(const Backend& backend) {
  const MemoryStatistics all = backend.statistics();
  MemoryLeak rest = {"", all.live, all.blocks};
  std::vector<MemoryLeak> leaks;
  for (const LabelStatistics& label : backend.labels().statistics()) {
    if (label.blocks > 0) leaks.push_back({label.label, label.live, label.blocks});
    rest.bytes -= std::min(rest.bytes, label.live);
    rest.blocks -= std::min(rest.blocks, label.blocks);
  }
  if (rest.blocks > 0) leaks.push_back(rest);
  std::ranges::stable_sort(leaks, std::ranges::greater(), &MemoryLeak::bytes);
  return leaks;
}

// What Device::close_ ends as.
class CloseReport {
 public:
  CloseReport(std::shared_ptr<Backend> backend, LeakHandler handler)
      : backend_(std::move(backend)), handler_(std::move(handler)) {}
  CloseReport(const CloseReport&) = delete;
  CloseReport& operator=(const CloseReport&) = delete;
  ~CloseReport() {
    try {
      const std::vector<MemoryLeak> leaks = leaks_of(*backend_);
      if (!leaks.empty()) handler_(leaks);
    } catch (...) {
      // Nobody is there to catch it.
    }
  }

 private:
  std::shared_ptr<Backend> backend_;
  LeakHandler handler_;
};

}  // namespace

Device::Device(std::shared_ptr<Backend> backend, LeakHandler on_close)
    : backend_(std::move(backend)), memory_(backend_.get()) {
  if (on_close) close_ = std::make_shared<CloseReport>(backend_, std::move(on_close));
}

std::string_view Device::name() const { return backend_->name(); }
std::string Device::description() const { return backend_->description(); }
std::string_view Device::isa() const { return backend_->isa(); }
int Device::threads() const { return backend_->threads(); }
void Device::synchronize() const { backend_->synchronize(); }
MemoryStatistics Device::memory_statistics() const { return backend_->statistics(); }
std::vector<LabelStatistics> Device::memory_labels() const { return backend_->labels().statistics(); }
std::vector<MemoryLeak> Device::memory_leaks() const { return leaks_of(*backend_); }
void Device::trim_memory() const { backend_->trim(); }
TernaryLayout Device::ternary_layout() const { return backend_->exec().ternary.layout; }
MatmulPrecision Device::matmul_precision() const { return backend_->exec().matmul_precision; }

}  // namespace tern
