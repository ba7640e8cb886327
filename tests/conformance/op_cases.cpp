// SPDX-License-Identifier: Apache-2.0
#include "conformance/op_cases.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tern/ops.h"

namespace tern::conformance {
namespace {

using reference::Array;
using reference::Index;
using Tensors = std::vector<Tensor>;
using Arrays = std::vector<Array>;
using Cases = std::vector<OpCase>;

Index index_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

std::string named(const std::string& op, const std::vector<Operand>& inputs, const std::string& more = "") {
  std::string name = op;
  for (const Operand& input : inputs) name += " " + to_string(input.shape);
  return more.empty() ? name : name + " " + more;
}

// Whole numbers in [0, end) that jump about.
std::vector<int64_t> scattered(int64_t count, int64_t end) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < count; ++i) out.push_back((i * i * 7 + i * 3 + 1) % end);
  return out;
}

Array fixed(const Index& shape, double (*f)(double)) {
  Array x = reference::array(shape);
  for (size_t i = 0; i < x.values.size(); ++i)
    x.values[i] = static_cast<double>(static_cast<float>(f(static_cast<double>(i))));
  return x;
}

Tensor tensor(const Array& x, const Device& device) {
  return Tensor::from(std::vector<float>(x.values.begin(), x.values.end()), Shape(x.shape), device);
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

void add_unary(Cases& cases, const char* name, Tensor (*op)(const Tensor&), double (*f)(double),
               Values values = Values::any) {
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{17}, Shape{5, 13}, Shape{3, 0, 2}, Shape{2, 3, 11}}) {
    const std::vector<Operand> inputs = {{shape, values}};
    cases.push_back({named(name, inputs), inputs, [op](const Tensors& x) { return op(x[0]); },
                     [f](const Arrays& x) { return reference::map(x[0], f); }});
  }
}

void add_unary_family(Cases& cases) {
  add_unary(cases, "neg", neg, [](double x) { return -x; });
  add_unary(cases, "abs", abs, [](double x) { return std::abs(x); });
  add_unary(cases, "exp", exp, [](double x) { return std::exp(x); });
  add_unary(
      cases, "log", log, [](double x) { return std::log(x); }, Values::positive);
  add_unary(
      cases, "sqrt", sqrt, [](double x) { return std::sqrt(x); }, Values::positive);
  add_unary(
      cases, "rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, Values::positive);
  add_unary(
      cases, "reciprocal", reciprocal, [](double x) { return 1 / x; }, Values::positive);
  add_unary(cases, "square", square, [](double x) { return x * x; });
  add_unary(cases, "relu", relu, [](double x) { return std::max(x, 0.0); });
  add_unary(cases, "relu2", relu2, [](double x) { return std::max(x, 0.0) * std::max(x, 0.0); });
  add_unary(cases, "sigmoid", sigmoid, [](double x) { return logistic(x); });
  add_unary(cases, "silu", silu, [](double x) { return x * logistic(x); });
  add_unary(cases, "tanh", tanh, [](double x) { return std::tanh(x); });
  add_unary(
      cases, "add number", [](const Tensor& x) { return add(x, 0.75); }, [](double x) { return x + 0.75; });
  add_unary(
      cases, "mul number", [](const Tensor& x) { return mul(x, -1.5); }, [](double x) { return x * -1.5; });
}

void add_binary(Cases& cases, const char* name, Tensor (*op)(const Tensor&, const Tensor&), double (*f)(double, double),
                Values a = Values::any, Values b = Values::any) {
  const std::vector<std::pair<Shape, Shape>> shapes = {{{}, {}},
                                                       {{0}, {1}},
                                                       {{1}, {17}},
                                                       {{17}, {}},
                                                       {{65}, {65}},
                                                       {{5, 13}, {13}},
                                                       {{13}, {5, 13}},
                                                       {{5, 1}, {1, 7}},
                                                       {{3, 0}, {3, 1}},
                                                       {{2, 1, 5}, {3, 1}},
                                                       {{4, 3}, {4, 1}},
                                                       {{2, 3, 2}, {2, 3, 2}},
                                                       {{1, 3, 1}, {2, 1, 4}}};
  for (const auto& [left, right] : shapes) {
    const std::vector<Operand> inputs = {{left, a}, {right, b}};
    cases.push_back({named(name, inputs), inputs, [op](const Tensors& x) { return op(x[0], x[1]); },
                     [f](const Arrays& x) { return reference::map(x[0], x[1], f); }});
  }
}

void add_binary_family(Cases& cases) {
  add_binary(cases, "add", add, [](double a, double b) { return a + b; });
  add_binary(cases, "sub", sub, [](double a, double b) { return a - b; });
  add_binary(cases, "mul", mul, [](double a, double b) { return a * b; });
  add_binary(
      cases, "div", div, [](double a, double b) { return a / b; }, Values::any, Values::positive);
  add_binary(
      cases, "minimum", minimum, [](double a, double b) { return std::min(a, b); }, Values::grid, Values::grid);
  add_binary(
      cases, "maximum", maximum, [](double a, double b) { return std::max(a, b); }, Values::grid, Values::grid);
  add_binary(
      cases, "where less", [](const Tensor& a, const Tensor& b) { return where(less(a, b), a * a, b); },
      [](double a, double b) { return a < b ? a * a : b; }, Values::grid, Values::grid);
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{17}, Shape{3, 5, 13}}) {
    const std::vector<Operand> inputs = {{shape}, {shape}};
    cases.push_back({named("relu2_gate", inputs), inputs, [](const Tensors& x) { return relu2_gate(x[0], x[1]); },
                     [](const Arrays& x) {
                       return reference::map(x[0], x[1], [](double g, double u) { return g > 0 ? g * g * u : 0.0; });
                     }});
  }
}

