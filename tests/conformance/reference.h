// SPDX-License-Identifier: Apache-2.0
// What the ops mean, in double and one element at a time. Includes the standard library only: it shares nothing with
// the code that it judges.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace tern::reference {

using Index = std::vector<int64_t>;

struct Array {
  Index shape;
  std::vector<double> values;  // row-major
};

inline int64_t numel(const Index& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, [](int64_t a, int64_t b) { return a * b; });
}

inline Array array(const Index& shape) { return {shape, std::vector<double>(static_cast<size_t>(numel(shape)))}; }

// The element at an index of a shape that `x` broadcasts to: axes align at the end, extents of 1 repeat.
inline double at(const Array& x, const Index& index) {
  int64_t flat = 0;
  const size_t skip = index.size() - x.shape.size();
  for (size_t axis = 0; axis < x.shape.size(); ++axis) {
    flat = flat * x.shape[axis] + (x.shape[axis] == 1 ? 0 : index[axis + skip]);
  }
  return x.values[static_cast<size_t>(flat)];
}

inline Index unravel(int64_t flat, const Index& shape) {
  Index index(shape.size());
  for (size_t axis = shape.size(); axis-- > 0; flat /= shape[axis]) index[axis] = flat % shape[axis];
  return index;
}

// The array whose element at an index is f(index).
template <class F>
Array make(const Index& shape, F f) {
  Array y = array(shape);
  for (size_t i = 0; i < y.values.size(); ++i) y.values[i] = f(unravel(static_cast<int64_t>(i), shape));
  return y;
}

inline Index broadcast(Index a, Index b) {
  if (a.size() < b.size()) std::swap(a, b);
  for (size_t i = 1; i <= b.size(); ++i) {
    int64_t& extent = a[a.size() - i];
    if (extent == 1) extent = b[b.size() - i];
  }
  return a;
}

template <class F>
Array map(const Array& x, F f) {
  return make(x.shape, [&](const Index& i) { return f(at(x, i)); });
}

template <class F>
Array map(const Array& a, const Array& b, F f) {
  return make(broadcast(a.shape, b.shape), [&](const Index& i) { return f(at(a, i), at(b, i)); });
}

// f over the elements of each group that shares all indices but those of `axes`; the axes stay with extent 1.
template <class F>
Array reduce(const Array& x, const std::vector<int>& axes, F f) {
  Index shape = x.shape;
  for (const int axis : axes) shape[static_cast<size_t>(axis)] = 1;
  return make(shape, [&](const Index& out) {
    std::vector<double> group;
    for (size_t i = 0; i < x.values.size(); ++i) {
      Index in = unravel(static_cast<int64_t>(i), x.shape);
      for (const int axis : axes) in[static_cast<size_t>(axis)] = 0;
      if (in == out) group.push_back(x.values[i]);
    }
    return f(group);
  });
}

inline double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

inline Array reshape(Array x, const Index& shape) { return {shape, std::move(x.values)}; }

inline Array permute(const Array& x, const std::vector<size_t>& axes) {
  Index shape;
  for (const size_t axis : axes) shape.push_back(x.shape[axis]);
  return make(shape, [&](const Index& out) {
    Index in(out.size());
    for (size_t i = 0; i < axes.size(); ++i) in[axes[i]] = out[i];
    return at(x, in);
  });
}

// Elements `picks` of one axis.
inline Array take(const Array& x, size_t axis, const std::vector<int64_t>& picks) {
  Index shape = x.shape;
  shape[axis] = static_cast<int64_t>(picks.size());
  return make(shape, [&](Index i) {
    i[axis] = picks[static_cast<size_t>(i[axis])];
    return at(x, i);
  });
}

inline Array matmul(const Array& a, const Array& b) {
  const Index a_batch(a.shape.begin(), a.shape.end() - 2), b_batch(b.shape.begin(), b.shape.end() - 2);
  Index shape = broadcast(a_batch, b_batch);
  shape.push_back(a.shape[a.shape.size() - 2]);
  shape.push_back(b.shape.back());
  const int64_t inner = a.shape.back();
  return make(shape, [&](const Index& out) {
    const size_t row = out.size() - 2, col = out.size() - 1;
    double total = 0;
    for (int64_t k = 0; k < inner; ++k) {
      Index left = out, right = out;
      left[col] = k;
      right[row] = k;
      total += at(a, left) * at(b, right);
    }
    return total;
  });
}

inline Array transpose(const Array& x) {
  std::vector<size_t> axes(x.shape.size());
  std::iota(axes.begin(), axes.end(), size_t{0});
  std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  return permute(x, axes);
}

// Over the last axis.
inline Array softmax(const Array& x) {
  const std::vector<int> last = {static_cast<int>(x.shape.size()) - 1};
  const Array top = reduce(x, last, [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); });
  const Array e = map(x, top, [](double v, double m) { return std::exp(v - m); });
  return map(e, reduce(e, last, sum), [](double v, double s) { return v / s; });
}

inline Array rms_norm(const Array& x, const Array& weight, double eps) {
  const Array inverse = reduce(x, {static_cast<int>(x.shape.size()) - 1}, [eps](const std::vector<double>& v) {
    double squares = 0;
    for (const double value : v) squares += value * value;
    return 1 / std::sqrt(squares / static_cast<double>(v.size()) + eps);
  });
  return map(map(x, inverse, std::multiplies<>()), weight, std::multiplies<>());
}

// x [batch, tokens, heads, dim]; cos, sin [positions, dim/2]; positions of batch·tokens.
inline Array rope(const Array& x, const std::vector<int64_t>& positions, const Array& cos, const Array& sin) {
  const int64_t half = x.shape[3] / 2;
  return make(x.shape, [&](const Index& i) {
    const int64_t position = positions[static_cast<size_t>(i[0] * x.shape[1] + i[1])];
    const bool upper = i[3] >= half;
    Index other = i;
    other[3] += upper ? -half : half;
    const Index pair = {position, i[3] % half};
    return at(x, i) * at(cos, pair) + (upper ? 1 : -1) * at(x, other) * at(sin, pair);
  });
}

// -log softmax per row, 0 where the target is -100.
inline Array cross_entropy_rows(const Array& logits, const std::vector<int64_t>& targets) {
  const Array p = softmax(logits);
  Index rows(logits.shape.begin(), logits.shape.end() - 1);
  Array y = array(rows);
  for (size_t r = 0; r < targets.size(); ++r) {
    if (targets[r] == -100) continue;
    y.values[r] = -std::log(p.values[r * static_cast<size_t>(logits.shape.back()) + static_cast<size_t>(targets[r])]);
  }
  return y;
}

// q [batch, q_tokens, heads, dim]; k, v [batch, kv_tokens, kv_heads, dim].
inline Array attention(const Array& q, const Array& k, const Array& v, double scale) {
  const int64_t group = q.shape[2] / k.shape[2], before = k.shape[1] - q.shape[1], dim = q.shape[3];
  return make(q.shape, [&](const Index& i) {
    const int64_t head = i[2] / group, seen = before + i[1] + 1;
    std::vector<double> scores;
    for (int64_t j = 0; j < seen; ++j) {
      double dot = 0;
      for (int64_t d = 0; d < dim; ++d) dot += at(q, {i[0], i[1], i[2], d}) * at(k, {i[0], j, head, d});
      scores.push_back(dot * scale);
    }
    const Array p = softmax({{seen}, scores});
    double out = 0;
    for (int64_t j = 0; j < seen; ++j) out += p.values[static_cast<size_t>(j)] * at(v, {i[0], j, head, i[3]});
    return out;
  });
}

}  // namespace tern::reference
