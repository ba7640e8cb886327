// SPDX-License-Identifier: Apache-2.0
// PackedTensor: integers of a few bits, or ternary ones, whose storage is really that small (packed_type.h).
#pragma once

#include <string>
#include <utility>

#include "tern/memory.h"
#include "tern/packed_type.h"
#include "tern/tensor.h"

namespace tern {

// A cheap value like Tensor: copies are the same tensor, views (packed.h) share its storage. It holds values and does
// not compute; packed.h converts from and to tensors. A default-constructed one is undefined: defined() is false and
// nothing else may be called.
class PackedTensor {
 public:
  PackedTensor() = default;

  // A tensor of `shape` over bytes that are there, shared: u8 [all extents but the last…, bytes of a row], the bytes of
  // a row side by side; what shape and type say is packed_bytes_shape(). Reads them, and waits for the device. Throws
  // Error naming the row and the byte that is not of such values.
  static PackedTensor over(const Tensor& bytes, const Shape& shape, PackedType type);
  // The same for bytes that are known to be right. For src.
  static PackedTensor over_checked(Tensor bytes, const Shape& shape, PackedType type);

  bool defined() const { return bytes_.defined(); }
  PackedType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  int64_t size(int axis) const { return shape_[normalize_axis("size", axis, rank())]; }
  int rank() const { return shape_.rank(); }
  int64_t numel() const { return shape_.numel(); }
  const Device& device() const { return bytes_.device(); }
  // Rows lie one after the other.
  bool is_contiguous() const { return bytes_.is_contiguous(); }
  bool shares_storage_with(const PackedTensor& other) const { return bytes_.shares_storage_with(other.bytes_); }

  // The bytes themselves, without a copy: u8 of packed_bytes_shape(). Whoever writes there answers for the values.
  const Tensor& bytes() const { return bytes_; }

  // The same type, shape and values, wherever they lie. Waits for the devices.
  friend bool operator==(const PackedTensor& a, const PackedTensor& b);

 private:
  PackedTensor(Tensor bytes, const Shape& shape, PackedType type)
      : bytes_(std::move(bytes)), shape_(shape), type_(type) {}

  Tensor bytes_;
  Shape shape_;
  PackedType type_ = PackedType::ternary;
};

// [2, 3, 4] as ternary: [2, 3, 1]. Throws Error for a negative extent.
Shape packed_bytes_shape(const Shape& shape, PackedType type);

// Where a packed tensor's bytes lie: memory_report() of bytes(), and what they hold.
struct PackedMemory {
  PackedType type = PackedType::ternary;
  Shape shape;
  double bits_per_value = 0;  // of these rows, which end with a byte: no less than the type's; 0 without values
  TensorMemory bytes;
};
PackedMemory memory_report(const PackedTensor& tensor);

// In one line: "ternary [2, 7], 2.29 bits a value, in u8 [2, 2], strides [2, 1]: 4 bytes at 0 of a block of 4, 1
// tensor".
std::string to_string(const PackedMemory& memory);

}  // namespace tern
