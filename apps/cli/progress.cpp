// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "common.h"
#include "output.h"

namespace tern::cli {
namespace {

constexpr std::chrono::milliseconds kRedraw(100);
constexpr std::chrono::milliseconds kMoment(300);
constexpr int64_t kLines = 20;  // of a whole run, where there is no bar
constexpr int kBarWidth = 24;

size_t terminal_width() {
  winsize size = {};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string validation_text(const StepReport& report) {
  return fmt::format("step {}: held-out loss {:.4f}, perplexity {:.2f}, {:.3f} bits per byte", report.step,
                     report.validation_loss, std::exp(report.validation_loss), report.validation_bits_per_byte);
}

std::string figures(const StepReport& report) {
  return fmt::format("{}/{}  loss {:.4f}  lr {:.2e}  {} tok/s  {} left", report.step, report.steps, report.loss,
                     report.lr, human_count(report.tokens_per_second), human_duration(report.seconds_left));
}

}  // namespace

std::string bar(double share, int width) {
  const int inside = std::max(0, width - 2);
  const int full = static_cast<int>(std::clamp(share, 0.0, 1.0) * inside);
  std::string text(static_cast<size_t>(full), '=');
  if (full < inside) text += '>';
  text.resize(static_cast<size_t>(inside), ' ');
  return "[" + text + "]";
}

TrainProgress::TrainProgress(const std::string& style)
    : bar_(style == "bar" || (style == "auto" && isatty(STDERR_FILENO) == 1)), next_draw_(Clock::now()) {}

void TrainProgress::step(const StepReport& report) {
  add(report);
  const int64_t interval = std::max<int64_t>(1, report.steps / kLines);
  if (report.has_validation) line(validation_text(report));
  if (bar_) {
    draw(report);
  } else if (steps == 1 || report.step % interval == 0 || report.step == report.steps) {
    line("step " + figures(report));
  }
}

void TrainProgress::add(const StepReport& report) {
  ++steps;
  last = report;
  if (report.has_validation) last_validation = report;
  quantize_seconds += report.quantize_seconds;
  forward_seconds += report.forward_seconds;
  backward_seconds += report.backward_seconds;
  optimizer_seconds += report.optimizer_seconds;
}

void TrainProgress::line(const std::string& text) {
  clear();
  note("{}\n", text);
}

void TrainProgress::draw(const StepReport& report) {
  const Clock::time_point now = Clock::now();
  if (now < next_draw_ && report.step < report.steps) return;
  next_draw_ = now + kRedraw;
  const double share = static_cast<double>(report.step) / static_cast<double>(report.steps);
  std::string text = bar(share, kBarWidth) + " " + figures(report);
  text.resize(std::min(text.size(), terminal_width() - 1));
  note("\r{}\x1b[K", text);
  drawn_ = true;
}

void TrainProgress::clear() {
  if (drawn_) write_note("\r\x1b[K");
  drawn_ = false;
}

LoadProgress::LoadProgress(const std::string& style)
    : bar_(style == "bar" || (style == "auto" && isatty(STDERR_FILENO) == 1)),
      next_draw_(style == "bar" ? Clock::now() : Clock::now() + kMoment) {}

LoadProgress::~LoadProgress() {
  if (drawn_) write_note("\r\x1b[K");
}

void LoadProgress::show(double fraction) {
  const Clock::time_point now = Clock::now();
  if (!bar_ || now < next_draw_) return;
  next_draw_ = now + kRedraw;
  note("\rloading {} {:3.0f}%\x1b[K", bar(fraction, kBarWidth), 100 * fraction);
  drawn_ = true;
}

}  // namespace tern::cli
