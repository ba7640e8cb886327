// SPDX-License-Identifier: Apache-2.0
#include "index.h"

#include <fmt/format.h>

#include "number.h"
#include "tern/error_kinds.h"
#include "tern/ops.h"

namespace tern::python {
namespace {

// Walks a key from its first item on, over the axes of a view.
class BasicIndex {
 public:
  BasicIndex(const Tensor& tensor, nb::handle key) : view_(tensor) {
    const nb::tuple items = PyTuple_Check(key.ptr()) ? nb::borrow<nb::tuple>(key) : nb::make_tuple(key);
    int named = 0;
    for (nb::handle item : items) named += names_axis(item) ? 1 : 0;
    if (named > tensor.rank())
      throw OutOfRange(fmt::format("[index] expected at most {} indices for shape {}, got {}", tensor.rank(),
                                   to_string(tensor.shape()), named));
    bool whole = false;
    for (nb::handle item : items) {
      if (item.is(nb::ellipsis())) {
        if (whole) throw OutOfRange("[index] expected at most one ..., got two");
        whole = true;
        axis_ += tensor.rank() - named;
      } else {
        apply(item);
      }
    }
  }

  const Tensor& view() const { return view_; }

 private:
  static bool names_axis(nb::handle item) { return !item.is_none() && !item.is(nb::ellipsis()); }

  void apply(nb::handle item) {
    if (item.is_none()) {
      view_ = unsqueeze(view_, axis_++);
    } else if (PySlice_Check(item.ptr())) {
      cut(item);
    } else {
      pick(item);
    }
  }

  void cut(nb::handle item) {
    Py_ssize_t start = 0, stop = 0, step = 0;
    if (PySlice_Unpack(item.ptr(), &start, &stop, &step) != 0) throw nb::python_error();
    const int64_t extent = view_.size(axis_);
    PySlice_AdjustIndices(extent, &start, &stop, step);
    // Before the first element is an end of its own, which counted from the end is -extent-1.
    const auto place = [&](int64_t index) { return index < 0 ? -extent - 1 : index; };
    view_ = slice(view_, axis_++, place(start), place(stop), step);
  }

  void pick(nb::handle item) {
    if (PyBool_Check(item.ptr()) || !PyIndex_Check(item.ptr()))
      throw OutOfRange(fmt::format("[index] expected integers, slices, ... or None, got {}", nb::repr(item).c_str()));
    const nb::object number = nb::steal(PyNumber_Index(item.ptr()));
    if (!number.is_valid()) throw nb::python_error();
    const auto index = nb::cast<int64_t>(number);
    const int64_t extent = view_.size(axis_);
    if (index < -extent || index >= extent)
      throw OutOfRange(
          fmt::format("[index] expected an index in [{}, {}) of axis {}, got {}", -extent, extent, axis_, index));
    view_ = select(view_, axis_, index);
  }

  Tensor view_;
  int axis_ = 0;
};

}  // namespace

Tensor get_item(const Tensor& tensor, nb::handle key) { return BasicIndex(tensor, key).view(); }

void set_item(const Tensor& tensor, nb::handle key, const Operand& value) {
  const Tensor view = get_item(tensor, key);
  const Tensor from =
      value.tensor.defined() ? value.tensor : full_of(value.number, view.dtype(), view.device(), "setitem");
  without_gil([&] { assign(view, from); });
}

}  // namespace tern::python