int64_t group_size(const Shape& shape, const std::vector<int>& axes) {
  int64_t size = 1;
  for (const int axis : axes) size *= shape[axis];
  return size;
}

// `x` without the axes, which have extent 1.
Array dropped(Array x, const std::vector<int>& axes) {
  Index shape;
  for (int axis = 0; axis < static_cast<int>(x.shape.size()); ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) shape.push_back(x.shape[static_cast<size_t>(axis)]);
  }
  return reference::reshape(std::move(x), shape);
}

void add_sum(Cases& cases, const Shape& shape, const std::vector<int>& axes, bool keep) {
  const std::vector<Operand> inputs = {{shape}};
  const auto reduced = [=](const Arrays& x, double factor) {
    const Array y =
        reference::reduce(x[0], axes, [=](const std::vector<double>& v) { return reference::sum(v) * factor; });
    return keep ? y : dropped(y, axes);
  };
  const std::string more = "over " + std::to_string(axes.size()) + " axes" + (keep ? ", kept" : "");
  const int64_t size = group_size(shape, axes);
  cases.push_back({named("sum", inputs, more), inputs, [=](const Tensors& x) { return sum(x[0], axes, keep); },
                   [=](const Arrays& x) { return reduced(x, 1); }, size});
  if (shape.numel() == 0) return;
  cases.push_back({named("mean", inputs, more), inputs, [=](const Tensors& x) { return mean(x[0], axes, keep); },
                   [=](const Arrays& x) { return reduced(x, 1 / static_cast<double>(size)); }, size});
}

void add_extreme(Cases& cases, const Shape& shape, int axis, bool keep) {
  const std::vector<Operand> inputs = {{shape, Values::distinct}};
  const auto reduced = [=](const Arrays& x, bool top) {
    const Array y = reference::reduce(x[0], {axis}, [=](const std::vector<double>& v) {
      return top ? *std::max_element(v.begin(), v.end()) : *std::min_element(v.begin(), v.end());
    });
    return keep ? y : dropped(y, {axis});
  };
  const std::string more = "axis " + std::to_string(axis) + (keep ? ", kept" : "");
  cases.push_back({named("max", inputs, more), inputs, [=](const Tensors& x) { return max(x[0], axis, keep); },
                   [=](const Arrays& x) { return reduced(x, true); }});
  cases.push_back({named("min", inputs, more), inputs,
                   [=](const Tensors& x) { return min(x[0], axis - x[0].rank(), keep); },
                   [=](const Arrays& x) { return reduced(x, false); }});
}

