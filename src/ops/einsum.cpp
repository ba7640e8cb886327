// SPDX-License-Identifier: Apache-2.0
#include "tern/einsum.h"

#include <algorithm>
#include <array>

#include "ops/checks.h"
#include "ops/einsum_labels.h"
#include "ops/view.h"
#include "tern/elementwise.h"
#include "tern/promotion.h"
#include "tern/reductions.h"

namespace tern {
namespace {

using LabelSet = std::array<bool, kLabels>;

// A factor of what is left to multiply; each label once.
struct Factor {
  Tensor value;
  Labels labels;
};

bool contains(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

// x's two axes of one label as one, in the place of the first.
Tensor diagonal_of(const Tensor& x, int first, int second) {
  Shape shape = x.shape(), strides = x.strides();
  strides[first] += strides[second];
  shape.erase(second);
  strides.erase(second);
  return x.as_strided(shape, strides, 0);
}

// An operand with its diagonals taken and axes of 1 broadcast to their label's extent.
Factor prepared(const Tensor& operand, const Labels& labels, const EinsumLabels& all) {
  Shape shape;
  for (const int label : labels) shape.push_back(all.extents[static_cast<size_t>(label)]);
  Factor factor = {expand(operand, shape), labels};
  for (size_t axis = factor.labels.size(); axis-- > 0;) {
    const auto begin = factor.labels.begin();
    const auto first = std::find(begin, factor.labels.end(), factor.labels[axis]) - begin;
    if (first == static_cast<std::ptrdiff_t>(axis)) continue;
    const auto view = [first = static_cast<int>(first), second = static_cast<int>(axis)](const Tensor& x) {
      return diagonal_of(x, first, second);
    };
    factor.value = differentiable("einsum", factor.value, view(factor.value), scattered(factor.value, view));
    factor.labels.erase(begin + static_cast<std::ptrdiff_t>(axis));
  }
  return factor;
}

// Summed over the labels that nothing else needs.
Factor summed(const Factor& factor, const LabelSet& needed) {
  std::vector<int> axes;
  Factor out = {factor.value, {}};
  for (size_t axis = 0; axis < factor.labels.size(); ++axis) {
    const int label = factor.labels[axis];
    if (needed[static_cast<size_t>(label)]) {
      out.labels.push_back(label);
    } else {
      axes.push_back(static_cast<int>(axis));
    }
  }
  if (axes.empty()) return out;
  const DType dtype = factor.value.dtype();
  out.value = dtype == DType::boolean ? any(factor.value, axes) : sum(factor.value, axes, false, dtype);
  return out;
}

// The factor's axes in the order of `labels`, those that it lacks as 1.
Tensor arranged(const Factor& factor, const Labels& labels) {
  std::vector<int> order;
  Shape shape;
  for (const int label : labels) {
    const auto at = std::find(factor.labels.begin(), factor.labels.end(), label);
    const int axis = at == factor.labels.end() ? -1 : static_cast<int>(at - factor.labels.begin());
    if (axis >= 0) order.push_back(axis);
    shape.push_back(axis >= 0 ? factor.value.shape()[axis] : 1);
  }
  return reshape(permute(factor.value, order), shape);
}

// Their axes as a matrix, or as several.
Tensor as_matrices(const Factor& factor, const Labels& batch, const Labels& rows, const Labels& cols,
                   const EinsumLabels& all) {
  Labels labels = batch;
  labels.insert(labels.end(), rows.begin(), rows.end());
  labels.insert(labels.end(), cols.begin(), cols.end());
  const auto size = [&](const Labels& of) {
    int64_t product = 1;
    for (const int label : of) product *= all.extents[static_cast<size_t>(label)];
    return product;
  };
  return reshape(arranged(factor, labels), {size(batch), size(rows), size(cols)});
}

// Their product, summed over the labels that nothing else needs: matrix products, or, where there are none of these,
// element by element.
Factor multiplied(const Factor& a, const Factor& b, const LabelSet& needed, const EinsumLabels& all) {
  Labels batch, summed_over, a_only, b_only;
  for (const int label : a.labels) {
    if (!contains(b.labels, label)) {
      a_only.push_back(label);
    } else {
      (needed[static_cast<size_t>(label)] ? batch : summed_over).push_back(label);
    }
  }
  for (const int label : b.labels) {
    if (!contains(a.labels, label)) b_only.push_back(label);
  }
  Factor out = {{}, batch};
  out.labels.insert(out.labels.end(), a_only.begin(), a_only.end());
  out.labels.insert(out.labels.end(), b_only.begin(), b_only.end());
  if (summed_over.empty()) {
    const Tensor x = arranged(a, out.labels), y = arranged(b, out.labels);
    out.value = x.dtype() == DType::boolean ? logical_and(x, y) : mul(x, y);
    return out;
  }
  Shape shape;
  for (const int label : out.labels) shape.push_back(all.extents[static_cast<size_t>(label)]);
  out.value = reshape(
      matmul(as_matrices(a, batch, a_only, summed_over, all), as_matrices(b, batch, summed_over, b_only, all)), shape);
  return out;
}

// Labels that the result or a factor but those two needs.
LabelSet needed_beside(const std::vector<Factor>& factors, size_t first, size_t second, const Labels& result) {
  LabelSet needed = {};
  for (const int label : result) needed[static_cast<size_t>(label)] = true;
  for (size_t i = 0; i < factors.size(); ++i) {
    if (i == first || i == second) continue;
    for (const int label : factors[i].labels) needed[static_cast<size_t>(label)] = true;
  }
  return needed;
}

// Multiplications that the product of two factors takes.
double cost_of(const Factor& a, const Factor& b, const EinsumLabels& all) {
  double cost = 1;
  for (const int label : a.labels) cost *= static_cast<double>(all.extents[static_cast<size_t>(label)]);
  for (const int label : b.labels) {
    if (!contains(a.labels, label)) cost *= static_cast<double>(all.extents[static_cast<size_t>(label)]);
  }
  return cost;
}

// The pair whose product is the cheapest, the first of equals.
std::pair<size_t, size_t> cheapest(const std::vector<Factor>& factors, const EinsumLabels& all) {
  std::pair<size_t, size_t> best = {0, 1};
  double least = cost_of(factors[0], factors[1], all);
  for (size_t j = 2; j < factors.size(); ++j) {
    for (size_t i = 0; i < j; ++i) {
      const double cost = cost_of(factors[i], factors[j], all);
      if (cost < least) {
        least = cost;
        best = {i, j};
      }
    }
  }
  return best;
}

Tensor einsum_of(const EinsumLabels& labels, std::span<const Tensor> operands) {
  std::vector<Factor> factors;
  for (size_t i = 0; i < operands.size(); ++i) factors.push_back(prepared(operands[i], labels.operands[i], labels));
  for (size_t i = 0; i < factors.size(); ++i) {
    factors[i] = summed(factors[i], needed_beside(factors, i, i, labels.result));
  }
  while (factors.size() > 1) {
    const auto [i, j] = cheapest(factors, labels);
    factors[i] = multiplied(factors[i], factors[j], needed_beside(factors, i, j, labels.result), labels);
    factors.erase(factors.begin() + static_cast<std::ptrdiff_t>(j));
  }
  return arranged(factors[0], labels.result);
}

}  // namespace

Tensor einsum(std::string_view subscripts, std::span<const Tensor> operands) {
  check(!operands.empty(), "einsum", "expected at least one operand, got none");
  std::vector<DType> dtypes;
  for (const Tensor& operand : operands) {
    check_inputs("einsum", {{"operand 0", operands[0]}, {"operand", operand}});
    dtypes.push_back(operand.dtype());
  }
  const EinsumLabels labels = einsum_labels(subscripts, operands);
  const DType dtype = result_type(dtypes);
  const DType computed = is_half(dtype) ? DType::f32 : dtype;
  std::vector<Tensor> factors;
  for (const Tensor& operand : operands) factors.push_back(cast(operand, computed));
  const Tensor y = cast(einsum_of(labels, factors), dtype);
  // A tensor of its own, even where it is a view of an operand that needed no sum and no product.
  return y.shares_storage_with(operands[0]) ? clone(y) : y;
}

}  // namespace tern
