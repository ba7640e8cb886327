// SPDX-License-Identifier: Apache-2.0
#include "nested.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "number.h"

namespace tern::python {
namespace {

// A sequence's items where it is one: lists, tuples, arrays, ranges; no text.
nb::object items_of(nb::handle source) {
  if (PyList_Check(source.ptr()) || PyTuple_Check(source.ptr())) return nb::borrow(source);
  if (PyUnicode_Check(source.ptr()) || PyBytes_Check(source.ptr())) return nb::object();
  if (nb::hasattr(source, "tolist")) {
    nb::object list = source.attr("tolist")();
    return PyList_Check(list.ptr()) ? list : nb::object();
  }
  if (PySequence_Check(source.ptr()) == 0) return nb::object();
  return nb::steal(PySequence_Fast(source.ptr(), "expected a sequence"));
}

// The numbers in row-major order, and the shape that the first of each level gives.
class Flattened {
 public:
  explicit Flattened(nb::handle source) { add(source, 0); }

  const Shape& shape() const { return shape_; }
  const std::vector<Scalar>& numbers() const { return numbers_; }
  Scalar::Kind kind() const { return kind_; }

 private:
  void add(nb::handle source, int axis) {
    if (const nb::object number = number_from(source); number.is_valid()) {
      if (axis != shape_.rank() || (sealed_ && axis != depth_)) uneven();
      depth_ = axis;
      sealed_ = true;
      numbers_.push_back(scalar_of(number, "asarray"));
      kind_ = std::max(kind_, numbers_.back().kind());
      return;
    }
    const nb::object items = items_of(source);
    if (!items.is_valid())
      throw Error(
          fmt::format("[asarray] expected numbers or sequences of them, got {}", nb::repr(source.type()).c_str()));
    const auto count = static_cast<int64_t>(nb::len(items));
    if (axis == shape_.rank()) {
      if (sealed_) uneven();
      shape_.push_back(count);
    } else if (shape_[axis] != count) {
      uneven();
    }
    if (count == 0) {
      if (sealed_ && axis + 1 != depth_) uneven();
      depth_ = axis + 1;
      sealed_ = true;
    }
    for (int64_t i = 0; i < count; ++i) add(nb::steal(PySequence_GetItem(items.ptr(), i)), axis + 1);
  }

  [[noreturn]] static void uneven() {
    throw Error("[asarray] expected sequences of one length at each level, got lengths that differ");
  }

  Shape shape_;
  std::vector<Scalar> numbers_;
  Scalar::Kind kind_ = Scalar::Kind::boolean;
  int depth_ = 0;        // at which numbers stand, once the first
  bool sealed_ = false;  // was met
};

nb::object nested(const std::byte*& from, const Shape& shape, int axis, DType dtype) {
  if (axis == shape.rank()) {
    nb::object number = read_number(from, dtype);
    from += size_of(dtype);
    return number;
  }
  nb::list list;
  for (int64_t i = 0; i < shape[axis]; ++i) list.append(nested(from, shape, axis + 1, dtype));
  return list;
}

}  // namespace

Tensor from_nested(nb::handle source, std::optional<DType> dtype, const Device& device) {
  const Flattened flat(source);
  if (!dtype) dtype = default_dtype(flat.numbers().empty() ? Scalar::Kind::real : flat.kind());
  std::vector<std::byte> bytes(flat.numbers().size() * size_of(*dtype));
  std::byte* to = bytes.data();
  for (const Scalar& number : flat.numbers()) {
    std::memcpy(to, number.element(*dtype, "asarray").data(), size_of(*dtype));
    to += size_of(*dtype);
  }
  return Tensor::from_bytes(bytes, flat.shape(), *dtype, device);
}

nb::object to_nested(const Tensor& tensor) {
  std::vector<std::byte> bytes(static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype()));
  tensor.copy_to_host(bytes);
  const std::byte* from = bytes.data();
  return nested(from, tensor.shape(), 0, tensor.dtype());
}

}  // namespace tern::python
