// SPDX-License-Identifier: Apache-2.0
#include "tern/packed_tensor.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check_kind.h"
#include "core/format_shape.h"

namespace tern {
namespace {

constexpr const char* kOp = "packed";

// The last extent, or the one value of a tensor without axes.
int64_t row_values(const Shape& shape) { return shape.rank() == 0 ? 1 : shape.back(); }

// A packed tensor's rows in host memory, in order.
class HostRows {
 public:
  explicit HostRows(const PackedTensor& x) : bytes_(x.bytes()) {
    const bool there = bytes_.device().name() == "cpu";
    if (!there) {
      copy_.resize(static_cast<size_t>(bytes_.numel()));
      bytes_.copy_to_host(std::as_writable_bytes(std::span(copy_)));
    }
    first_ = there ? static_cast<const uint8_t*>(bytes_.raw()) : copy_.data();
    strides_ = there ? bytes_.strides() : contiguous_strides(bytes_.shape());
  }

  int64_t row_bytes() const { return bytes_.shape().back(); }
  int64_t count() const { return row_bytes() == 0 ? 0 : bytes_.numel() / row_bytes(); }

  // The index of a row on the leading axes.
  Shape index_of(int64_t row) const {
    Shape index = bytes_.shape();
    index.erase(index.rank() - 1);
    for (int axis = index.rank() - 1; axis >= 0; --axis) {
      index[axis] = row % bytes_.shape()[axis];
      row /= bytes_.shape()[axis];
    }
    return index;
  }

  std::span<const uint8_t> row(int64_t row) const {
    const Shape index = index_of(row);
    int64_t offset = 0;
    for (int axis = 0; axis < index.rank(); ++axis) offset += index[axis] * strides_[axis];
    return {first_ + offset, static_cast<size_t>(row_bytes())};
  }

 private:
  const Tensor& bytes_;
  std::vector<uint8_t> copy_;
  const uint8_t* first_;
  Shape strides_;
};

// The greatest byte that the last one of a row may be, and whether a byte is one of whole groups of values.
struct Rules {
  PackedType type;
  unsigned greatest_last;

  Rules(PackedType its_type, int64_t values) : type(its_type) {
    if (type == PackedType::ternary) {
      constexpr unsigned powers[] = {243, 3, 9, 27, 81};
      greatest_last = powers[values % 5] - 1;
    } else {
      const int64_t rest = values % 8 * field_bits(type) % 8;
      greatest_last = rest == 0 ? 255 : (1u << rest) - 1;
    }
  }

  bool allows(uint8_t byte) const {
    if (type == PackedType::ternary) return byte < 243;
    return type != PackedType::ternary2 || (byte & (byte >> 1) & 0x55u) == 0;
  }

  // Without a branch for each byte, so that compilers make vectors of it.
  bool allow_all(std::span<const uint8_t> row) const {
    if (!is_ternary(type)) return true;
    bool good = true;
    for (const uint8_t byte : row) good &= allows(byte);
    return good;
  }
};

void check_rows(const PackedTensor& x) {
  const HostRows rows(x);
  const int64_t values = row_values(x.shape());
  const Rules rules(x.type(), values);
  for (int64_t i = 0; i < rows.count(); ++i) {
    const std::span<const uint8_t> row = rows.row(i);
    if (!rules.allow_all(row)) {
      const auto bad = std::find_if_not(row.begin(), row.end(), [&](uint8_t byte) { return rules.allows(byte); });
      fail(kOp, "expected bytes of {}, got {} as byte {} of row {}", name_of(x.type()), *bad, bad - row.begin(),
           rows.index_of(i));
    }
    check(row.back() <= rules.greatest_last, kOp,
          "expected zeros behind the {} values of a row of {}, got {} as the last byte of row {}", values,
          name_of(x.type()), row.back(), rows.index_of(i));
  }
}

}  // namespace

Shape packed_bytes_shape(const Shape& shape, PackedType type) {
  for (const int64_t extent : shape) check(extent >= 0, kOp, "expected non-negative extents, got {}", shape);
  Shape bytes = shape;
  if (bytes.rank() == 0) bytes.push_back(1);
  bytes[bytes.rank() - 1] = packed_row_bytes(type, bytes.back());
  return bytes;
}

PackedTensor PackedTensor::over(const Tensor& bytes, const Shape& shape, PackedType type) {
  check(bytes.defined(), kOp, "expected bytes to be defined, got an undefined tensor");
  check_as<WrongType>(bytes.dtype() == DType::u8, kOp, "expected bytes of dtype u8, got {}", name_of(bytes.dtype()));
  const Shape expected = packed_bytes_shape(shape, type);
  check(bytes.shape() == expected, kOp, "expected bytes {} for {} {}, got {}", expected, name_of(type), shape,
        bytes.shape());
  check(bytes.strides().back() == 1 || bytes.shape().back() <= 1 || bytes.numel() == 0, kOp,
        "expected the bytes of a row side by side, got strides {}", bytes.strides());
  PackedTensor made(bytes, shape, type);
  check_rows(made);
  return made;
}

PackedTensor PackedTensor::over_checked(Tensor bytes, const Shape& shape, PackedType type) {
  return {std::move(bytes), shape, type};
}

bool operator==(const PackedTensor& a, const PackedTensor& b) {
  if (a.type() != b.type() || a.shape() != b.shape()) return false;
  const HostRows rows_a(a), rows_b(b);
  for (int64_t i = 0; i < rows_a.count(); ++i) {
    if (!std::ranges::equal(rows_a.row(i), rows_b.row(i))) return false;
  }
  return true;
}

PackedMemory memory_report(const PackedTensor& tensor) {
  const int64_t count = tensor.numel();
  TensorMemory bytes = memory_report(tensor.bytes());
  const double bits = count == 0 ? 0.0 : 8.0 * static_cast<double>(bytes.bytes) / static_cast<double>(count);
  return {tensor.type(), tensor.shape(), bits, std::move(bytes)};
}

std::string to_string(const PackedMemory& m) {
  return fmt::format("{} {}, {:.3g} bits a value, in {}", name_of(m.type), to_string(m.shape), m.bits_per_value,
                     to_string(m.bytes));
}

}  // namespace tern
