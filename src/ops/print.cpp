// SPDX-License-Identifier: Apache-2.0
// Where the brackets, blanks and line ends of a printed tensor are.
#include "tern/print.h"

#include <ostream>
#include <vector>

#include "ops/checks.h"
#include "ops/number_texts.h"

namespace tern {
namespace {

constexpr std::string_view kLeftOut = "...";

std::string_view without_blanks_behind(std::string_view text) { return text.substr(0, text.find_last_not_of(' ') + 1); }

// x without the middle of its long axes.
Tensor corners(Tensor x, int64_t edge) {
  for (int axis = 0; axis < x.rank(); ++axis) {
    const int64_t extent = x.size(axis);
    if (extent > 2 * edge) {
      const Tensor sides[] = {slice(x, axis, 0, edge), slice(x, axis, extent - edge, extent)};
      x = concat(sides, axis);
    }
  }
  return x;
}

class Writer {
 public:
  Writer(const Tensor& x, const PrintOptions& options)
      : whole_(x.shape()), options_(options), line_width_(options.line_width - options.suffix) {
    const Tensor shown = x.numel() > options.threshold ? corners(x, options.edge_items) : x;
    shown_ = shown.shape();
    texts_ = number_texts(shown, options);
  }

  std::string text() {
    if (whole_.rank() == 0) return texts_[0];
    axis(0, std::string(static_cast<size_t>(options_.indent) + 1, ' '));
    return std::move(out_);
  }

 private:
  // What the index holds that the next elements of texts_ belong to: all that differs in the axes from this one on.
  // Lines after the first begin with `indent`.
  void axis(int axis, const std::string& indent) {
    out_ += '[';
    if (axis + 1 == whole_.rank()) {
      row(axis, indent);
    } else {
      const std::string between = std::string(without_blanks_behind(options_.separator)) +
                                  std::string(static_cast<size_t>(whole_.rank() - axis - 1), '\n') + indent;
      for (int64_t i = 0; i < shown_[axis]; ++i) {
        if (i > 0) out_ += between;
        if (cuts(axis, i)) out_ += std::string(kLeftOut) + between;
        this->axis(axis + 1, indent + ' ');
      }
    }
    out_ += ']';
  }

  void row(int axis, const std::string& indent) {
    // Brackets of the axes around stand at its end, or a separator does.
    const size_t behind = std::max(without_blanks_behind(options_.separator).size(), size_t{1});
    const int64_t width = line_width_ - axis - static_cast<int64_t>(behind);
    std::string line = indent;
    const auto add = [&](std::string_view word) {
      if (static_cast<int64_t>(line.size() + word.size()) > width && line.size() > indent.size()) {
        finish(line, indent);
        out_ += '\n' + indent;
        line = indent;
      }
      line += word;
    };
    for (int64_t i = 0; i < shown_[axis]; ++i) {
      if (i > 0) line += options_.separator;
      if (cuts(axis, i)) {
        add(kLeftOut);
        line += options_.separator;
      }
      add(texts_[next_++]);
    }
    out_.append(line, indent.size());
  }

  void finish(const std::string& line, const std::string& indent) {
    out_ += without_blanks_behind(line).substr(indent.size());
  }

  // Whether elements are left out in front of the i-th that is shown.
  bool cuts(int axis, int64_t i) const { return shown_[axis] < whole_[axis] && i == options_.edge_items; }

  Shape whole_, shown_;
  const PrintOptions& options_;
  int64_t line_width_;
  std::vector<std::string> texts_;
  size_t next_ = 0;
  std::string out_;
};

}  // namespace

std::string to_string(const Tensor& x, const PrintOptions& options) {
  check_inputs("to_string", {{"x", x}});
  check(options.precision >= 0 && options.precision <= 20, "to_string", "expected a precision in [0, 20], got {}",
        options.precision);
  check(options.edge_items > 0, "to_string", "expected edge_items > 0, got {}", options.edge_items);
  if (x.numel() == 0) return "[]";
  return Writer(x.detach(), options).text();
}

std::ostream& operator<<(std::ostream& out, const Tensor& x) { return out << to_string(x); }

}  // namespace tern