void add_reductions(Cases& cases) {
  add_sum(cases, {0}, {0}, false);
  add_sum(cases, {1}, {0}, true);
  add_sum(cases, {65}, {0}, false);
  add_sum(cases, {5, 13}, {0, 1}, false);
  add_sum(cases, {5, 13}, {0}, false);
  add_sum(cases, {5, 33}, {1}, true);
  add_sum(cases, {3, 5, 7}, {1}, false);
  add_sum(cases, {3, 5, 7}, {0, 2}, true);
  add_sum(cases, {2, 3, 2, 5}, {1, 3}, false);
  add_sum(cases, {2, 0, 3}, {1}, false);
  add_extreme(cases, {1}, 0, false);
  add_extreme(cases, {17}, 0, true);
  add_extreme(cases, {3, 5, 7}, 1, false);
  add_extreme(cases, {3, 5, 7}, 0, true);
  add_extreme(cases, {4, 19}, 1, false);
  add_extreme(cases, {0, 3}, 1, false);
}

void add_norms(Cases& cases) {
  for (const Shape& shape : {Shape{1}, Shape{17}, Shape{3, 65}, Shape{2, 5, 7}, Shape{0, 4}}) {
    const std::vector<Operand> norm = {{shape}, {Shape{shape.back()}}};
    cases.push_back({named("rms_norm", norm), norm, [](const Tensors& x) { return rms_norm(x[0], x[1], 1e-3f); },
                     [](const Arrays& x) { return reference::rms_norm(x[0], x[1], 1e-3); }, shape.back()});
    const std::vector<Operand> inputs = {{shape}};
    if (shape.back() > 1) {  // of one class it is 1 and its gradient 0
      cases.push_back({named("softmax", inputs), inputs, [](const Tensors& x) { return softmax(x[0]); },
                       [](const Arrays& x) { return reference::softmax(x[0]); }, shape.back()});
    }
  }
}

void add_rope(Cases& cases, const Shape& shape) {
  constexpr int64_t kPositions = 11;
  const int64_t half = shape[3] / 2;
  const Array cos = fixed({kPositions, half}, [](double i) { return std::cos(i * 0.7); });
  const Array sin = fixed({kPositions, half}, [](double i) { return std::sin(i * 0.7); });
  const std::vector<int64_t> positions = scattered(shape[0] * shape[1], kPositions);
  const std::vector<Operand> inputs = {{shape}};
  cases.push_back({named("rope", inputs), inputs,
                   [=](const Tensors& x) {
                     const Device& device = x[0].device();
                     const std::vector<int32_t> narrow(positions.begin(), positions.end());
                     return rope(x[0], Tensor::from(narrow, {shape[0], shape[1]}, device), tensor(cos, device),
                                 tensor(sin, device));
                   },
                   [=](const Arrays& x) { return reference::rope(x[0], positions, cos, sin); }, 2});
}

void add_cross_entropy(Cases& cases, const Shape& shape, int64_t ignored_every) {
  const int64_t rows = shape.numel() / shape.back();
  std::vector<int64_t> targets = scattered(rows, shape.back());
  for (size_t i = 0; i < targets.size(); ++i) {
    if (ignored_every > 0 && static_cast<int64_t>(i) % ignored_every == 1) targets[i] = -100;
  }
  const auto counted = static_cast<double>(rows - std::count(targets.begin(), targets.end(), -100));
  Shape leading = shape;
  leading.erase(shape.rank() - 1);
  const std::vector<Operand> inputs = {{shape}};
  const std::string more = ignored_every > 0 ? "some ignored" : "";
  cases.push_back({named("cross_entropy", inputs, more), inputs,
                   [=](const Tensors& x) { return cross_entropy(x[0], Tensor::from(targets, leading, x[0].device())); },
                   [=](const Arrays& x) {
                     const Array losses = reference::cross_entropy_rows(x[0], targets);
                     return Array{{}, {reference::sum(losses.values) / counted}};
                   },
                   shape.back() + rows});
}

void add_embedding(Cases& cases, const Shape& table, const Shape& ids) {
  const std::vector<int64_t> rows = scattered(ids.numel(), table[0]);
  const std::vector<Operand> inputs = {{table}};
  cases.push_back({named("embedding", inputs, "ids " + to_string(ids)), inputs,
                   [=](const Tensors& x) { return embedding(x[0], Tensor::from(rows, ids, x[0].device())); },
                   [=](const Arrays& x) {
                     Index shape = index_of(ids);
                     shape.push_back(table[1]);
                     return reference::reshape(reference::take(x[0], 0, rows), shape);
                   }});
}

