// SPDX-License-Identifier: Apache-2.0
#include "io/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "base/mapped_file.h"
#include "io/booleans.h"
#include "io/names.h"

namespace tern {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are copied as they are");

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kAlignment = 64;
constexpr size_t kLargestHeader = 65535;

struct NpyDType {
  std::string_view descr;
  DType dtype;
};
constexpr std::array<NpyDType, 14> kDTypes = {{{"<f4", DType::f32},
                                              {"<f2", DType::f16},
                                              {"|i1", DType::i8},
                                              {"|u1", DType::u8},
                                              {"<i4", DType::i32},
                                              {"<i8", DType::i64},
                                              {"<i2", DType::i16},
                                              {"<u2", DType::u16},
                                              {"<u4", DType::u32},
                                              {"<u8", DType::u64},
                                              {"<f8", DType::f64},
                                              {"<c8", DType::c64},
                                              {"<c16", DType::c128},
                                              {"|b1", DType::boolean}}};

struct NpyHeader {
  std::optional<DType> dtype;
  std::optional<bool> fortran_order;
  std::optional<Shape> shape;
};

// Reads the header's Python literal: a dictionary with the three keys, in any order.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& source) : rest_(text), source_(source) {}

  NpyHeader parse() {
    NpyHeader header;
    require('{');
    while (!accept('}')) {
      read_member(header);
      if (!accept(',')) {
        require('}');
        break;
      }
    }
    skip_space();
    check(rest_.empty(), "npy", "{}: expected the header's end after '}}', got more", source_);
    check(header.dtype && header.fortran_order && header.shape, "npy",
          "{}: expected descr, fortran_order and shape in the header, got fewer", source_);
    return header;
  }

 private:
  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n\r"), rest_.size())); }

