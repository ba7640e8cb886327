// SPDX-License-Identifier: Apache-2.0
#include "tern/tensor.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/check_kind.h"
#include "core/device_memory.h"
#include "core/dispatch.h"
#include "core/format_shape.h"
#include "core/tensor_impl.h"

namespace tern {
namespace {

// vector<bool> has no elements to point at; bool tensors are bytes on the host.
template <class T>
using Element = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

template <class T>
constexpr bool kIsComplex = std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>;

template <class T>
Element<T> make_element(double value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value != 0.0;
  } else if constexpr (std::is_same_v<T, bf16> || std::is_same_v<T, f16>) {
    return T(static_cast<float>(value));
  } else if constexpr (kIsComplex<T>) {
    return T(static_cast<typename T::value_type>(value), 0);
  } else {
    return static_cast<T>(value);
  }
}

template <class T>
double element_value(const Element<T>& value) {
  if constexpr (std::is_same_v<T, bf16> || std::is_same_v<T, f16>) {
    return static_cast<double>(static_cast<float>(value));
  } else if constexpr (kIsComplex<T>) {
    fail("item", "expected a real dtype, got {}", name_of(dtype_of<T>));
  } else {
    return static_cast<double>(value);
  }
}

// Bytes of a contiguous tensor, with overflow checked.
size_t bytes_of(const Shape& shape, DType dtype) {
  size_t bytes = size_of(dtype);
  bool fits = true;
  for (const int64_t dim : shape) {
    check(dim >= 0, "tensor", "expected non-negative extents, got {}", shape);
    fits &= !__builtin_mul_overflow(bytes, static_cast<size_t>(dim), &bytes);
  }
  check(fits && bytes < (size_t{1} << 62), "tensor", "expected a tensor that fits into memory, got shape {}", shape);
  return bytes;
}

// Lowest and highest element offset that a non-empty view reaches.
std::pair<int64_t, int64_t> reach(const Shape& shape, const Shape& strides) {
  int64_t low = 0, high = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const int64_t span = (shape[axis] - 1) * strides[axis];
    (span < 0 ? low : high) += span;
  }
  return {low, high};
}

// Copies a strided view of host memory to contiguous memory, the axes from `axis` on.
void gather(const std::byte* from, size_t element, const Shape& shape, const Shape& strides, int axis, std::byte*& to) {
  if (axis == shape.rank()) {
    std::memcpy(to, from, element);
    to += element;
    return;
  }
  const int64_t step = strides[axis] * static_cast<int64_t>(element);
  for (int64_t i = 0; i < shape[axis]; ++i) gather(from + i * step, element, shape, strides, axis + 1, to);
}

}  // namespace

GradState::~GradState() {
  // A graph is a chain as deep as the program: unlinked here node by node, not by nested destructors.
  std::vector<std::shared_ptr<GradState>> pending = std::move(inputs);
  while (!pending.empty()) {
    const std::shared_ptr<GradState> node = std::move(pending.back());
    pending.pop_back();
    if (!node || node.use_count() != 1) continue;
    for (std::shared_ptr<GradState>& input : node->inputs) pending.push_back(std::move(input));
    node->inputs.clear();
  }
}

Tensor Tensor::empty(const Shape& shape, DType dtype, const Device& device) {
  const size_t bytes = bytes_of(shape, dtype);
  check(static_cast<bool>(device), "tensor", "expected an open device, got none");
  return over(std::make_shared<Storage>(device, bytes), 0, shape, contiguous_strides(shape), dtype);
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, const Device& device) {
  Tensor out = empty(shape, dtype, device);
  device.memory().zero(out.raw(), out.storage()->bytes());
  return out;
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, const Device& device) {
  return dispatch(dtype, [&]<class T>() {
    const std::vector<Element<T>> values(static_cast<size_t>(bytes_of(shape, dtype) / size_of(dtype)),
                                         make_element<T>(value));
    return from_bytes(std::as_bytes(std::span(values)), shape, dtype, device);
  });
}

Tensor Tensor::arange(int64_t count, DType dtype, const Device& device) {
  check(dtype == DType::i64 || dtype == DType::i32, "arange", "expected i64 or i32, got {}", name_of(dtype));
  check(count >= 0, "arange", "expected a non-negative count, got {}", count);
  return dispatch(dtype, [&]<class T>() {
    std::vector<Element<T>> values(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) values[static_cast<size_t>(i)] = make_element<T>(static_cast<double>(i));
    return from_bytes(std::as_bytes(std::span(values)), Shape{count}, dtype, device);
  });
}

