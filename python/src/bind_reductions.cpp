// SPDX-License-Identifier: Apache-2.0
// Reductions, statistics and running sums.
#include "tern/reductions.h"

#include <array>

#include "keywords.h"
#include "module.h"

namespace tern::python {
namespace {

using MaybeAxes = std::optional<Axes>;
constexpr const char* kAxes = "axis: int | tuple[int, ...] | None = None, ";

// op over the axes; over none at all (axis=()), each element by itself is over a new axis.
template <class F>
Tensor over(const Tensor& x, const MaybeAxes& axis, bool keep, F&& op) {
  return without_gil([&] {
    if (!axis) return op(x, std::span<const int>(), keep);
    if (axis->axes.empty()) return op(unsqueeze(x, 0), std::span<const int>(std::array{0}), false);
    return op(x, std::span<const int>(axis->axes), keep);
  });
}

using OverAxes = Tensor (*)(const Tensor&, std::span<const int>, bool);

void over_axes(nb::module_& m, const char* name, OverAxes op, const char* doc) {
  m.def(
      name, [op](const Tensor& x, const MaybeAxes& axis, bool keep) { return over(x, axis, keep, op); }, nb::arg(),
      nb::kw_only(), optional_keyword("axis"), nb::arg("keepdims") = false,
      nb::sig(signature(name, std::string("x: Tensor, /, *, ") + kAxes + "keepdims: bool = False").c_str()), doc);
}

void with_dtype(nb::module_& m, const char* name, Tensor (*op)(const Tensor&, std::span<const int>, bool, DType),
                const char* doc) {
  m.def(
      name,
      [op](const Tensor& x, const MaybeAxes& axis, MaybeDType dtype, bool keep) {
        return over(x, axis, keep, [&](const Tensor& of, std::span<const int> axes, bool kept) {
          return op(of, axes, kept, dtype.value_or(sum_dtype(x.dtype())));
        });
      },
      nb::arg(), nb::kw_only(), optional_keyword("axis"), optional_keyword("dtype"), nb::arg("keepdims") = false,
      nb::sig(signature(name,
                        std::string("x: Tensor, /, *, ") + kAxes + "dtype: DType | None = None, keepdims: bool = False")
                  .c_str()),
      doc);
}

void with_correction(nb::module_& m, const char* name, Tensor (*op)(const Tensor&, std::span<const int>, double, bool),
                     const char* doc) {
  m.def(
      name,
      [op](const Tensor& x, const MaybeAxes& axis, double correction, bool keep) {
        return over(x, axis, keep, [&](const Tensor& of, std::span<const int> axes, bool kept) {
          return op(of, axes, correction, kept);
        });
      },
      nb::arg(), nb::kw_only(), optional_keyword("axis"), nb::arg("correction") = 0.0, nb::arg("keepdims") = false,
      nb::sig(
          signature(name, std::string("x: Tensor, /, *, ") + kAxes + "correction: float = 0.0, keepdims: bool = False")
              .c_str()),
      doc);
}

void index_of(nb::module_& m, const char* name, Tensor (*op)(const Tensor&, int, bool), const char* doc) {
  m.def(
      name,
      [op](const Tensor& x, std::optional<int> axis, bool keep) {
        return without_gil([&] {
          if (axis) return op(x, *axis, keep);
          const Tensor flat = op(reshape(x, {-1}), 0, false);
          return keep ? reshape(flat, Shape(std::vector<int64_t>(static_cast<size_t>(x.rank()), 1))) : flat;
        });
      },
      nb::arg(), nb::kw_only(), optional_keyword("axis"), nb::arg("keepdims") = false,
      nb::sig(signature(name, "x: Tensor, /, *, axis: int | None = None, keepdims: bool = False").c_str()), doc);
}

QuantileMethod quantile_method_from(const std::string& name) {
  constexpr std::pair<const char*, QuantileMethod> kMethods[] = {
      {"inverted_cdf", QuantileMethod::inverted_cdf},
      {"averaged_inverted_cdf", QuantileMethod::averaged_inverted_cdf},
      {"closest_observation", QuantileMethod::closest_observation},
      {"interpolated_inverted_cdf", QuantileMethod::interpolated_inverted_cdf},
      {"hazen", QuantileMethod::hazen},
      {"weibull", QuantileMethod::weibull},
      {"linear", QuantileMethod::linear},
      {"median_unbiased", QuantileMethod::median_unbiased},
      {"normal_unbiased", QuantileMethod::normal_unbiased},
      {"lower", QuantileMethod::lower},
      {"higher", QuantileMethod::higher},
      {"midpoint", QuantileMethod::midpoint},
      {"nearest", QuantileMethod::nearest},
  };
  std::string known;
  for (const auto& [text, method] : kMethods) {
    if (name == text) return method;
    known += std::string(known.empty() ? "'" : ", '") + text + "'";
  }
  throw Error("[quantile] expected a method of " + known + ", got '" + name + "'");
}

void bind_quantiles(nb::module_& m) {
  over_axes(m, "median", &median, "The element in the middle, or the mean of the two in the middle.");
  m.def(
      "quantile",
      [](const Tensor& x, const std::variant<double, std::vector<double>>& q, const MaybeAxes& axis, bool keep,
         const std::string& method) {
        const QuantileMethod by = quantile_method_from(method);
        return over(x, axis, keep, [&](const Tensor& of, std::span<const int> axes, bool kept) {
          return std::visit([&](const auto& given) { return quantile(of, given, axes, kept, by); }, q);
        });
      },
      nb::arg(), nb::arg(), nb::kw_only(), optional_keyword("axis"), nb::arg("keepdims") = false,
      nb::arg("method") = "linear",
      nb::sig(signature("quantile", std::string("x: Tensor, q: float | collections.abc.Sequence[float], /, *, ") +
                                        kAxes + "keepdims: bool = False, method: str = 'linear'")
                  .c_str()),
      "What a share q of the elements lies below, by NumPy's methods; of several q, along a new first axis.");
}

void cumulative(nb::module_& m, const char* name, Tensor (*op)(const Tensor&, int, std::optional<DType>, bool),
                const char* doc) {
  m.def(
      name,
      [name, op](const Tensor& x, std::optional<int> axis, MaybeDType dtype, bool include_initial) {
        if (!axis && x.rank() != 1)
          throw Error(std::string("[") + name + "] expected an axis for " + std::to_string(x.rank()) + " axes");
        return without_gil([&] { return op(x, axis.value_or(0), dtype, include_initial); });
      },
      nb::arg(), nb::kw_only(), optional_keyword("axis"), optional_keyword("dtype"), nb::arg("include_initial") = false,
      nb::sig(signature(
                  name,
                  "x: Tensor, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False")
                  .c_str()),
      doc);
}

// The methods that NumPy's arrays have, where axis may be given by position.
void bind_methods(TensorClass& tensor) {
  const auto method = [&](const char* name, auto op, const char* doc) {
    tensor.def(
        name, [op](const Tensor& self, const MaybeAxes& axis, bool keep) { return over(self, axis, keep, op); },
        nb::arg("axis").none() = nb::none(), nb::arg("keepdims") = false,
        nb::sig(signature(name, "self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False").c_str()),
        doc);
  };
  using Over = std::span<const int>;
  method(
      "sum", [](const Tensor& x, Over axes, bool keep) { return sum(x, axes, keep, sum_dtype(x.dtype())); },
      "tern.sum");
  method(
      "prod", [](const Tensor& x, Over axes, bool keep) { return prod(x, axes, keep); }, "tern.prod");
  method(
      "mean", [](const Tensor& x, Over axes, bool keep) { return mean(x, axes, keep); }, "tern.mean");
  method(
      "max", [](const Tensor& x, Over axes, bool keep) { return max(x, axes, keep); }, "tern.max");
  method(
      "min", [](const Tensor& x, Over axes, bool keep) { return min(x, axes, keep); }, "tern.min");
  method(
      "any", [](const Tensor& x, Over axes, bool keep) { return any(x, axes, keep); }, "tern.any");
  method(
      "all", [](const Tensor& x, Over axes, bool keep) { return all(x, axes, keep); }, "tern.all");
  method(
      "var", [](const Tensor& x, Over axes, bool keep) { return var(x, axes, 0, keep); }, "tern.var");
  method(
      "std", [](const Tensor& x, Over axes, bool keep) { return std(x, axes, 0, keep); }, "tern.std");
  const auto index = [&](const char* name, Tensor (*op)(const Tensor&, int, bool), const char* doc) {
    tensor.def(
        name,
        [op](const Tensor& self, std::optional<int> axis) {
          return without_gil([&] { return axis ? op(self, *axis, false) : op(reshape(self, {-1}), 0, false); });
        },
        nb::arg("axis").none() = nb::none(), nb::sig(signature(name, "self, axis: int | None = None").c_str()), doc);
  };
  index("argmax", &argmax, "tern.argmax");
  index("argmin", &argmin, "tern.argmin");
}

}  // namespace

void bind_reductions(nb::module_& m, TensorClass& tensor) {
  bind_methods(tensor);
  with_dtype(
      m, "sum",
      [](const Tensor& x, std::span<const int> axes, bool keep, DType dtype) { return sum(x, axes, keep, dtype); },
      "The sum over axes, or of all elements; without dtype, integers and bool in 64 bits.");
  with_dtype(
      m, "prod",
      [](const Tensor& x, std::span<const int> axes, bool keep, DType dtype) { return prod(x, axes, keep, dtype); },
      "The product over axes, or of all elements; without dtype, integers and bool in 64 bits.");
  over_axes(m, "mean", &mean, "The mean over axes, or of all elements.");
  over_axes(m, "max", &max, "The largest element.");
  over_axes(m, "min", &min, "The smallest element.");
  over_axes(m, "any", &any, "Whether an element is not 0.");
  over_axes(m, "all", &all, "Whether all elements are not 0.");
  over_axes(m, "count_nonzero", &count_nonzero, "How many elements are not 0.");
  over_axes(m, "logsumexp", &logsumexp, "log(sum(exp(x))), without overflow.");
  with_correction(m, "var", &var, "The variance: sum(|x - mean|**2) / (n - correction).");
  with_correction(m, "std", &std, "The root of the variance.");
  index_of(m, "argmax", &argmax, "The first index of the largest element.");
  index_of(m, "argmin", &argmin, "The first index of the smallest element.");
  bind_quantiles(m);
  cumulative(m, "cumulative_sum", &cumulative_sum,
             "Sums of all elements up to each; without dtype, integers and bool in 64 bits.");
  cumulative(m, "cumulative_prod", &cumulative_prod,
             "Products of all elements up to each; without dtype, integers and bool in 64 bits.");
  m.def(
      "diff",
      [](const Tensor& x, int axis, int64_t n, const std::optional<Tensor>& prepend,
         const std::optional<Tensor>& append) {
        return without_gil([&] { return diff(x, axis, n, prepend.value_or(Tensor()), append.value_or(Tensor())); });
      },
      nb::arg(), nb::kw_only(), nb::arg("axis") = -1, nb::arg("n") = 1, optional_keyword("prepend"),
      optional_keyword("append"),
      nb::sig(signature("diff",
                        "x: Tensor, /, *, axis: int = -1, n: int = 1, prepend: Tensor | None = None, append: Tensor | "
                        "None = None")
                  .c_str()),
      "x[i + 1] - x[i], n times.");
}

}  // namespace tern::python
