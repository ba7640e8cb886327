// SPDX-License-Identifier: Apache-2.0
// What a device can do at best.
#include <algorithm>
#include <chrono>
#include <memory>

#include "base/check.h"
#include "base/clock_speed.h"
#include "device/backend.h"
#include "tern/device.h"

namespace tern {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFewestRuns = 3;

// The shortest of the runs that fit into `seconds`, the first of which only warms up.
template <class Run>
double shortest(double seconds, const Run& run) {
  const Clock::time_point start = Clock::now();
  run();
  double best = 0;
  for (int i = 0; i < kFewestRuns || std::chrono::duration<double>(Clock::now() - start).count() < seconds; ++i) {
    const Clock::time_point begin = Clock::now();
    run();
    const double spent = std::chrono::duration<double>(Clock::now() - begin).count();
    best = i == 0 ? spent : std::min(best, spent);
  }
  return std::max(best, 1e-9);
}

// Memory of the device, where kernels find it.
class Block {
 public:
  Block(Backend& backend, size_t bytes) : backend_(backend), bytes_(bytes), data_(backend.allocate(bytes)) {}
  ~Block() { backend_.release(data_, bytes_); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  Backend& backend_;
  size_t bytes_;
  void* data_;
};

double read_gb_per_s(Backend& backend, size_t bytes, double seconds) {
  const Block words(backend, bytes), sum(backend, sizeof(uint64_t));
  const auto count = static_cast<int64_t>(bytes / sizeof(uint64_t));
  const Kernels& kernels = backend.kernels();
  // The kernels' threads write first: where memory has several places, it lies near those that read it.
  kernels.fill(backend.exec(), {DType::i64, count, 1, words.as<void>()});
  uint64_t seen = 0;
  const double best = shortest(seconds, [&] {
    kernels.read_words(backend.exec(), {count, words.as<uint64_t>(), sum.as<uint64_t>()});
    backend.copy_to_host(&seen, sum.as<void>(), sizeof seen);
  });
  check(seen == static_cast<uint64_t>(count), "probe", "expected to read {} words, got {}", count, seen);
  return static_cast<double>(bytes) / best * 1e-9;
}

double int8_peak_gops(Backend& backend, double seconds) {
  constexpr double kLongEnough = 0.005;            // for what starting it takes not to count
  constexpr int64_t kProducts = int64_t{1} << 24;  // of an item: a multiple of every instruction set's step is near
  const Block sum(backend, sizeof(uint64_t));
  int64_t items = backend.threads();
  uint64_t seen = 0;
  const auto run = [&] {
    backend.kernels().int8_peak(backend.exec(), {items, kProducts, sum.as<uint64_t>()});
    backend.copy_to_host(&seen, sum.as<void>(), sizeof seen);
  };
  while (shortest(0, run) < kLongEnough) items *= 4;
  const double best = shortest(seconds, run);
  return 2.0 * static_cast<double>(items) * static_cast<double>(kProducts) / best * 1e-9;
}

}  // namespace

DeviceProbe Device::probe(const DeviceProbeOptions& options) const {
  check(options.seconds >= 0, "probe", "expected seconds of at least 0, got {}", options.seconds);
  check(options.bytes >= sizeof(uint64_t), "probe", "expected at least 8 bytes to read, got {}", options.bytes);
  DeviceProbe probe;
  probe.clock_mhz = measure_clock_mhz();
  probe.int8_peak_gops = int8_peak_gops(*backend_, options.seconds / 2);
  probe.read_gb_per_s = read_gb_per_s(*backend_, options.bytes, options.seconds / 2);
  return probe;
}

}  // namespace tern