Tensor Tensor::from_bytes(std::span<const std::byte> bytes, const Shape& shape, DType dtype, const Device& device) {
  check(bytes.size() == bytes_of(shape, dtype), "tensor", "expected {} bytes for {} {}, got {}", bytes_of(shape, dtype),
        name_of(dtype), shape, bytes.size());
  Tensor out = empty(shape, dtype, device);
  if (!bytes.empty()) device.memory().copy_to_device(out.raw(), bytes.data(), bytes.size());
  return out;
}

Tensor Tensor::over(std::shared_ptr<Storage> storage, int64_t byte_offset, const Shape& shape, const Shape& strides,
                    DType dtype) {
  return Tensor(std::make_shared<TensorImpl>(std::move(storage), byte_offset, shape, strides, dtype));
}

Tensor Tensor::as_strided(const Shape& shape, const Shape& strides, int64_t offset) const {
  return over(impl_->storage, impl_->byte_offset + offset * static_cast<int64_t>(size_of(impl_->dtype)), shape, strides,
              impl_->dtype);
}

const Shape& Tensor::shape() const { return impl_->shape; }
const Shape& Tensor::strides() const { return impl_->strides; }
int64_t Tensor::size(int axis) const { return impl_->shape[normalize_axis("size", axis, rank())]; }
DType Tensor::dtype() const { return impl_->dtype; }
const Device& Tensor::device() const { return impl_->storage->device(); }
const std::shared_ptr<Storage>& Tensor::storage() const { return impl_->storage; }
std::shared_ptr<GradState>& Tensor::grad_state() const { return impl_->grad_state; }

bool Tensor::is_contiguous() const {
  int64_t step = 1;
  for (int axis = rank() - 1; axis >= 0; --axis) {
    if (shape()[axis] != 1 && strides()[axis] != step) return numel() == 0;
    step *= shape()[axis];
  }
  return true;
}

bool Tensor::shares_storage_with(const Tensor& other) const { return storage() == other.storage(); }

void* Tensor::raw() const { return static_cast<std::byte*>(impl_->storage->data()) + impl_->byte_offset; }

void Tensor::require_dtype(DType expected) const {
  check_as<WrongType>(dtype() == expected, "tensor", "expected elements of type {}, got {}", name_of(expected), name_of(dtype()));
}

double Tensor::item() const {
  check(numel() == 1, "item", "expected a tensor of one element, got shape {}", shape());
  return dispatch(dtype(), [&]<class T>() {
    Element<T> value{};
    copy_to_host(std::as_writable_bytes(std::span(&value, 1)));
    return element_value<T>(value);
  });
}

void Tensor::copy_to_host(std::span<std::byte> out) const {
  const size_t element = size_of(dtype());
  check(out.size() == static_cast<size_t>(numel()) * element, "copy_to_host", "expected room for {} bytes, got {}",
        static_cast<size_t>(numel()) * element, out.size());
  if (out.empty()) return;
  if (is_contiguous()) {
    device().memory().copy_to_host(out.data(), raw(), out.size());
    return;
  }
  const auto [low, high] = reach(shape(), strides());
  const auto width = static_cast<int64_t>(element);
  std::vector<std::byte> host(static_cast<size_t>((high - low + 1) * width));
  device().memory().copy_to_host(host.data(), static_cast<std::byte*>(raw()) + low * width, host.size());
  std::byte* to = out.data();
  gather(host.data() - low * width, element, shape(), strides(), 0, to);
}

bool Tensor::requires_grad() const { return impl_->grad_state && impl_->grad_state->requires_grad; }

Tensor& Tensor::set_requires_grad(bool on) {
  check_as<WrongType>(!on || has_gradient(dtype()), "requires_grad", "expected f32, bf16 or f16, got {}", name_of(dtype()));
  if (!impl_->grad_state) impl_->grad_state = std::make_shared<GradState>();
  check(impl_->grad_state->leaf, "requires_grad", "expected a leaf, got the result of {}", impl_->grad_state->op);
  impl_->grad_state->requires_grad = on;
  return *this;
}

Tensor Tensor::grad() const { return impl_->grad_state ? impl_->grad_state->grad : Tensor(); }

void Tensor::set_grad(Tensor grad) {
  check(!grad.defined() || (grad.shape() == shape() && grad.dtype() == DType::f32), "grad",
        "expected f32 {}, got {} {}", shape(), name_of(grad.defined() ? grad.dtype() : DType::f32),
        grad.defined() ? grad.shape() : Shape());
  if (!impl_->grad_state) impl_->grad_state = std::make_shared<GradState>();
  impl_->grad_state->grad = std::move(grad);
}

Tensor Tensor::detach() const { return as_strided(shape(), strides(), 0); }

}  // namespace tern
