// SPDX-License-Identifier: Apache-2.0
// Tensor: a strided view of typed elements on a device.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "tern/device.h"
#include "tern/dtype.h"
#include "tern/error.h"
#include "tern/shape.h"

namespace tern {

class Storage;
struct TensorImpl;
struct GradState;

// A cheap value: copies are the same tensor. Views (ops.h) share storage with the tensor they were taken from. Reading
// is safe from several threads; writing is not. A default-constructed Tensor is undefined: defined() is false and
// nothing else may be called.
class Tensor {
 public:
  Tensor() = default;

  // A contiguous tensor of `shape` whose elements are not initialized / all zero. Throws Error for a negative extent or
  // when there is no memory.
  static Tensor empty(const Shape& shape, DType dtype, const Device& device);
  static Tensor zeros(const Shape& shape, DType dtype, const Device& device);
  static Tensor full(const Shape& shape, double value, DType dtype, const Device& device);
  // 0, 1, …, count-1 as i64 or i32.
  static Tensor arange(int64_t count, DType dtype, const Device& device);

  // Copies host elements in row-major order. Throws Error when the count differs from the shape's.
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape, const Device& device) {
    return from_bytes(std::as_bytes(values), shape, dtype_of<T>, device);
  }
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape, const Device& device) {
    return from(std::span<const T>(values), shape, device);
  }
  template <class T>
  static Tensor from(std::initializer_list<T> values, const Shape& shape, const Device& device) {
    return from(std::span<const T>(values.begin(), values.size()), shape, device);
  }
  static Tensor from_bytes(std::span<const std::byte> bytes, const Shape& shape, DType dtype, const Device& device);

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  // In elements; a broadcast axis has stride 0, a reversed one a negative stride.
  const Shape& strides() const;
  int64_t size(int axis) const;
  int rank() const { return shape().rank(); }
  int64_t numel() const { return shape().numel(); }
  DType dtype() const;
  const Device& device() const;
  bool is_contiguous() const;
  bool shares_storage_with(const Tensor& other) const;

  // Address of the first element (index 0 on every axis) in device memory. `data<T>()` checks the dtype and throws
  // Error on a mismatch. On a CPU device it is host memory.
  void* raw() const;
  template <class T>
  T* data() const {
    require_dtype(dtype_of<T>);
    return static_cast<T*>(raw());
  }

  // The only element, as a double. Throws Error unless numel() is 1. Waits for the device.
  double item() const;
  // All elements in row-major order, on the host. Waits for the device. Throws Error when T does not match the dtype.
  template <class T>
  std::vector<T> to_vector() const {
    require_dtype(dtype_of<T>);
    std::vector<T> out(static_cast<size_t>(numel()));
    copy_to_host(std::as_writable_bytes(std::span<T>(out)));
    return out;
  }
  void copy_to_host(std::span<std::byte> out) const;

  // Gradients (autograd.h says how they flow). A tensor that requires a gradient and was not computed by an op is a
  // leaf; backward() adds into its grad().
  bool requires_grad() const;
  Tensor& set_requires_grad(bool on = true);
  // The accumulated gradient, f32; undefined before the first backward().
  Tensor grad() const;
  void set_grad(Tensor grad);
  // The same elements, cut off from the graph.
  Tensor detach() const;

  // A view over the same storage, `offset` elements from the first element. For src/ops: shape and strides are trusted.
  Tensor as_strided(const Shape& shape, const Shape& strides, int64_t offset) const;
  // A tensor over existing storage. For readers that map files and for src.
  static Tensor over(std::shared_ptr<Storage> storage, int64_t byte_offset, const Shape& shape, const Shape& strides,
                     DType dtype);
  const std::shared_ptr<Storage>& storage() const;
  std::shared_ptr<GradState>& grad_state() const;

 private:
  friend struct GradState;
  explicit Tensor(std::shared_ptr<TensorImpl> impl) : impl_(std::move(impl)) {}
  void require_dtype(DType dtype) const;

  std::shared_ptr<TensorImpl> impl_;
};

}  // namespace tern
