// SPDX-License-Identifier: Apache-2.0
#include "train/train_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/file.h"

namespace tern {
namespace {

[[noreturn]] void fail_errno(const std::string& path) { fail("log", "{}: {}", path, std::strerror(errno)); }

// The step of a line; -1 for text that is not a line of a log.
int64_t step_of(std::string_view line) {
  const auto value = nlohmann::json::parse(line, nullptr, false);
  if (!value.is_object() || !value.contains("step") || !value["step"].is_number_integer()) return -1;
  return value["step"].get<int64_t>();
}

// The longest beginning of `text` that is whole lines of steps up to `last`; sets `last_kept` to the step of its end.
std::string_view lines_until(std::string_view text, int64_t last, int64_t& last_kept) {
  size_t kept = 0;
  for (size_t end; (end = text.find('\n', kept)) != std::string_view::npos; kept = end + 1) {
    const int64_t step = step_of(text.substr(kept, end - kept));
    if (step < 1 || step > last) break;
    last_kept = step;
  }
  return text.substr(0, kept);
}

}  // namespace

std::string to_json(const StepReport& r) {
  nlohmann::ordered_json line = {{"step", r.step},
                                 {"steps", r.steps},
                                 {"loss", r.loss},
                                 {"grad_norm", r.grad_norm},
                                 {"lr", r.lr},
                                 {"tokens", r.tokens},
                                 {"tokens_per_second", r.tokens_per_second},
                                 {"seconds_left", r.seconds_left},
                                 {"quantize_seconds", r.quantize_seconds},
                                 {"forward_seconds", r.forward_seconds},
                                 {"backward_seconds", r.backward_seconds},
                                 {"optimizer_seconds", r.optimizer_seconds}};
  if (r.has_validation) {
    line["validation_loss"] = r.validation_loss;
    line["validation_bits_per_byte"] = r.validation_bits_per_byte;
  }
  return line.dump();
}

TrainLog::TrainLog(std::string path, int64_t last) : path_(std::move(path)) {
  std::error_code ignored;
  if (std::filesystem::exists(path_, ignored)) {
    const std::string text = read_file(path_);
    const std::string_view kept = lines_until(text, last, last_step_);
    if (kept.size() < text.size()) write_file_atomically(path_, kept);
  }
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_errno(path_);
}

TrainLog::~TrainLog() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void TrainLog::append(const StepReport& report) {
  const std::string line = to_json(report) + "\n";
  const off_t before = ::lseek(descriptor_, 0, SEEK_END);
  size_t written = 0;
  while (written < line.size()) {
    const ssize_t wrote = ::write(descriptor_, line.data() + written, line.size() - written);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      const int error = errno;
      // Should this fail too, resuming drops the torn line.
      const bool restored = before >= 0 && ::ftruncate(descriptor_, before) == 0;
      fail("log", "{}: {}{}", path_, std::strerror(error), restored ? "" : "; its last line is torn");
    }
    written += static_cast<size_t>(wrote);
  }
  last_step_ = report.step;
}

void TrainLog::sync() {
  if (::fsync(descriptor_) != 0) fail_errno(path_);
}

}  // namespace tern
