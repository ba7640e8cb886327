// SPDX-License-Identifier: Apache-2.0
// Shapes and arrangements.
#include "tern/manipulation.h"

#include "keywords.h"
#include "module.h"
#include "number.h"
#include "tern/elementwise.h"
#include "tern/error_kinds.h"
#include "tern/indexing.h"

namespace tern::python {
namespace {

using Sequence = std::vector<Tensor>;
constexpr const char* kArrays = "collections.abc.Sequence[Tensor]";

std::vector<int64_t> counts_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

PadMode pad_mode_from(const std::string& name) {
  if (name == "constant") return PadMode::constant;
  if (name == "edge") return PadMode::edge;
  if (name == "reflect") return PadMode::reflect;
  if (name == "symmetric") return PadMode::symmetric;
  if (name == "wrap") return PadMode::wrap;
  throw Error("[pad] expected mode 'constant', 'edge', 'reflect', 'symmetric' or 'wrap', got '" + name + "'");
}

void bind_views(nb::module_& m) {
  m.def(
      "reshape",
      [](const Tensor& x, const Shape& shape, std::optional<bool> copy) {
        return without_gil([&] { return reshape(x, shape, copy); });
      },
      nb::arg(), nb::arg("shape"), nb::kw_only(), optional_keyword("copy"),
      nb::sig(signature("reshape", "x: Tensor, /, shape: int | tuple[int, ...], *, copy: bool | None = None").c_str()),
      "The elements in row-major order under a new shape, of which one extent may be -1; a view where strides allow.");
  m.def(
      "permute_dims", [](const Tensor& x, const Axes& axes) { return permute_dims(x, axes.axes); }, nb::arg(),
      nb::arg("axes"), nb::sig(signature("permute_dims", "x: Tensor, /, axes: tuple[int, ...]").c_str()),
      "Axes in a new order, as a view.");
  m.def(
      "matrix_transpose", [](const Tensor& x) { return transpose(x); }, nb::arg(),
      nb::sig(signature("matrix_transpose", "x: Tensor, /").c_str()), "The last two axes swapped, as a view.");
  m.def("swapaxes", &swapaxes, nb::arg(), nb::arg(), nb::arg(),
        nb::sig(signature("swapaxes", "x: Tensor, axis1: int, axis2: int, /").c_str()), "Two axes swapped, as a view.");
  m.def(
      "moveaxis",
      [](const Tensor& x, const Axes& source, const Axes& destination) {
        return moveaxis(x, source.axes, destination.axes);
      },
      nb::arg(), nb::arg(), nb::arg(),
      nb::sig(signature("moveaxis", "x: Tensor, source: int | tuple[int, ...], destination: int | tuple[int, ...], /")
                  .c_str()),
      "Axes moved to other places, as a view.");
  m.def(
      "broadcast_to", [](const Tensor& x, const Shape& shape) { return broadcast_to(x, shape); }, nb::arg(),
      nb::arg("shape"), nb::sig(signature("broadcast_to", "x: Tensor, /, shape: tuple[int, ...]").c_str()),
      "A view of a larger shape.");
  m.def(
      "broadcast_arrays",
      [](const nb::args& arrays) { return broadcast_arrays(tensors_of("broadcast_arrays", arrays)); },
      nb::sig("def broadcast_arrays(*arrays: Tensor) -> list[Tensor]"), "Views of the shape to which all broadcast.");
  m.def(
      "broadcast_shapes",
      [](const nb::args& shapes) {
        std::vector<Shape> list;
        for (nb::handle shape : shapes) {
          const std::optional<Shape> found = shape_from(shape);
          if (!found)
            throw WrongType(std::string("[broadcast_shapes] expected shapes, got ") + nb::repr(shape).c_str());
          list.push_back(*found);
        }
        return broadcast_shapes(list);
      },
      nb::sig("def broadcast_shapes(*shapes: int | tuple[int, ...]) -> tuple[int, ...]"),
      "The shape to which all broadcast.");
  m.def(
      "expand_dims", [](const Tensor& x, int axis) { return expand_dims(x, axis); }, nb::arg(), nb::arg("axis"),
      nb::sig(signature("expand_dims", "x: Tensor, /, axis: int").c_str()), "A new axis of one, as a view.");
  m.def(
      "squeeze", [](const Tensor& x, const Axes& axis) { return squeeze(x, axis.axes); }, nb::arg(), nb::arg("axis"),
      nb::sig(signature("squeeze", "x: Tensor, /, axis: int | tuple[int, ...]").c_str()),
      "Without axes of one, as a view.");
  m.def(
      "flip",
      [](const Tensor& x, const std::optional<Axes>& axis) {
        return axis ? flip(x, std::span<const int>(axis->axes)) : flip(x);
      },
      nb::arg(), nb::kw_only(), optional_keyword("axis"),
      nb::sig(signature("flip", "x: Tensor, /, *, axis: int | tuple[int, ...] | None = None").c_str()),
      "In reverse along axes, as a view.");
  m.def(
      "unstack", [](const Tensor& x, int axis) { return nb::tuple(nb::cast(unstack(x, axis))); }, nb::arg(),
      nb::kw_only(), nb::arg("axis") = 0,
      nb::sig(signature("unstack", "x: Tensor, /, *, axis: int = 0", "tuple[Tensor, ...]").c_str()),
      "The parts along an axis, without it, as views.");
  m.def(
      "split",
      [](const Tensor& x, const std::variant<int64_t, std::vector<int64_t>>& parts, int axis) {
        return std::visit([&](const auto& given) { return split(x, given, axis); }, parts);
      },
      nb::arg(), nb::arg("indices_or_sections"), nb::kw_only(), nb::arg("axis") = 0,
      nb::sig("def split(x: Tensor, /, indices_or_sections: int | collections.abc.Sequence[int], *, axis: int = 0) -> "
              "list[Tensor]"),
      "Parts of an axis, as views.");
}

void bind_copies(nb::module_& m) {
  m.def(
      "concat",
      [](const Sequence& arrays, std::optional<int> axis) {
        return without_gil([&] { return axis ? concat(arrays, *axis) : concat(arrays, std::nullopt); });
      },
      nb::arg(), nb::kw_only(), nb::arg("axis").none() = 0,
      nb::sig(signature("concat", std::string("arrays: ") + kArrays + ", /, *, axis: int | None = 0").c_str()),
      "Joined along an axis; without one, flattened before.");
  m.def(
      "stack", [](const Sequence& arrays, int axis) { return without_gil([&] { return stack(arrays, axis); }); },
      nb::arg(), nb::kw_only(), nb::arg("axis") = 0,
      nb::sig(signature("stack", std::string("arrays: ") + kArrays + ", /, *, axis: int = 0").c_str()),
      "Joined along a new axis.");
  m.def(
      "roll",
      [](const Tensor& x, const Shape& shift, const std::optional<Axes>& axis) {
        if (!axis && shift.rank() != 1) throw Error("[roll] expected one shift where there is no axis, got several");
        return without_gil([&] { return axis ? roll(x, counts_of(shift), axis->axes) : roll(x, shift[0]); });
      },
      nb::arg(), nb::arg("shift"), nb::kw_only(), optional_keyword("axis"),
      nb::sig(
          signature("roll", "x: Tensor, /, shift: int | tuple[int, ...], *, axis: int | tuple[int, ...] | None = None")
              .c_str()),
      "Moved along axes, what leaves at one end coming in at the other.");
  m.def(
      "repeat",
      [](const Tensor& x, const std::variant<int64_t, Tensor>& repeats, std::optional<int> axis) {
        return without_gil(
            [&] { return std::visit([&](const auto& times) { return repeat(x, times, axis); }, repeats); });
      },
      nb::arg(), nb::arg(), nb::kw_only(), optional_keyword("axis"),
      nb::sig(signature("repeat", "x: Tensor, repeats: int | Tensor, /, *, axis: int | None = None").c_str()),
      "Each element of an axis so many times after each other.");
  m.def(
      "tile",
      [](const Tensor& x, const Shape& repetitions) {
        return without_gil([&] { return tile(x, counts_of(repetitions)); });
      },
      nb::arg(), nb::arg(), nb::sig(signature("tile", "x: Tensor, repetitions: tuple[int, ...], /").c_str()),
      "x, so many times along each axis.");
  m.def(
      "pad",
      [](const Tensor& x, const std::vector<std::pair<int64_t, int64_t>>& widths, const std::string& mode,
         nb::handle value) {
        const Scalar number = scalar_from(value, "pad");
        return without_gil([&] { return pad(x, widths, pad_mode_from(mode), number); });
      },
      nb::arg(), nb::arg("pad_width"), nb::kw_only(), nb::arg("mode") = "constant", nb::arg("constant_values") = 0,
      nb::sig("def pad(x: Tensor, /, pad_width: collections.abc.Sequence[tuple[int, int]], *, mode: str = 'constant', "
              "constant_values: complex = 0) -> Tensor"),
      "Wider by so many elements before and after each axis.");
  m.def(
      "astype",
      [](const Tensor& x, DType dtype, bool copy, const std::optional<DeviceArgument>& device) {
        return without_gil([&] {
          const Tensor there = device && !(device->device == x.device()) ? to_device(x, device->device) : x;
          return there.dtype() != dtype                 ? cast(there, dtype)
                 : copy && there.shares_storage_with(x) ? clone(there)
                                                        : there;
        });
      },
      nb::arg(), nb::arg(), nb::kw_only(), nb::arg("copy") = true, optional_keyword("device"),
      nb::sig(
          signature("astype", "x: Tensor, dtype: DType, /, *, copy: bool = True, device: Device | str | None = None")
              .c_str()),
      "Converted to a dtype; integers that it lacks wrap.");
  m.def(
      "cast_saturating",
      [](const Tensor& x, DType dtype) { return without_gil([&] { return cast_saturating(x, dtype); }); }, nb::arg(),
      nb::arg(), nb::sig(signature("cast_saturating", "x: Tensor, dtype: DType, /").c_str()),
      "Converted to a dtype; integers that it lacks become the nearest that it has.");
}

void bind_indexing(nb::module_& m) {
  m.def(
      "take",
      [](const Tensor& x, const Tensor& indices, std::optional<int> axis) {
        return without_gil([&] { return take(x, indices, axis); });
      },
      nb::arg(), nb::arg(), nb::kw_only(), optional_keyword("axis"),
      nb::sig(signature("take", "x: Tensor, indices: Tensor, /, *, axis: int | None = None").c_str()),
      "Elements of an axis by their indices.");
  m.def(
      "take_along_axis",
      [](const Tensor& x, const Tensor& indices, int axis) {
        return without_gil([&] { return take_along_axis(x, indices, axis); });
      },
      nb::arg(), nb::arg(), nb::kw_only(), nb::arg("axis") = -1,
      nb::sig(signature("take_along_axis", "x: Tensor, indices: Tensor, /, *, axis: int = -1").c_str()),
      "x[..., indices[..., i, ...], ...]");
  m.def(
      "put_along_axis",
      [](const Tensor& x, const Tensor& indices, const Operand& values, int axis) {
        const TensorOf given("put_along_axis", values, x);
        without_gil([&] { put_along_axis(x, indices, *given, axis); });
      },
      nb::arg().noconvert(),  // an array that cannot be shared would be written to in vain
      nb::arg(), nb::arg(), nb::kw_only(), nb::arg("axis") = -1,
      nb::sig("def put_along_axis(x: Tensor, indices: Tensor, values: Tensor | complex, /, *, axis: int = -1) -> None"),
      "x[..., indices[..., i, ...], ...] = values[..., i, ...], in place; of several values for one element the last "
      "remains. values broadcast to what take_along_axis gives.");
}

// One shape, or its extents one by one.
Shape shape_of(const nb::args& extents) {
  const nb::object source = extents.size() == 1 ? nb::borrow(extents[0]) : nb::borrow(extents);
  const std::optional<Shape> shape = shape_from(source);
  if (!shape) throw WrongType("[reshape] expected extents or a tuple of them");
  return *shape;
}

// The methods that NumPy's arrays have.
void bind_methods(TensorClass& tensor) {
  tensor
      .def(
          "reshape", [](const Tensor& self, const nb::args& shape) { return reshape(self, shape_of(shape)); },
          nb::sig("def reshape(self, *shape: int | tuple[int, ...]) -> Tensor"), "tern.reshape")
      .def(
          "transpose",
          [](const Tensor& self, const nb::args& axes) {
            std::vector<int> order;
            if (axes.size() == 0) {
              for (int axis = self.rank() - 1; axis >= 0; --axis) order.push_back(axis);
            } else {
              for (const int64_t axis : shape_of(axes)) order.push_back(static_cast<int>(axis));
            }
            return permute(self, order);
          },
          nb::sig("def transpose(self, *axes: int | tuple[int, ...]) -> Tensor"),
          "Axes in a new order; reversed if none is given.")
      .def(
          "flatten", [](const Tensor& self) { return flatten(self); }, "A copy with one axis.")
      .def(
          "ravel", [](const Tensor& self) { return ravel(self); }, "With one axis; a view where strides allow.")
      .def(
          "copy", [](const Tensor& self) { return without_gil([&] { return clone(self); }); }, "A copy.");
}

}  // namespace

void bind_manipulation(nb::module_& m, TensorClass& tensor) {
  bind_methods(tensor);
  bind_views(m);
  bind_copies(m);
  bind_indexing(m);
}

}  // namespace tern::python
