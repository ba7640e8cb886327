// SPDX-License-Identifier: Apache-2.0
// Creation functions: the array API's, with float32 where nothing else says.
#include "tern/creation.h"

#include "keywords.h"
#include "module.h"
#include "number.h"
#include "tern/error_kinds.h"

namespace tern::python {
namespace {

// A tensor of x's shape on another device than x's, which the functions that end in _like keep to.
Tensor elsewhere(const Tensor& x, const MaybeDevice& device) {
  return device && !(device->device == x.device()) ? Tensor::empty(x.shape(), x.dtype(), device->device) : x;
}

Tensor full_from(const Shape& shape, nb::handle value, MaybeDType dtype, const MaybeDevice& device) {
  const Scalar number = scalar_from(value, "full");
  return without_gil(
      [&] { return full(shape, number, dtype.value_or(default_dtype(number.kind())), device_or_default(device)); });
}

Tensor arange_from(nb::handle start, nb::handle stop, nb::handle step, MaybeDType dtype, const MaybeDevice& device) {
  const bool alone = stop.is_none();
  const Scalar first = alone ? Scalar(0) : scalar_from(start, "arange");
  const Scalar last = scalar_from(alone ? start : stop, "arange");
  const Scalar by = scalar_from(step, "arange");
  const bool integral = first.is_integral() && last.is_integral() && by.is_integral();
  return without_gil([&] {
    return arange(first, last, by, dtype.value_or(integral ? DType::i64 : DType::f32), device_or_default(device));
  });
}

Tensor linspace_from(nb::handle start, nb::handle stop, int64_t count, MaybeDType dtype, const MaybeDevice& device,
                     bool endpoint) {
  const Scalar first = scalar_from(start, "linspace"), last = scalar_from(stop, "linspace");
  const bool is_complex = first.kind() == Scalar::Kind::complex || last.kind() == Scalar::Kind::complex;
  return without_gil([&] {
    return linspace(first, last, count, dtype.value_or(is_complex ? DType::c64 : DType::f32), device_or_default(device),
                    endpoint);
  });
}

void of_shape(nb::module_& m, const char* name, Tensor (*make)(const Shape&, DType, const Device&), const char* doc) {
  m.def(
      name,
      [make](const Shape& shape, MaybeDType dtype, const MaybeDevice& device) {
        return without_gil([&] { return make(shape, dtype.value_or(DType::f32), device_or_default(device)); });
      },
      nb::arg("shape"), nb::kw_only(), optional_keyword("dtype"), optional_keyword("device"),
      nb::sig(signature(name, std::string("shape: int | tuple[int, ...], *, ") + kDTypeAndDevice).c_str()), doc);
}

void like(nb::module_& m, const char* name, Tensor (*make)(const Tensor&, MaybeDType), const char* doc) {
  m.def(
      name,
      [make](const Tensor& x, MaybeDType dtype, const MaybeDevice& device) {
        return without_gil([&] { return make(elsewhere(x, device), dtype); });
      },
      nb::arg(), nb::kw_only(), optional_keyword("dtype"), optional_keyword("device"),
      nb::sig(signature(name, std::string("x: Tensor, /, *, ") + kDTypeAndDevice).c_str()), doc);
}

void bind_ranges(nb::module_& m) {
  m.def("arange", &arange_from, nb::arg(), nb::arg("stop").none() = nb::none(), nb::arg("step") = 1, nb::kw_only(),
        optional_keyword("dtype"), optional_keyword("device"),
        nb::sig(signature("arange", std::string("start: float, /, stop: float | None = None, step: float = 1, *, ") +
                                        kDTypeAndDevice)
                    .c_str()),
        "Numbers from start to before stop (from 0 to before start, where stop is None).");
  m.def("linspace", &linspace_from, nb::arg(), nb::arg(), nb::arg("num"), nb::kw_only(), optional_keyword("dtype"),
        optional_keyword("device"), nb::arg("endpoint") = true,
        nb::sig(signature("linspace", std::string("start: complex, stop: complex, /, num: int, *, ") + kDTypeAndDevice +
                                          ", endpoint: bool = True")
                    .c_str()),
        "num numbers at even distances from start to stop.");
  m.def(
      "eye",
      [](int64_t rows, std::optional<int64_t> columns, int64_t k, MaybeDType dtype, const MaybeDevice& device) {
        return without_gil(
            [&] { return eye(rows, columns, k, dtype.value_or(DType::f32), device_or_default(device)); });
      },
      nb::arg(), nb::arg().none() = nb::none(), nb::kw_only(), nb::arg("k") = 0, optional_keyword("dtype"),
      optional_keyword("device"),
      nb::sig(
          signature("eye", std::string("n_rows: int, n_cols: int | None = None, /, *, k: int = 0, ") + kDTypeAndDevice)
              .c_str()),
      "Ones on a diagonal, zeros elsewhere.");
}

}  // namespace

void bind_creation(nb::module_& m) {
  of_shape(m, "empty", &empty, "Elements of no particular value.");
  of_shape(m, "zeros", &zeros, "Zeros.");
  of_shape(m, "ones", &ones, "Ones.");
  like(m, "empty_like", &empty_like, "Elements of no particular value, of x's shape and dtype.");
  like(m, "zeros_like", &zeros_like, "Zeros of x's shape and dtype.");
  like(m, "ones_like", &ones_like, "Ones of x's shape and dtype.");
  m.def(
      "full", &full_from, nb::arg("shape"), nb::arg("fill_value"), nb::kw_only(), optional_keyword("dtype"),
      optional_keyword("device"),
      nb::sig(signature("full", std::string("shape: int | tuple[int, ...], fill_value: complex, *, ") + kDTypeAndDevice)
                  .c_str()),
      "One number everywhere.");
  m.def(
      "full_like",
      [](const Tensor& x, nb::handle value, MaybeDType dtype, const MaybeDevice& device) {
        const Scalar number = scalar_from(value, "full_like");
        return without_gil([&] { return full_like(elsewhere(x, device), number, dtype); });
      },
      nb::arg(), nb::arg("fill_value"), nb::kw_only(), optional_keyword("dtype"), optional_keyword("device"),
      nb::sig(signature("full_like", std::string("x: Tensor, /, fill_value: complex, *, ") + kDTypeAndDevice).c_str()),
      "One number everywhere, of x's shape and dtype.");
  bind_ranges(m);
  const auto triangle = [&](const char* name, Tensor (*op)(const Tensor&, int64_t), const char* doc) {
    m.def(
        name, [op](const Tensor& x, int64_t k) { return without_gil([&] { return op(x, k); }); }, nb::arg(),
        nb::kw_only(), nb::arg("k") = 0, nb::sig(signature(name, "x: Tensor, /, *, k: int = 0").c_str()), doc);
  };
  triangle("tril", &tril, "Matrices with zeros above a diagonal.");
  triangle("triu", &triu, "Matrices with zeros below a diagonal.");
  triangle("diag", &diag, "A matrix's diagonal, or the matrix that has a vector there.");
  m.def(
      "meshgrid",
      [](const nb::args& arrays, const std::string& indexing) {
        if (indexing != "xy" && indexing != "ij")
          throw Error("[meshgrid] expected indexing 'xy' or 'ij', got '" + indexing + "'");
        const std::vector<Tensor> list = tensors_of("meshgrid", arrays);
        return without_gil([&] { return meshgrid(list, indexing == "xy" ? GridIndexing::xy : GridIndexing::ij); });
      },
      nb::arg("arrays"), nb::kw_only(), nb::arg("indexing") = "xy",
      nb::sig("def meshgrid(*arrays: Tensor, indexing: str = 'xy') -> list[Tensor]"), "The coordinates of a grid.");
}

}  // namespace tern::python