  bool accept(char wanted) {
    skip_space();
    if (rest_.empty() || rest_[0] != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool accept_word(std::string_view word) {
    skip_space();
    if (rest_.substr(0, word.size()) != word) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  void require(char wanted) {
    if (!accept(wanted)) {
      fail("npy", "{}: expected '{}' in the header, got {}", source_, wanted,
           rest_.empty() ? "its end" : quote_name(rest_.substr(0, 16)));
    }
  }

  std::string_view read_string() {
    const char quote = accept('"') ? '"' : '\'';
    if (quote == '\'') require(quote);
    const size_t length = rest_.find(quote);
    check(length != rest_.npos, "npy", "{}: expected a closing quote in the header, got none", source_);
    const std::string_view out = rest_.substr(0, length);
    rest_.remove_prefix(length + 1);
    return out;
  }

  void read_member(NpyHeader& header) {
    const std::string_view key = read_string();
    require(':');
    bool is_new = false;
    if (key == "descr") {
      is_new = !header.dtype;
      header.dtype = read_dtype();
    } else if (key == "fortran_order") {
      is_new = !header.fortran_order;
      header.fortran_order = read_bool();
    } else if (key == "shape") {
      is_new = !header.shape;
      header.shape = read_shape();
    } else {
      fail("npy", "{}: expected descr, fortran_order and shape in the header, got {}", source_, quote_name(key));
    }
    check(is_new, "npy", "{}: expected each key once in the header, got '{}' twice", source_, key);
  }

  DType read_dtype() {
    skip_space();
    check(rest_.substr(0, 1) != "[", "npy", "{}: expected an array of numbers, got one of records", source_);
    const std::string_view descr = read_string();
    for (const NpyDType& known : kDTypes) {
      if (known.descr == descr) return known.dtype;
    }
    fail("npy", "{}: expected one of the types <f4, <f2, |i1, |u1, <i4, <i8, |b1, got {}", source_, quote_name(descr));
  }

  bool read_bool() {
    if (accept_word("True")) return true;
    check(accept_word("False"), "npy", "{}: expected True or False as fortran_order, got neither", source_);
    return false;
  }

  int64_t read_extent() {
    skip_space();
    int64_t value = -1;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    check(error == std::errc() && value >= 0, "npy", "{}: expected non-negative 64-bit extents, got {}", source_,
          quote_name(rest_.substr(0, 24)));
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return value;
  }

  Shape read_shape() {
    Shape shape;
    bool comma = true;
    require('(');
    while (!accept(')')) {
      check(comma, "npy", "{}: expected ',' or ')' after an extent of the shape, got neither", source_);
      check(shape.rank() < kMaxRank, "npy", "{}: expected at most {} extents as shape, got more", source_, kMaxRank);
      shape.push_back(read_extent());
      comma = accept(',');
    }
    check(comma || shape.rank() > 1, "npy", "{}: expected a tuple as shape, got a number in parentheses", source_);
    return shape;
  }

  std::string_view rest_;
  const std::string& source_;
};

struct Parts {
  std::string_view header;
  std::span<const std::byte> elements;
};

Parts split(std::span<const std::byte> file, const std::string& source) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  check(text.substr(0, kMagic.size()) == kMagic && text.size() >= kMagic.size() + 2, "npy",
        "{}: expected a .npy file, got something else", source);
  const int major = text[kMagic.size()], minor = text[kMagic.size() + 1];
  check(major >= 1 && major <= 3 && minor == 0, "npy", "{}: expected version 1.0, 2.0 or 3.0, got {}.{}", source,
        major & 0xff, minor & 0xff);
  const size_t width = major == 1 ? 2 : 4, begin = kMagic.size() + 2 + width;
  check(file.size() >= begin, "npy", "{}: expected a header, got the file's end", source);
  uint32_t length = 0;
  std::memcpy(&length, file.data() + kMagic.size() + 2, width);
  check(length <= kLargestHeader && length <= file.size() - begin, "npy",
        "{}: expected a header of at most {} bytes, got {}", source, std::min(kLargestHeader, file.size() - begin),
        length);
  return {text.substr(begin, length), file.subspan(begin + length)};
}

// Bytes of the elements. A zero extent does not excuse the others: strides are products, too.
uint64_t checked_bytes(const Shape& shape, DType dtype, const std::string& source) {
  int64_t bytes = static_cast<int64_t>(size_of(dtype));
  bool overflow = false, empty = false;
  for (int64_t dim : shape) {
    empty |= dim == 0;
    overflow |= __builtin_mul_overflow(bytes, std::max<int64_t>(dim, 1), &bytes);
  }
  check(!overflow, "npy", "{}: expected a shape that fits into memory, got {}", source, to_string(shape));
  return empty ? 0 : static_cast<uint64_t>(bytes);
}

Shape reversed(const Shape& shape) {
  Shape out;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) out.push_back(shape[axis]);
  return out;
}

std::string_view descr_of(const std::string& path, DType dtype) {
  for (const NpyDType& known : kDTypes) {
    if (known.dtype == dtype) return known.descr;
  }
  fail("npy", "{}: expected a dtype that NumPy has, got {}", path, name_of(dtype));
}

// Everything before the elements.
std::string preamble(const std::string& path, const Tensor& tensor) {
  const Shape& shape = tensor.shape();
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", descr_of(path, tensor.dtype()),
                  fmt::join(shape.begin(), shape.end(), ", "), shape.rank() == 1 ? "," : "");
  const size_t prefix = kMagic.size() + 4;
  const size_t total = (prefix + header.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  header.resize(total - prefix - 1, ' ');
  header.push_back('\n');
  const auto length = static_cast<uint16_t>(header.size());
  std::string out = std::string(kMagic) + std::string("\x01\x00", 2);
  out.append({static_cast<char>(length & 0xff), static_cast<char>(length >> 8)});
  return out + header;
}

}  // namespace

void write_npy(const std::string& path, const Tensor& tensor) {
  check(tensor.defined(), "npy", "{}: expected a tensor, got an undefined one", path);
  const std::string head = preamble(path, tensor);
  std::vector<std::byte> elements(static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype()));
  tensor.copy_to_host(elements);
  write_file_atomically(path, [&](FileWriter& file) {
    file.write(head);
    file.write(elements.data(), elements.size());
  });
}

Tensor parse_npy(std::span<const std::byte> file, const std::string& source, const Device& device) {
  const Parts parts = split(file, source);
  const NpyHeader header = HeaderParser(parts.header, source).parse();
  const Shape& shape = *header.shape;
  const uint64_t bytes = checked_bytes(shape, *header.dtype, source);
  check(bytes == parts.elements.size(), "npy", "{}: expected {} bytes of elements for {} {}, got {}", source, bytes,
        name_of(*header.dtype), to_string(shape), parts.elements.size());
  check(*header.dtype != DType::boolean || are_booleans(parts.elements), "npy",
        "{}: expected boolean values 0 and 1, got others", source);
  if (!*header.fortran_order) return Tensor::from_bytes(parts.elements, shape, *header.dtype, device);
  const Tensor transposed = Tensor::from_bytes(parts.elements, reversed(shape), *header.dtype, device);
  return transposed.as_strided(shape, reversed(transposed.strides()), 0);
}

Tensor read_npy(const std::string& path, const Device& device) {
  const MappedFile file(path);
  return parse_npy(file.bytes(), path, device);
}

}  // namespace tern
