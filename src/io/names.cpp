// SPDX-License-Identifier: Apache-2.0
#include "io/names.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace tern {
namespace {

constexpr size_t kLongestQuoted = 120;    // bytes
constexpr size_t kLongestCompared = 256;  // the distance costs the product of the lengths

// Levenshtein's, in bytes.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] != b[j] ? 1 : 0);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0u) == 0x80u; }

}  // namespace

std::string quote_name(std::string_view name) {
  size_t length = std::min(name.size(), kLongestQuoted);
  while (length > 0 && length < name.size() && is_continuation(name[length])) --length;
  std::string out(name.substr(0, length));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20u || c == '\x7f'; }, '?');
  return "'" + out + (length < name.size() ? "…'" : "'");
}

std::vector<std::string> near_names(std::string_view name, std::span<const std::string> candidates, size_t count) {
  std::vector<std::pair<size_t, const std::string*>> near;
  if (name.size() > kLongestCompared) return {};
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestCompared) continue;
    const size_t distance = edit_distance(name, candidate);
    if (distance <= std::max(name.size(), candidate.size()) / 2) near.emplace_back(distance, &candidate);
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (size_t i = 0; i < std::min(count, near.size()); ++i) out.push_back(*near[i].second);
  return out;
}

void fail_missing_name(const char* op, std::string_view source, std::string_view name,
                       std::span<const std::string> candidates) {
  std::vector<std::string> near = near_names(name, candidates);
  std::transform(near.begin(), near.end(), near.begin(), [](const std::string& text) { return quote_name(text); });
  const std::string hint = near.empty() ? "" : fmt::format(" (near: {})", fmt::join(near, ", "));
  fail(op, "{}: expected the name of one of its {} tensors, got {}{}", source, candidates.size(), quote_name(name),
       hint);
}

}  // namespace tern
