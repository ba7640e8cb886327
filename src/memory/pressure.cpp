// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <optional>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include "base/check.h"
#include "tern/memory_pressure.h"

namespace tern {
namespace {

std::optional<std::string> text_of(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

template <class T>
std::optional<T> number_at(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

// The number behind the first `key` that begins a line, blanks left out.
std::optional<size_t> field(const std::string& text, std::string_view key) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line(text.data() + at, end - at);
    at = end + 1;
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    return number_at<size_t>(line);
  }
  return std::nullopt;
}

// A file that holds one number; "max" is none.
std::optional<size_t> number_in(const std::string& path) {
  const std::optional<std::string> text = text_of(path);
  return text ? number_at<size_t>(*text) : std::nullopt;
}

// some avg10=1.50 avg60=… / full avg10=…
void add_stalls(const std::string& path, MemoryPressure& pressure) {
  const std::optional<std::string> text = text_of(path);
  if (!text) return;
  const auto average = [&](std::string_view line) {
    const size_t at = text->find(line);
    return at == std::string::npos ? 0.0
                                   : number_at<double>(std::string_view(*text).substr(at + line.size())).value_or(0.0);
  };
  pressure.some = std::max(pressure.some, average("some avg10="));
  pressure.full = std::max(pressure.full, average("full avg10="));
}

double share(size_t available, size_t total) {
  return total == 0 ? 1.0 : static_cast<double>(available) / static_cast<double>(total);
}

void add_available(size_t available, size_t total, MemoryPressure& pressure) {
  if (total == 0 || (pressure.total > 0 && share(available, total) >= share(pressure.available, pressure.total)))
    return;
  pressure.available = available;
  pressure.total = total;
}

void add_system(const std::string& proc, MemoryPressure& pressure) {
  const std::optional<std::string> text = text_of(proc + "/meminfo");
  if (!text) return;
  const std::optional<size_t> available = field(*text, "MemAvailable:"), total = field(*text, "MemTotal:");
  if (available && total) add_available(*available << 10, *total << 10, pressure);  // in KiB
}

// Pages of files that nobody read lately go before anybody waits, so they count as available.
void add_cgroup(const std::string& folder, MemoryPressure& pressure) {
  const std::optional<size_t> current = number_in(folder + "/memory.current");
  const std::optional<size_t> high = number_in(folder + "/memory.high"), max = number_in(folder + "/memory.max");
  if (!current || (!high && !max)) return;
  const size_t limit = std::min(high.value_or(SIZE_MAX), max.value_or(SIZE_MAX));
  const size_t idle = field(text_of(folder + "/memory.stat").value_or(""), "inactive_file ").value_or(0);
  const size_t used = *current - std::min(*current, idle);
  add_available(limit - std::min(limit, used), limit, pressure);
}

// "/a/b" of "0::/a/b" in self/cgroup, the line of the cgroups v2.
std::optional<std::string> cgroup_of_process(const std::string& proc) {
  const std::optional<std::string> text = text_of(proc + "/self/cgroup");
  if (!text) return std::nullopt;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::/")) return line.substr(3);
  }
  return std::nullopt;
}

PressureLevel level_of(const MemoryPressure& pressure, const MemoryPressureOptions& options) {
  const double left = share(pressure.available, pressure.total);
  if (pressure.full >= options.critical_full || left < options.critical_available) return PressureLevel::critical;
  if (pressure.some >= options.moderate_some || left < options.moderate_available) return PressureLevel::moderate;
  return PressureLevel::none;
}

constexpr std::array<std::string_view, 3> kNames = {"none", "moderate", "critical"};

}  // namespace

std::string_view name_of(PressureLevel level) { return kNames[static_cast<size_t>(level)]; }

MemoryPressure memory_pressure(const MemoryPressureOptions& options) {
  MemoryPressure pressure;
  add_system(options.proc, pressure);
  add_stalls(options.proc + "/pressure/memory", pressure);
  if (std::optional<std::string> group = cgroup_of_process(options.proc)) {
    add_stalls(options.cgroups + *group + "/memory.pressure", pressure);
    while (!group->empty()) {
      add_cgroup(options.cgroups + *group, pressure);
      group->resize(group->rfind('/'));
    }
  }
  pressure.level = level_of(pressure, options);
  return pressure;
}

struct MemoryPressureWatcher::State {
  State(Callback what, MemoryPressureOptions how) : callback(std::move(what)), options(std::move(how)) {}

  void watch() noexcept {
    PressureLevel level = PressureLevel::none;
    std::unique_lock lock(mutex);
    while (!stop) {
      lock.unlock();
      look(level);
      lock.lock();
      wake.wait_for(lock, options.interval, [&] { return stop; });
    }
  }
  void look(PressureLevel& level) noexcept {
    try {
      const MemoryPressure now = memory_pressure(options);
      if (std::exchange(level, now.level) != now.level) callback(now);
    } catch (...) {
      // Nobody is there to catch it.
    }
  }

  const Callback callback;
  const MemoryPressureOptions options;
  const pid_t process = ::getpid();
  std::mutex mutex;
  std::condition_variable wake;
  bool stop = false;
  std::thread thread;
};

MemoryPressureWatcher::MemoryPressureWatcher(Callback callback, MemoryPressureOptions options)
    : state_(std::make_unique<State>(std::move(callback), std::move(options))) {
  check(static_cast<bool>(state_->callback), "memory_pressure", "expected a function to call, got none");
  try {
    state_->thread = std::thread([state = state_.get()] { state->watch(); });
  } catch (const std::system_error&) {
    fail("memory_pressure", "expected a thread to watch from, the system has none");
  }
}

// In a child the thread is the parent's and the lock in an unknown state: both are left behind.
MemoryPressureWatcher::~MemoryPressureWatcher() {
  if (state_->process != ::getpid()) {
    static_cast<void>(state_.release());
    return;
  }
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->wake.notify_all();
  state_->thread.join();
}

}  // namespace tern
