// SPDX-License-Identifier: Apache-2.0
// Device: a handle to one machine that stores tensors and runs kernels on them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tern/matmul_precision.h"
#include "tern/memory.h"
#include "tern/ternary_layout.h"

namespace tern {

class Backend;
class DeviceMemory;

using LeakHandler = std::function<void(const std::vector<MemoryLeak>& leaks)>;

struct DeviceOptions {
  // Threads of a CPU device, the caller's included; 0 takes one per core the process may run on. Results never depend
  // on it.
  int threads = 0;
  // Instruction set of a CPU device, one of Device::cpu_isas(); empty takes TERN_ISA if set, else the best of the
  // machine.
  std::string isa = {};
  // Measures this machine for about a fifth of a second and takes the layout and the tile sizes that are fastest on it.
  bool tune = false;
  // The layout of ternary matrices; unset takes the measured one, two_bit where nothing was measured.
  std::optional<TernaryLayout> ternary_layout = {};
  // The precision of dense products; a CPU keeps f32. bf16 is for training: a row's result may then depend on how many
  // rows there are.
  MatmulPrecision matmul_precision = MatmulPrecision::f32;
  // Which of the machine's GPUs, counted from 0; a CPU device takes no notice.
  int ordinal = 0;
  // Bytes that the device may allocate, a GPU in whole pages of 2 MiB; 0 for as many as there are. An allocation beyond
  // throws Error, and everything stays usable.
  size_t memory_limit = 0;
  // Called when the last handle of the device that no tensor holds goes while tensors, or others who own memory of it,
  // remain: with what they hold, by label. The device itself stays until they are gone. For programs that are to end with
  // nothing; what it throws is lost. Handles that Tensor::device() gave do not count.
  LeakHandler on_close = {};
};

// What a device can do at best, measured with all of its threads.
struct DeviceProbe {
  double read_gb_per_s = 0;   // reading memory that no cache holds; the best of several runs
  double int8_peak_gops = 0;  // 10^9 multiplications and additions (two for a product) of int8 products a second, with the
                              // instructions of the ternary product and its operands in registers; the best
  double clock_mhz = 0;       // of one busy core
};

struct DeviceProbeOptions {
  double seconds = 0.5;             // about
  size_t bytes = size_t{1} << 30;   // memory to read, which should be several times the caches
};

// A cheap value: copies share the device. It owns the device's threads and memory, which live until the last tensor and
// the last handle are gone. Safe to use from several threads.
class Device {
 public:
  Device() = default;
  explicit Device(std::shared_ptr<Backend> backend, LeakHandler on_close = {});

  // Opens a device by name ("cpu", "cuda"). Throws Error for an unknown name, a device that this build or this machine
  // lacks, an unknown instruction set or one this machine lacks.
  static Device open(std::string_view name = "cpu", const DeviceOptions& options = {});

  // Names that open() knows, in order of preference, whether this machine has the device or not.
  static std::vector<std::string> names();

  // Instruction sets a CPU device can be opened with on this machine, slowest first.
  static std::vector<std::string> cpu_isas();

  // "cpu", "cuda".
  std::string_view name() const;
  // What the device is, for people: "cpu (avx2, 2 threads)".
  std::string description() const;
  // The active instruction set of a CPU device; the architecture of a GPU: "sm_90".
  std::string_view isa() const;
  int threads() const;
  // The layout that matrices are packed in.
  TernaryLayout ternary_layout() const;
  // The precision that dense products have here.
  MatmulPrecision matmul_precision() const;

  // Waits until everything that was asked of the device is done: a GPU works while the host goes on. Throws Error for what
  // failed meanwhile.
  void synchronize() const;

  MemoryStatistics memory_statistics() const;
  // Of the tensors that were made under a MemoryLabel, by name.
  std::vector<LabelStatistics> memory_labels() const;
  // What is allocated at this moment by label, largest first; nothing where all is released.
  std::vector<MemoryLeak> memory_leaks() const;
  // Gives memory that is free back to the system, once the work before is done: a GPU's, and on a CPU the process's.
  // What comes after has to ask for it again.
  void trim_memory() const;

  // Throws Error when there is no memory to read.
  DeviceProbe probe(const DeviceProbeOptions& options = {}) const;

  explicit operator bool() const { return backend_ != nullptr; }
  friend bool operator==(const Device& a, const Device& b) { return a.backend_ == b.backend_; }

  // The implementation (src/device/backend.h, src/core/device_memory.h); not for users.
  Backend& backend() const { return *backend_; }
  DeviceMemory& memory() const { return *memory_; }
  // A handle that DeviceOptions::on_close does not count.
  Device for_storage() const {
    Device out;
    out.backend_ = backend_;
    out.memory_ = memory_;
    return out;
  }

 private:
  std::shared_ptr<Backend> backend_;
  DeviceMemory* memory_ = nullptr;  // the backend's base
  std::shared_ptr<void> close_;     // calls on_close with its last copy; null where nobody asked
};

}  // namespace tern
