// SPDX-License-Identifier: Apache-2.0
// Packed tensors; tern.packed presents them, tern.quant their matrices.
#include "tern/packed.h"

#include <fmt/format.h>
#include <nanobind/stl/map.h>

#include <limits>

#include "memory_fields.h"
#include "module.h"
#include "operand.h"
#include "paths.h"
#include "tern/error_kinds.h"
#include "tern/io.h"

namespace tern::python {
namespace {

using Released = nb::call_guard<nb::gil_scoped_release>;

constexpr const char* kKeys = "integers, slices and ... of leading axes";

int64_t bound_from(nb::handle bound, int64_t otherwise) {
  if (bound.is_none()) return otherwise;
  const nb::object number = nb::steal(PyNumber_Index(bound.ptr()));
  if (!number.is_valid()) throw nb::python_error();
  return PyNumber_AsSsize_t(number.ptr(), nullptr);  // beyond 64 bits is beyond any extent
}

// A slice of one axis; of the last one, all of it.
PackedTensor sliced(const PackedTensor& x, int axis, nb::handle key) {
  const int64_t step = bound_from(key.attr("step"), 1);
  if (axis == x.rank() - 1 && key.attr("start").is_none() && key.attr("stop").is_none() && step == 1) return x;
  constexpr int64_t kFar = std::numeric_limits<int64_t>::max();
  const int64_t begin = bound_from(key.attr("start"), step < 0 ? kFar : 0);
  // The end of a slice back to the first element is before it, where -1 would be the last.
  const int64_t end = bound_from(key.attr("stop"), step < 0 ? -kFar : kFar);
  return slice(x, axis, begin, end, step);
}

[[noreturn]] void fail_many(const PackedTensor& x) {
  throw OutOfRange(fmt::format("[index] expected at most {} indices, got more", x.rank()));
}

PackedTensor get_packed_item(const PackedTensor& self, nb::handle key) {
  const nb::tuple keys = PyTuple_Check(key.ptr()) ? nb::borrow<nb::tuple>(key) : nb::make_tuple(nb::borrow(key));
  PackedTensor x = self;
  int axis = 0;
  size_t left = nb::len(keys);
  for (nb::handle item : keys) {
    --left;
    if (item.is(nb::ellipsis())) {
      if (x.rank() - static_cast<int>(left) < axis) fail_many(self);
      axis = x.rank() - static_cast<int>(left);
    } else if (PySlice_Check(item.ptr())) {
      if (axis >= x.rank()) fail_many(self);
      x = sliced(x, axis++, item);
    } else if (PyIndex_Check(item.ptr()) && !PyBool_Check(item.ptr())) {
      if (axis >= x.rank()) fail_many(self);
      x = select(x, axis, bound_from(item, 0));
    } else {
      throw OutOfRange(fmt::format("[index] expected {}, got {}", kKeys, nb::repr(item.type()).c_str()));
    }
  }
  return x;
}

nb::dict report_of(const PackedTensor& x) {
  const PackedMemory memory = memory_report(x);
  nb::dict out;
  out["type"] = std::string(name_of(memory.type));
  out["shape"] = to_tuple(memory.shape);
  out["bits_per_value"] = memory.bits_per_value;
  put_memory_fields(out, memory.bytes);
  return out;
}

Overflow overflow_of(bool saturate) { return saturate ? Overflow::saturate : Overflow::refuse; }

void bind_files(nb::module_& m) {
  m.def(
      "load_safetensors",
      [](const PathArgument& path, const DeviceArgument& device) {
        StoredTensors loaded = without_gil([&] { return load_stored(path.path, device.device); });
        nb::dict all;
        for (auto& [name, tensor] : loaded.tensors) all[name.c_str()] = nb::cast(std::move(tensor));
        for (auto& [name, tensor] : loaded.packed) all[name.c_str()] = nb::cast(std::move(tensor));
        return all;
      },
      nb::arg("path"), nb::kw_only(), nb::arg("device").none() = nb::none(),
      nb::sig("def load_safetensors(path: str | os.PathLike, *, device: tern._core.Device | str | None = None) -> "
              "dict[str, tern._core.Tensor | PackedTensor]"),
      "Every tensor of a file, packed ones as such, over the mapped file.");
  m.def(
      "save_safetensors",
      [](const PathArgument& path, const nb::dict& tensors, const std::map<std::string, std::string>& metadata) {
        StoredTensors content;
        content.metadata = metadata;
        for (auto [name, tensor] : tensors) {
          if (nb::isinstance<PackedTensor>(tensor)) {
            content.packed.emplace_back(nb::cast<std::string>(name), nb::cast<PackedTensor>(tensor));
          } else {
            content.tensors.emplace_back(nb::cast<std::string>(name), nb::cast<Tensor>(tensor));
          }
        }
        without_gil([&] { save_stored(path.path, content); });
      },
      nb::arg("path"), nb::arg("tensors"), nb::arg("metadata") = std::map<std::string, std::string>(),
      nb::sig("def save_safetensors(path: str | os.PathLike, tensors: dict[str, tern._core.Tensor | PackedTensor], "
              "metadata: dict[str, str] = {}) -> None"),
      "Creates or replaces a file in one step. To other readers packed tensors are their bytes.");
}

}  // namespace

void bind_packed(nb::module_& m) {
  nb::module_ packed = m.def_submodule("_packed", "Integers of a few bits whose storage is that small.");
  nb::class_<PackedTensor> tensor(packed, "PackedTensor",
                                  "Ternary values or integers of 1 to 7 bits, whose storage is really that small. Made "
                                  "by pack(); indexing leading axes gives views.");
  tensor
      .def_prop_ro(
          "type", [](const PackedTensor& self) { return std::string(name_of(self.type())); }, "'ternary', 'u4', ...")
      .def_prop_ro("shape", &PackedTensor::shape)
      .def_prop_ro("ndim", &PackedTensor::rank)
      .def_prop_ro("size", &PackedTensor::numel, "How many values.")
      .def_prop_ro(
          "nbytes", [](const PackedTensor& self) { return self.bytes().numel(); },
          "Bytes of the values, which are packed.")
      .def_prop_ro("device", &PackedTensor::device)
      .def_prop_ro("bytes", &PackedTensor::bytes,
                   "The bytes themselves, without a copy: uint8, a row of values in a row of bytes.")
      .def("unpack", &unpack, nb::arg("dtype") = DType::i8, Released(),
           nb::sig("def unpack(self, dtype: tern._core.DType = 'int8') -> tern._core.Tensor"),
           "The values as a tensor.")
      .def(
          "repack",
          [](const PackedTensor& self, std::string_view type, bool saturate) {
            return repack(self, packed_type_from_name(type), overflow_of(saturate));
          },
          nb::arg("type"), nb::kw_only(), nb::arg("saturate") = false, Released(),
          "The same values as another type. What that does not hold is an error, or becomes the nearest value.")
      .def(
          "reshape", [](const PackedTensor& self, const Shape& shape) { return reshape(self, shape); },
          nb::arg("shape"), Released(), "Other leading axes; the last one stays.")
      .def(
          "copy", [](const PackedTensor& self) { return clone(self); }, Released())
      .def(
          "to_device",
          [](const PackedTensor& self, const DeviceArgument& device) { return to_device(self, device.device); },
          nb::arg("device"), Released(),
          nb::sig("def to_device(self, device: tern._core.Device | str) -> PackedTensor"))
      .def("memory_report", &report_of, nb::sig("def memory_report(self) -> dict[str, typing.Any]"),
           "Where the bytes lie, how many there are, and who shares them.")
      .def("__getitem__", &get_packed_item, nb::arg().none(),
           nb::sig("def __getitem__(self, key: typing.Any, /) -> PackedTensor"))
      .def("__len__",
           [](const PackedTensor& self) {
             if (self.rank() == 0) throw nb::type_error("len() of a packed tensor without axes");
             return self.size(0);
           })
      .def(
          "__eq__", [](const PackedTensor& self, const PackedTensor& other) { return self == other; }, nb::arg(),
          nb::is_operator(), nb::sig("def __eq__(self, other: object, /) -> bool"), "The same type, shape and values.")
      .def("__copy__", [](const PackedTensor& self) { return clone(self); })
      .def(
          "__deepcopy__", [](const PackedTensor& self, nb::handle) { return clone(self); }, nb::arg("memo"))
      .def(
          "__repr__", [](nb::handle self) { return nb::module_::import_("tern._format").attr("packed_repr")(self); },
          nb::sig("def __repr__(self) -> str"));
  tensor.attr("__hash__") = nb::none();
  packed.def(
      "pack",
      [](const Tensor& values, std::string_view type, bool saturate) {
        return pack(values, packed_type_from_name(type), overflow_of(saturate));
      },
      nb::arg("values"), nb::arg("type"), nb::kw_only(), nb::arg("saturate") = false, Released());
  packed.def(
      "from_bytes",
      [](const Tensor& bytes, const Shape& shape, std::string_view type) {
        return PackedTensor::over(bytes, shape, packed_type_from_name(type));
      },
      nb::arg("bytes"), nb::arg("shape"), nb::arg("type"), Released());
  nb::list types;
  for (int i = 0; i < kPackedTypeCount; ++i) types.append(std::string(name_of(static_cast<PackedType>(i))));
  packed.attr("types") = nb::tuple(types);
  bind_files(packed);
  nb::module_ quant = nb::borrow<nb::module_>(m.attr("_quant"));
  quant.def(
      "pack_ternary", [](const PackedTensor& codes, float scale) { return pack_ternary(codes, scale); },
      nb::arg("codes"), nb::arg("scale"), Released(),
      "The same of a packed tensor of a ternary type, whose codes never exist as a whole.");
  quant.def(
      "packed_codes",
      [](const PackedTernary& w, std::string_view type) { return packed_codes(w, packed_type_from_name(type)); },
      nb::arg("packed"), nb::arg("type") = "ternary", Released(), "The codes of a packed matrix as a packed tensor.");
}

}  // namespace tern::python
