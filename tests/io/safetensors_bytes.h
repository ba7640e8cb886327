// SPDX-License-Identifier: Apache-2.0
// Safetensors files put together by hand, valid or not.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tern::testing {

// The prefix says `length`, whatever the header is.
inline std::string safetensors_bytes(uint64_t length, std::string_view header, std::string_view data = "") {
  std::string out;
  for (int byte = 0; byte < 8; ++byte) out.push_back(static_cast<char>(length >> (8 * byte) & 0xff));
  return out.append(header).append(data);
}

inline std::string safetensors_bytes(std::string_view header, std::string_view data = "") {
  return safetensors_bytes(header.size(), header, data);
}

// "name":{…}
inline std::string safetensors_entry(std::string_view name, std::string_view dtype, std::string_view shape,
                                     std::string_view offsets) {
  std::string out = "\"";
  out.append(name).append(R"(":{"dtype":")").append(dtype).append(R"(","shape":[)").append(shape);
  return out.append(R"(],"data_offsets":[)").append(offsets).append("]}");
}

// A file with several types, an empty tensor, a scalar and metadata.
inline std::string valid_safetensors() {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},)" + safetensors_entry("w", "F32", "2,3", "0,24") + "," +
      safetensors_entry("scalar", "I64", "", "24,32") + "," + safetensors_entry("none", "BF16", "0,4", "32,32") + "," +
      safetensors_entry("flags", "BOOL", "3", "32,35") + "," + safetensors_entry("half", "F16", "2", "35,39") + "," +
      safetensors_entry("packed", "U8", "5,1", "39,44") + "}";
  std::string data(44, '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i < 32 || i > 34 ? i * 7 : i % 2);
  return safetensors_bytes(header, data);
}

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace tern::testing