void add_rows(Cases& cases) {
  add_norms(cases);
  for (const Shape& shape : {Shape{1, 1, 1, 2}, Shape{2, 3, 2, 6}, Shape{1, 5, 3, 34}, Shape{0, 2, 1, 4}})
    add_rope(cases, shape);
  add_cross_entropy(cases, {1, 2}, 0);
  add_cross_entropy(cases, {17}, 0);
  add_cross_entropy(cases, {5, 65}, 0);
  add_cross_entropy(cases, {2, 5, 19}, 3);
  add_embedding(cases, {7, 5}, {});
  add_embedding(cases, {3, 17}, {11});
  add_embedding(cases, {5, 2}, {2, 3});
  add_embedding(cases, {4, 3}, {0});
}

void add_matmul(Cases& cases, const Shape& a, const Shape& b) {
  const std::vector<Operand> inputs = {{a}, {b}};
  cases.push_back({named("matmul", inputs), inputs, [](const Tensors& x) { return matmul(x[0], x[1]); },
                   [](const Arrays& x) { return reference::matmul(x[0], x[1]); }, a.back()});
}

void add_linear(Cases& cases, const Shape& x, const Shape& w) {
  const std::vector<Operand> inputs = {{x}, {w}};
  cases.push_back({named("linear", inputs), inputs, [](const Tensors& t) { return linear(t[0], t[1]); },
                   [](const Arrays& t) {
                     const int64_t k = t[1].shape[1];
                     Index shape = t[0].shape;
                     shape.back() = t[1].shape[0];
                     const int64_t rows = reference::numel(Index(shape.begin(), shape.end() - 1));
                     const Array flat = reference::reshape(t[0], {rows, k});
                     return reference::reshape(reference::matmul(flat, reference::transpose(t[1])), shape);
                   },
                   x.back()});
}

void add_products(Cases& cases) {
  add_matmul(cases, {1, 1}, {1, 1});
  add_matmul(cases, {3, 5}, {5, 7});
  add_matmul(cases, {17, 65}, {65, 19});
  add_matmul(cases, {1, 33}, {33, 1});
  add_matmul(cases, {2, 3, 5}, {2, 5, 4});
  add_matmul(cases, {3, 5}, {4, 5, 2});
  add_matmul(cases, {2, 1, 3, 4}, {3, 4, 5});
  add_matmul(cases, {2, 1, 1, 3, 4}, {1, 3, 1, 4, 2});
  add_matmul(cases, {0, 3}, {3, 4});
  add_matmul(cases, {2, 3}, {3, 0});
  add_linear(cases, {5}, {3, 5});
  add_linear(cases, {1, 17}, {1, 17});
  add_linear(cases, {2, 3, 65}, {19, 65});
  add_linear(cases, {7, 1}, {5, 1});
  add_linear(cases, {0, 3}, {2, 3});
}

void add_attention(Cases& cases, int64_t batch, int64_t tokens, int64_t heads, int64_t kv_heads, int64_t dim) {
  const std::vector<Operand> inputs = {
      {{batch, tokens, heads, dim}}, {{batch, tokens, kv_heads, dim}}, {{batch, tokens, kv_heads, dim}}};
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  cases.push_back({named("attention", inputs), inputs,
                   [=](const Tensors& x) { return attention(x[0], x[1], x[2], scale); },
                   [=](const Arrays& x) { return reference::attention(x[0], x[1], x[2], static_cast<double>(scale)); },
                   dim + tokens});
}

void add_attentions(Cases& cases) {
  add_attention(cases, 1, 2, 1, 1, 2);
  add_attention(cases, 2, 5, 4, 2, 3);
  add_attention(cases, 1, 17, 3, 1, 16);
  add_attention(cases, 2, 3, 2, 2, 33);
  add_attention(cases, 0, 3, 2, 1, 4);
}

void add_view(Cases& cases, const char* name, const Shape& shape, std::function<Tensor(const Tensor&)> op,
              std::function<Array(const Array&)> reference) {
  const std::vector<Operand> inputs = {{shape}};
  cases.push_back({named(name, inputs), inputs, [op](const Tensors& x) { return op(x[0]); },
                   [reference](const Arrays& x) { return reference(x[0]); }});
}

