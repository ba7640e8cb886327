// SPDX-License-Identifier: Apache-2.0
// The safetensors header: read from bytes that nobody vouches for, checked wholly before anybody uses it.
//
// A file is (the format's README, github.com/huggingface/safetensors; numbers are little-endian):
//
//   0      8                     8+n                                    end
//   +------+---------------------+----------------------------------------+
//   | n u64| n bytes of JSON     | the tensors' elements, row-major,      |
//   |      | (UTF-8), spaces     | one after the other without holes      |
//   +------+---------------------+----------------------------------------+
//
//   {"__metadata__": {"<key>": "<string>", …},
//    "<name>": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, …}      offsets count from 8+n
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/dtype.h"
#include "tern/shape.h"

namespace tern {

inline constexpr uint64_t kLargestSafetensorsHeader = 100'000'000;  // bytes; the reference library's limit

// An element type of the format.
struct SafetensorsDType {
  std::string_view name;
  uint64_t bits;
  std::optional<DType> dtype;  // ours; none for a type that Tern cannot read
};

// All of them, in the order of the reference library, which lays tensors out by this order, the last first.
inline constexpr std::array<SafetensorsDType, 22> kSafetensorsDTypes = {{
    {"BOOL", 8, DType::boolean},
    {"F4", 4, std::nullopt},
    {"F6_E2M3", 6, std::nullopt},
    {"F6_E3M2", 6, std::nullopt},
    {"U8", 8, DType::u8},
    {"I8", 8, DType::i8},
    {"F8_E5M2", 8, std::nullopt},
    {"F8_E4M3", 8, std::nullopt},
    {"F8_E8M0", 8, std::nullopt},
    {"F8_E4M3FNUZ", 8, std::nullopt},
    {"F8_E5M2FNUZ", 8, std::nullopt},
    {"I16", 16, DType::i16},
    {"U16", 16, DType::u16},
    {"F16", 16, DType::f16},
    {"BF16", 16, DType::bf16},
    {"I32", 32, DType::i32},
    {"U32", 32, DType::u32},
    {"F32", 32, DType::f32},
    {"C64", 64, DType::c64},
    {"F64", 64, DType::f64},
    {"I64", 64, DType::i64},
    {"U64", 64, DType::u64},
}};

struct SafetensorsEntry {
  std::string name;
  const SafetensorsDType* dtype = nullptr;  // in kSafetensorsDTypes
  Shape shape;
  uint64_t begin = 0, end = 0;  // bytes, from the start of the file
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the order of their bytes
  std::map<std::string, std::string> metadata;
  std::vector<size_t> by_name;  // indices of entries, sorted by name

  // Null when there is none of that name.
  const SafetensorsEntry* find(std::string_view name) const;
};

// Reads and checks the header of the file whose whole content is `file`. What it returns is consistent: every entry
// lies in the file, has as many bytes as its dtype and shape say, and the entries cover the data without overlap or
// hole. Throws Error naming `source`, and the tensor at fault, otherwise.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file, const std::string& source);

}  // namespace tern
