// SPDX-License-Identifier: Apache-2.0
// A CPU with some kernels of a test's own.
#pragma once

#include <string>
#include <utility>

#include "device/backend.h"
#include "tern/device.h"

namespace tern::testing {

class WrappedCpu : public Backend {
 public:
  // `what` it does, for its description.
  WrappedCpu(Device cpu, std::string what)
      : cpu_(std::move(cpu)), what_(std::move(what)), table_(cpu_.backend().kernels()) {
    kernels_ = &table_;
    exec_ = cpu_.backend().exec();
  }

  std::string_view name() const override { return cpu_.name(); }
  std::string description() const override { return cpu_.description() + " that " + what_; }
  std::string_view isa() const override { return cpu_.isa(); }
  int threads() const override { return cpu_.threads(); }
  void* allocate(size_t bytes) override { return cpu_.memory().allocate(bytes); }
  void release(void* data, size_t bytes) noexcept override { cpu_.memory().release(data, bytes); }
  MemoryStatistics statistics() const override { return cpu_.memory_statistics(); }
  void trim() override { cpu_.trim_memory(); }
  void zero(void* to, size_t bytes) override { cpu_.memory().zero(to, bytes); }
  void copy_to_device(void* to, const void* from, size_t bytes) override {
    cpu_.memory().copy_to_device(to, from, bytes);
  }
  void copy_to_host(void* to, const void* from, size_t bytes) override { cpu_.memory().copy_to_host(to, from, bytes); }

 protected:
  Kernels& table() { return table_; }

 private:
  Device cpu_;
  std::string what_;
  Kernels table_;
};

}  // namespace tern::testing
