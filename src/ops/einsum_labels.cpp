// SPDX-License-Identifier: Apache-2.0
#include "ops/einsum_labels.h"

#include <algorithm>
#include <string>

#include "base/check.h"
#include "core/format_shape.h"

namespace tern {
namespace {

constexpr std::string_view kEllipsis = "...";

int label_of(char letter) {
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  if (letter >= 'a' && letter <= 'z') return letter - 'a' + 26;
  fail("einsum", "expected letters, commas, one arrow and ellipses, got '{}'", letter);
}

std::string name_of_label(int label) {
  if (label >= kLetters) return kEllipsis.data();
  return std::string(1, static_cast<char>(label < 26 ? 'A' + label : 'a' + label - 26));
}

// The labels of one term, an ellipsis standing for the last `free_axes` of its own.
Labels term(std::string_view text, int free_axes) {
  Labels labels;
  bool has_ellipsis = false;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '.') {
      labels.push_back(label_of(text[at]));
      continue;
    }
    check(text.substr(at, 3) == kEllipsis && !has_ellipsis, "einsum",
          "expected at most one ellipsis in a term, got \"{}\"", text);
    has_ellipsis = true;
    at += 2;
    for (int i = free_axes; i > 0; --i) labels.push_back(kLetters + i - 1);
  }
  return labels;
}

bool has_ellipsis(std::string_view text) { return text.find('.') != text.npos; }

// Letters of a term, without its ellipsis.
int letters_of(std::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) { return c != '.'; }));
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> terms;
  for (size_t comma = text.find(','); comma != text.npos; comma = text.find(',')) {
    terms.push_back(text.substr(0, comma));
    text.remove_prefix(comma + 1);
  }
  terms.push_back(text);
  return terms;
}

// What has no arrow: the ellipsis' axes, then the letters that occur once.
Labels implicit_result(const std::vector<Labels>& operands) {
  std::array<int, kLabels> counts = {};
  for (const Labels& labels : operands) {
    for (const int label : labels) ++counts[static_cast<size_t>(label)];
  }
  Labels result;
  for (int label = kLabels; label-- > kLetters;) {
    if (counts[static_cast<size_t>(label)] > 0) result.push_back(label);
  }
  for (int label = 0; label < kLetters; ++label) {
    if (counts[static_cast<size_t>(label)] == 1) result.push_back(label);
  }
  return result;
}

void set_extents(EinsumLabels& labels, std::span<const Tensor> operands) {
  std::array<bool, kLabels> seen = {};
  for (size_t i = 0; i < operands.size(); ++i) {
    for (size_t axis = 0; axis < labels.operands[i].size(); ++axis) {
      const auto label = static_cast<size_t>(labels.operands[i][axis]);
      const int64_t extent = operands[i].shape()[static_cast<int>(axis)];
      int64_t& known = labels.extents[label];
      check(!seen[label] || known == extent || known == 1 || extent == 1, "einsum",
            "expected one extent for '{}', got {} and {}", name_of_label(static_cast<int>(label)), known, extent);
      if (!seen[label] || known == 1) known = extent;
      seen[label] = true;
    }
  }
  for (size_t i = 0; i < labels.result.size(); ++i) {
    const int label = labels.result[i];
    check(seen[static_cast<size_t>(label)], "einsum", "expected '{}' of the result in an operand, got it in none",
          name_of_label(label));
    check(std::count(labels.result.begin(), labels.result.end(), label) == 1, "einsum",
          "expected '{}' once in the result, got it twice", name_of_label(label));
  }
}

}  // namespace

EinsumLabels einsum_labels(std::string_view subscripts, std::span<const Tensor> operands) {
  std::string text(subscripts);
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const size_t arrow = text.find("->");
  const std::vector<std::string_view> terms = split(std::string_view(text).substr(0, arrow));
  check(terms.size() == operands.size(), "einsum", "expected {} operands for \"{}\", got {}", terms.size(), subscripts,
        operands.size());
  EinsumLabels labels = {};
  int most_free = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    const int letters = letters_of(terms[i]), rank = operands[i].rank();
    check(has_ellipsis(terms[i]) ? letters <= rank : letters == rank, "einsum",
          "expected operand {} with the axes of \"{}\", got shape {}", i, terms[i], operands[i].shape());
    labels.operands.push_back(term(terms[i], rank - letters));
    if (has_ellipsis(terms[i])) most_free = std::max(most_free, rank - letters);
  }
  if (arrow == text.npos) {
    labels.result = implicit_result(labels.operands);
  } else {
    const std::string_view result = std::string_view(text).substr(arrow + 2);
    check(has_ellipsis(result) || most_free == 0, "einsum",
          "expected an ellipsis in the result as in the operands, got \"{}\"", subscripts);
    labels.result = term(result, most_free);
  }
  set_extents(labels, operands);
  return labels;
}

}  // namespace tern
