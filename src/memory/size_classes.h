// SPDX-License-Identifier: Apache-2.0
// The sizes that small blocks come in.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace tern {

// 64, 128, … 512, then eight steps to each doubling: at most an eighth of a block is wasted.
inline constexpr int kSizeClasses = 60;
inline constexpr size_t kMostSmallBytes = size_t{48} << 10;

namespace size_classes {

constexpr size_t size_of_class(int index) {
  if (index < 8) return static_cast<size_t>(index + 1) * 64;
  return (static_cast<size_t>(index % 8) + 9) << (index / 8 + 5);
}

constexpr size_t kLines = kMostSmallBytes / 64;

// By whole cache lines.
constexpr std::array<uint8_t, kLines + 1> kClassOfLines = [] {
  std::array<uint8_t, kLines + 1> classes{};
  uint8_t index = 0;
  for (size_t lines = 1; lines <= kLines; ++lines) {
    if (size_of_class(index) < lines * 64) ++index;
    classes[lines] = index;
  }
  return classes;
}();

}  // namespace size_classes

inline constexpr std::array<uint32_t, kSizeClasses> kClassBytes = [] {
  std::array<uint32_t, kSizeClasses> bytes{};
  for (int i = 0; i < kSizeClasses; ++i)
    bytes[static_cast<size_t>(i)] = static_cast<uint32_t>(size_classes::size_of_class(i));
  return bytes;
}();
static_assert(kClassBytes.back() == kMostSmallBytes);

// The smallest class that holds `bytes` <= kMostSmallBytes.
constexpr int class_of(size_t bytes) { return size_classes::kClassOfLines[(bytes + 63) / 64]; }

// Blocks of a class are cut from spans that begin at a multiple of their size, a power of two: eight blocks at least.
constexpr size_t span_bytes(int index) {
  return std::bit_ceil(std::max(size_t{kClassBytes[static_cast<size_t>(index)]} * 8, size_t{16} << 10));
}

// As many blocks go between a thread and the others at a time: 32 KiB, but 1 to 32 blocks.
constexpr int batch_of(int index) {
  return static_cast<int>(std::clamp<size_t>((size_t{32} << 10) / kClassBytes[static_cast<size_t>(index)], 1, 32));
}

}  // namespace tern
