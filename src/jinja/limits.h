// SPDX-License-Identifier: Apache-2.0
// What a template may cost: templates come with models and are not trusted.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace tern::jinja {

// What goes wrong inside a template. Leaves the room as tern::Error with the template's name and line.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline constexpr size_t kMaxSource = size_t{256} << 10;  // bytes of a template
inline constexpr int kMaxSyntaxDepth = 100;              // expressions and blocks within each other
inline constexpr int kMaxCallDepth = 400;                // evaluations within each other; macros may recurse
inline constexpr int kMaxValueDepth = 64;                // lists and dicts within each other
inline constexpr size_t kMaxRange = 100000;              // elements of range(), as in Jinja's sandbox

// What one rendering may use up. A step is an evaluated node, a visited element or 64 scanned bytes.
struct Limits {
  size_t steps = 10'000'000;
  size_t bytes = size_t{256} << 20;  // of all strings, lists and dicts made, and of the output
};

// Counts a rendering's costs; every call throws Fault when the limit is passed.
class Budget {
 public:
  explicit Budget(const Limits& limits) : steps_(limits.steps), bytes_(limits.bytes) {}

  void step(size_t count = 1) {
    if (count > steps_) throw Fault("expected the template to end, got more steps than the limit allows");
    steps_ -= count;
  }
  void scan(size_t bytes) { step(bytes / 64); }
  // Before looking for one string in another, which may compare the whole of it at every place.
  void search(size_t text, size_t wanted) { step(text / 64 + text * wanted / 2048); }
  // Before making something of this size.
  void make(size_t bytes) {
    if (bytes > bytes_) throw Fault("expected the template to need less memory, got more than the limit allows");
    bytes_ -= bytes;
    scan(bytes);
  }

 private:
  size_t steps_, bytes_;
};

}  // namespace tern::jinja