void add_shape_views(Cases& cases) {
  const auto to = [](const Index& shape) { return [shape](const Array& x) { return reference::reshape(x, shape); }; };
  add_view(
      cases, "reshape to [3, 10]", {5, 6},
      [](const Tensor& x) {
        return reshape(x, {3, 10});
      },
      to({3, 10}));
  add_view(
      cases, "reshape to [2, -1, 1]", {4, 3},
      [](const Tensor& x) {
        return reshape(x, {2, -1, 1});
      },
      to({2, 6, 1}));
  add_view(
      cases, "reshape to [2, 2, 3, 5]", {4, 15},
      [](const Tensor& x) {
        return reshape(x, {2, 2, 3, 5});
      },
      to({2, 2, 3, 5}));
  add_view(
      cases, "reshape to []", {1, 1}, [](const Tensor& x) { return reshape(x, {}); }, to({}));
  add_view(
      cases, "reshape to [7, 0]", {0, 3},
      [](const Tensor& x) {
        return reshape(x, {7, 0});
      },
      to({7, 0}));
  add_view(
      cases, "squeeze", {3, 1, 2}, [](const Tensor& x) { return squeeze(x, 1); }, to({3, 2}));
  add_view(
      cases, "unsqueeze", {3, 2}, [](const Tensor& x) { return unsqueeze(x, -1); }, to({3, 2, 1}));
  add_view(
      cases, "contiguous", {3, 5}, [](const Tensor& x) { return contiguous(x); }, to({3, 5}));
  add_view(
      cases, "clone", {3, 5}, [](const Tensor& x) { return clone(x); }, to({3, 5}));
  add_view(
      cases, "cast to itself", {3, 5}, [](const Tensor& x) { return cast(x, DType::f32); }, to({3, 5}));
  add_view(
      cases, "expand", {3, 1, 2},
      [](const Tensor& x) {
        return expand(x, {2, 3, 5, 2});
      },
      [](const Array& x) {
        return reference::make({2, 3, 5, 2}, [&](const Index& i) { return reference::at(x, i); });
      });
  add_view(
      cases, "permute", {2, 3, 5},
      [](const Tensor& x) {
        return permute(x, std::vector<int>{2, 0, -2});
      },
      [](const Array& x) {
        return reference::permute(x, {2, 0, 1});
      });
  add_view(
      cases, "transpose", {2, 3, 5}, [](const Tensor& x) { return transpose(x); },
      [](const Array& x) {
        return reference::permute(x, {0, 2, 1});
      });
  add_view(
      cases, "transpose of reshape", {2, 15},
      [](const Tensor& x) {
        return reshape(transpose(reshape(x, {2, 3, 5}), 0, 2), {6, 5});
      },
      [](const Array& x) {
        return reference::reshape(reference::permute(reference::reshape(x, {2, 3, 5}), {2, 1, 0}), {6, 5});
      });
}

void add_slices(Cases& cases) {
  const auto taken = [](size_t axis, const std::vector<int64_t>& picks) {
    return [=](const Array& x) { return reference::take(x, axis, picks); };
  };
  add_view(
      cases, "slice", {7, 3}, [](const Tensor& x) { return slice(x, 0, 2, 5); }, taken(0, {2, 3, 4}));
  add_view(
      cases, "slice step 3", {2, 8}, [](const Tensor& x) { return slice(x, 1, 1, 100, 3); }, taken(1, {1, 4, 7}));
  add_view(
      cases, "slice step -2", {6, 2}, [](const Tensor& x) { return slice(x, -2, -1, 0, -2); }, taken(0, {5, 3, 1}));
  add_view(
      cases, "slice reversed", {5}, [](const Tensor& x) { return slice(x, 0, 10, -10, -1); },
      taken(0, {4, 3, 2, 1, 0}));
  add_view(
      cases, "select", {3, 4, 5}, [](const Tensor& x) { return select(x, 1, -2); },
      [](const Array& x) {
        return reference::reshape(reference::take(x, 1, {2}), {3, 5});
      });
  const std::vector<Operand> inputs = {{{2, 3, 2}}, {{2, 0, 2}}, {{2, 4, 2}}};
  cases.push_back({named("concat", inputs), inputs, [](const Tensors& x) { return concat(x, 1); },
                   [](const Arrays& x) {
                     return reference::make({2, 7, 2}, [&](Index i) {
                       const Array& from = i[1] < 3 ? x[0] : x[2];
                       if (i[1] >= 3) i[1] -= 3;
                       return reference::at(from, i);
                     });
                   }});
}

}  // namespace

std::vector<OpCase> op_cases() {
  Cases cases;
  add_unary_family(cases);
  add_binary_family(cases);
  add_reductions(cases);
  add_rows(cases);
  add_products(cases);
  add_attentions(cases);
  add_shape_views(cases);
  add_slices(cases);
  return cases;
}

}  // namespace tern::conformance
