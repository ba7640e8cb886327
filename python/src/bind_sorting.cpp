// SPDX-License-Identifier: Apache-2.0
// Sorting, searching and sets.
#include "tern/sorting.h"

#include "keywords.h"
#include "module.h"

namespace tern::python {
namespace {

void bind_order(nb::module_& m) {
  const auto sorting = [&](const char* name, Tensor (*op)(const Tensor&, int, bool), const char* doc) {
    m.def(
        name,
        [op](const Tensor& x, int axis, bool descending, bool) {
          return without_gil([&] { return op(x, axis, descending); });
        },
        nb::arg(), nb::kw_only(), nb::arg("axis") = -1, nb::arg("descending") = false, nb::arg("stable") = true,
        nb::sig(
            signature(name, "x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True").c_str()),
        doc);
  };
  sorting("sort", &sort, "The elements along an axis in order, NaNs last. What is equal keeps its order.");
  sorting("argsort", &argsort, "Where the elements of sort(x) were.");
  m.def(
      "topk",
      [](const Tensor& x, int64_t k, int axis, bool largest) {
        TopK found = without_gil([&] { return topk(x, k, axis, largest); });
        return std::pair(std::move(found.values), std::move(found.indices));
      },
      nb::arg(), nb::arg(), nb::kw_only(), nb::arg("axis") = -1, nb::arg("largest") = true,
      nb::sig(
          signature("topk", "x: Tensor, k: int, /, *, axis: int = -1, largest: bool = True", "tuple[Tensor, Tensor]")
              .c_str()),
      "The k largest elements along an axis in order, and their indices.");
}

Tensor searched(const Tensor& sorted, const Tensor& values, const std::string& side,
                const std::optional<Tensor>& sorter) {
  if (side != "left" && side != "right")
    throw Error("[searchsorted] expected side 'left' or 'right', got '" + side + "'");
  return without_gil([&] {
    return searchsorted(sorted, values, side == "left" ? SearchSide::left : SearchSide::right,
                        sorter.value_or(Tensor()));
  });
}

void bind_search(nb::module_& m) {
  m.def("searchsorted", &searched, nb::arg(), nb::arg(), nb::kw_only(), nb::arg("side") = "left",
        optional_keyword("sorter"),
        nb::sig(
            signature("searchsorted", "x1: Tensor, x2: Tensor, /, *, side: str = 'left', sorter: Tensor | None = None")
                .c_str()),
        "Where values could be put into a sorted axis to keep it in order.");
  m.def(
      "nonzero",
      [](const Tensor& x) {
        if (x.rank() == 0) throw Error("[nonzero] expected a tensor with axes, got one without");
        return nb::tuple(nb::cast(without_gil([&] { return nonzero(x); })));
      },
      nb::arg(), nb::sig(signature("nonzero", "x: Tensor, /", "tuple[Tensor, ...]").c_str()),
      "Where x is not 0: indices for each axis.");
  m.def(
      "isin",
      [](const Tensor& x, const Tensor& values, bool invert) {
        return without_gil([&] { return isin(x, values, invert); });
      },
      nb::arg(), nb::arg(), nb::kw_only(), nb::arg("invert") = false,
      nb::sig(signature("isin", "x1: Tensor, x2: Tensor, /, *, invert: bool = False").c_str()),
      "Whether each element of x1 is one of x2.");
}

// Results with names, as the standard has them: named tuples.
nb::object named(const char* type, nb::tuple fields) {
  return nb::module_::import_("tern._results").attr(type)(*fields);
}

void bind_sets(nb::module_& m) {
  m.def(
      "unique_all",
      [](const Tensor& x) {
        const UniqueAll found = without_gil([&] { return unique_all(x); });
        return named("UniqueAll", nb::make_tuple(found.values, found.indices, found.inverse_indices, found.counts));
      },
      nb::arg(), nb::sig(signature("unique_all", "x: Tensor, /", "tuple[Tensor, Tensor, Tensor, Tensor]").c_str()),
      "Each value once, where it is first, which value each element has, and how many have it.");
  m.def(
      "unique_counts",
      [](const Tensor& x) {
        const UniqueCounts found = without_gil([&] { return unique_counts(x); });
        return named("UniqueCounts", nb::make_tuple(found.values, found.counts));
      },
      nb::arg(), nb::sig(signature("unique_counts", "x: Tensor, /", "tuple[Tensor, Tensor]").c_str()),
      "Each value once, and how many elements have it.");
  m.def(
      "unique_inverse",
      [](const Tensor& x) {
        const UniqueInverse found = without_gil([&] { return unique_inverse(x); });
        return named("UniqueInverse", nb::make_tuple(found.values, found.inverse_indices));
      },
      nb::arg(), nb::sig(signature("unique_inverse", "x: Tensor, /", "tuple[Tensor, Tensor]").c_str()),
      "Each value once, and which value each element has.");
  m.def(
      "unique_values", [](const Tensor& x) { return without_gil([&] { return unique_values(x); }); }, nb::arg(),
      nb::sig(signature("unique_values", "x: Tensor, /").c_str()), "Each value once.");
}

}  // namespace

void bind_sorting(nb::module_& m) {
  bind_order(m);
  bind_search(m);
  bind_sets(m);
}

}  // namespace tern::python
