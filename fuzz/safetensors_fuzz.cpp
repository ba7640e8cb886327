// SPDX-License-Identifier: Apache-2.0
// Any bytes as a safetensors file: an Error or a consistent header, never a step outside.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "io/safetensors_header.h"
#include "tern/error.h"

namespace {

// Reads every byte that the header promises; a sanitizer sees one that is not there.
bool is_consistent(std::span<const std::byte> file) {
  const tern::SafetensorsHeader header = tern::parse_safetensors_header(file, "input");
  uint64_t covered = 0;
  volatile unsigned sum = 0;
  for (const tern::SafetensorsEntry& entry : header.entries) {
    for (std::byte byte : file.subspan(entry.begin, entry.end - entry.begin))
      sum = sum + std::to_integer<unsigned>(byte);
    covered += entry.end - entry.begin;
    if (header.find(entry.name) != &entry) return false;
    if (static_cast<uint64_t>(entry.shape.numel()) * entry.dtype->bits != 8 * (entry.end - entry.begin)) return false;
  }
  return covered <= file.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    if (!is_consistent(std::as_bytes(std::span(data, size)))) __builtin_trap();
  } catch (const tern::Error&) {
  }
  return 0;
}
