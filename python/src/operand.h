// SPDX-License-Identifier: Apache-2.0
// Operands of Python: tensors, and numbers that take the other operand's dtype.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "casters.h"
#include "tern/elementwise.h"
#include "tern/scalar.h"
#include "tern/tensor.h"

namespace tern::python {

// A tensor or a number; a NumPy array is taken as a tensor over the same memory.
class Operand {
 public:
  Operand() = default;
  // The caller's argument, which outlives this.
  explicit Operand(const Tensor* tensor) : tensor_(tensor) {}
  explicit Operand(Tensor made) : made_(std::move(made)) {}
  explicit Operand(const Scalar& number) : number_(number) {}

  // Null for a number.
  const Tensor* tensor() const { return tensor_ ? tensor_ : made_.defined() ? &made_ : nullptr; }
  const Scalar& number() const { return *number_; }

 private:
  const Tensor* tensor_ = nullptr;
  Tensor made_;
  std::optional<Scalar> number_;
};
bool operand_from(nb::handle source, Operand& operand);

// The operand's tensor, or one made of its number as beside() of elementwise.h takes it: valid as long as this and the
// operand are.
class TensorOf {
 public:
  TensorOf(const char* op, const Operand& operand, const Tensor& like) : tensor_(operand.tensor()) {
    if (tensor_ == nullptr) made_ = beside(like, operand.number(), op);
  }
  const Tensor& operator*() const { return tensor_ ? *tensor_ : made_; }

 private:
  const Tensor* tensor_;
  Tensor made_;
};

// One of the operands that is a tensor. Throws Error where neither is.
const Tensor& tensor_among(const char* op, const Operand& a, const Operand& b);

// Every argument as a tensor, the arrays of NumPy over the same memory; the values of a dictionary, whose keys are
// names. Throw WrongType for anything else.
std::vector<Tensor> tensors_of(const char* op, const nb::args& arguments);
std::vector<std::pair<std::string, Tensor>> named_tensors_of(const char* op, const nb::dict& tensors);

// Runs f without Python's lock, so that other threads go on.
template <class F>
auto without_gil(F&& f) {
  nb::gil_scoped_release released;
  return f();
}

// The same for functions of elements: with some thousands of them f is done before another thread would have the lock.
// Operands of other shapes may broadcast to many more.
template <class F>
auto without_gil(std::initializer_list<const Tensor*> operands, F&& f) {
  constexpr int64_t kQuick = 4096;
  const Shape& shape = (*operands.begin())->shape();
  const bool quick = std::all_of(operands.begin(), operands.end(), [&](const Tensor* x) {
    return x->numel() <= kQuick && (x->shape() == shape || x->rank() == 0);
  });
  return quick ? f() : without_gil(std::forward<F>(f));
}

}  // namespace tern::python

namespace nanobind::detail {

template <>
struct type_caster<tern::python::Operand> {
  NB_TYPE_CASTER(tern::python::Operand, const_name("Tensor | complex"))
  bool from_python(handle source, uint32_t, cleanup_list*) { return tern::python::operand_from(source, value); }
};

}  // namespace nanobind::detail
