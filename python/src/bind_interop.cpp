// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <utility>
#include <vector>

#include "interop.h"
#include "module.h"
#include "nested.h"
#include "operand.h"
#include "tern/interop.h"
#include "tern/ops.h"

namespace tern::python {
namespace {

using Code = nb::dlpack::dtype_code;

nb::dlpack::dtype dlpack_dtype(DType dtype) {
  const Code code = dtype == DType::boolean      ? Code::Bool
                    : dtype == DType::bf16       ? Code::Bfloat
                    : is_signed_integer(dtype)   ? Code::Int
                    : is_unsigned_integer(dtype) ? Code::UInt
                    : is_complex(dtype)          ? Code::Complex
                                                 : Code::Float;
  return {static_cast<uint8_t>(code), static_cast<uint8_t>(8 * size_of(dtype)), 1};
}

DType from_dlpack(nb::dlpack::dtype dtype) {
  for (int i = 0; i < kDTypeCount; ++i)
    if (dlpack_dtype(static_cast<DType>(i)) == dtype) return static_cast<DType>(i);
  throw Error(fmt::format("[asarray] expected elements of a dtype that tern has, got {} bits of DLPack's kind {}",
                          static_cast<int>(dtype.bits), static_cast<int>(dtype.code)));
}

// DLPack's numbers for where memory is.
std::pair<int, int> dlpack_device(const Device& device) {
  return {device.name() == "cuda" ? nb::device::cuda::value : nb::device::cpu::value, 0};
}

template <class Array>
Tensor over(const Array& array, const Device& device) {
  std::vector<int64_t> shape, strides;
  for (size_t axis = 0; axis < array.ndim(); ++axis) {
    shape.push_back(static_cast<int64_t>(array.shape(axis)));
    strides.push_back(array.stride(axis));
  }
  const DType dtype = from_dlpack(array.dtype());
  // Where nothing is stored, any address will do.
  if (array.size() == 0) return Tensor::empty(Shape(shape), dtype, device);
  const std::shared_ptr<Array> keeper(new Array(array), [](Array* kept) {
    // After the interpreter's end there is nobody to give the array back to.
    if (Py_IsInitialized() == 0) return;
    nb::gil_scoped_acquire lock;
    delete kept;
  });
  return borrow(const_cast<void*>(static_cast<const void*>(array.data())), Shape(shape), Shape(strides), dtype, device,
                keeper);
}

// The array, and whether it may be written to.
std::pair<nb::ndarray<nb::ro>, bool> import(nb::handle source) {
  nb::ndarray<> writable;
  if (nb::try_cast(source, writable, false)) return {nb::ndarray<nb::ro>(writable), true};
  nb::ndarray<nb::ro> readable;
  if (nb::try_cast(source, readable, false)) return {readable, false};
  throw Error(fmt::format("[asarray] expected an array of numbers in native byte order, got {}",
                          nb::repr(source.type()).c_str()));
}

template <class Framework>
nb::object exported(nb::handle self, const Tensor& tensor) {
  std::vector<size_t> shape(tensor.shape().begin(), tensor.shape().end());
  const auto [type, id] = dlpack_device(tensor.device());
  return nb::cast(nb::ndarray<Framework>(tensor.raw(), shape.size(), shape.data(), self, tensor.strides().begin(),
                                         dlpack_dtype(tensor.dtype()), type, id),
                  nb::rv_policy::reference);
}

nb::object to_numpy(nb::handle self, std::optional<nb::object> dtype, std::optional<bool> copy) {
  Tensor tensor = nb::cast<Tensor>(self);
  if (tensor.dtype() == DType::bf16)
    throw Error("[__array__] expected a dtype that NumPy has, got bfloat16; use astype(tern.float32)");
  if (tensor.device().name() != "cpu") {
    if (copy && !*copy) throw Error("[__array__] expected a tensor in the host's memory, or a copy to be allowed");
    tensor = to_device(tensor, default_device());
  }
  nb::object array = exported<nb::numpy>(nb::cast(tensor), tensor);
  if (copy && *copy) array = array.attr("copy")();
  return dtype && !dtype->is_none() ? array.attr("astype")(*dtype, nb::arg("copy") = false) : array;
}

nb::object to_dlpack(nb::handle self, const nb::kwargs& keywords) {
  Tensor tensor = nb::cast<Tensor>(self);
  nb::dict rest;
  bool copied = false;
  for (auto [key, value] : keywords) {
    if (nb::cast<std::string_view>(key) == "copy") {
      copied = nb::isinstance<nb::bool_>(value) && nb::cast<bool>(value);
    } else {
      rest[key] = value;
    }
  }
  if (tensor.requires_grad()) throw Error("[__dlpack__] expected a tensor without a graph; use detach()");
  tensor.device().synchronize();
  if (copied) tensor = clone(tensor);
  return exported<nb::array_api>(nb::cast(tensor), tensor).attr("__dlpack__")(**rest);
}

Tensor as_array(nb::handle source, std::optional<DType> dtype, std::optional<DeviceArgument> device,
                std::optional<bool> copy) {
  Tensor tensor;
  const Device on = device ? device->device : default_device();
  if (nb::isinstance<Tensor>(source)) {
    tensor = nb::cast<Tensor>(source);
    const Device to = device ? device->device : tensor.device();
    const bool changes = (dtype && *dtype != tensor.dtype()) || !(to == tensor.device());
    if (changes && copy && !*copy) throw Error("[asarray] expected dtype and device as they are where copy is False");
    if (!(to == tensor.device())) tensor = to_device(tensor, to);
    if (dtype && *dtype != tensor.dtype()) return cast(tensor, *dtype);
    return copy && *copy ? clone(tensor) : tensor;
  }
  if (nb::ndarray_check(source)) {
    tensor = tensor_over(source, on, copy);
    if (!dtype || *dtype == tensor.dtype()) return tensor;
    if (copy && !*copy) throw Error("[asarray] expected the dtype as it is where copy is False");
    return without_gil([&] { return cast(tensor, *dtype); });
  }
  if (copy && !*copy) throw Error("[asarray] expected an array where copy is False, got Python's own objects");
  return from_nested(source, dtype, on);
}

}  // namespace

Tensor tensor_over(nb::handle source, const Device& device, std::optional<bool> copy) {
  const auto [array, writable] = import(source);
  const auto [type, id] = dlpack_device(device);
  if (array.device_type() != nb::device::cpu::value && array.device_type() != type)
    throw Error("[asarray] expected memory of the host or of the tensor's device, got that of another device");
  const DType dtype = from_dlpack(array.dtype());
  const bool aligned = reinterpret_cast<uintptr_t>(array.data()) % std::min(size_of(dtype), size_t{8}) == 0;
  if (array.device_type() == type && aligned && writable) {
    const Tensor shared = over(array, device);
    return copy && *copy ? clone(shared) : shared;
  }
  if (copy && !*copy)
    throw Error(
        "[asarray] expected memory that can be shared (writable, aligned, on the tensor's device) where copy is False");
  if (!aligned) return tensor_over(source.attr("copy")(), device, std::nullopt);
  const Device host = array.device_type() == type ? device : default_device();
  const Tensor copied = clone(over(array, host));
  return host == device ? copied : to_device(copied, device);
}

void bind_interop(nb::module_& m, TensorClass& tensor) {
  // What takes a Tensor takes an array, too.
  nb::implicitly_convertible<ArrayArgument, Tensor>();
  tensor
      .def(
          "__init__",
          [](Tensor* self, const ArrayArgument& array) {
            new (self) Tensor(tensor_over(array.source, default_device(), std::nullopt));
          },
          nb::arg(), nb::sig("def __init__(self, array: typing.Any, /) -> None"),
          "Over the memory of a NumPy array or of whatever has __dlpack__ or a buffer, where it can be shared; asarray "
          "has the choices. Functions that take a Tensor take such an array in its place.")
      .def(
          "__array__",
          [](nb::handle self, std::optional<nb::object> dtype, std::optional<bool> copy) {
            return to_numpy(self, std::move(dtype), copy);
          },
          nb::arg("dtype").none() = nb::none(), nb::kw_only(), nb::arg("copy").none() = nb::none(),
          nb::sig("def __array__(self, dtype: object = None, *, copy: bool | None = None) -> numpy.ndarray"),
          "A NumPy array over the same memory, which lives as long as either of them.")
      .def("__dlpack__", &to_dlpack,
           nb::sig("def __dlpack__(self, *, stream: object = None, max_version: tuple[int, int] | None = None, "
                   "dl_device: tuple[int, int] | None = None, copy: bool | None = None) -> typing.Any"),
           "A DLPack capsule of the same memory.")
      .def(
          "__dlpack_device__", [](const Tensor& self) { return dlpack_device(self.device()); },
          "DLPack's numbers of the device.")
      .def(
          "numpy", [](nb::handle self) { return to_numpy(self, std::nullopt, std::nullopt); },
          nb::sig("def numpy(self) -> numpy.ndarray"), "A NumPy array over the same memory.");

  m.def("asarray", &as_array, nb::arg(), nb::kw_only(), nb::arg("dtype").none() = nb::none(),
        nb::arg("device").none() = nb::none(), nb::arg("copy").none() = nb::none(),
        nb::sig("def asarray(obj: typing.Any, /, *, dtype: DType | None = None, device: Device | str | None = None, "
                "copy: bool | "
                "None = None) -> Tensor"),
        "A tensor of numbers, nested sequences of them, or over the memory of a tensor, a NumPy array or whatever has "
        "__dlpack__ or a buffer. copy: True copies, False never does (an Error where it must), None where it must.");
  m.def(
      "from_dlpack",
      [](nb::handle source, std::optional<DeviceArgument> device, std::optional<bool> copy) {
        return as_array(source, std::nullopt, std::move(device), copy);
      },
      nb::arg(), nb::kw_only(), nb::arg("device").none() = nb::none(), nb::arg("copy").none() = nb::none(),
      nb::sig("def from_dlpack(x: typing.Any, /, *, device: Device | str | None = None, copy: bool | None = None) -> "
              "Tensor"),
      "A tensor over the memory of an object that has __dlpack__.");
}

}  // namespace tern::python
