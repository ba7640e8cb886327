// SPDX-License-Identifier: Apache-2.0
// x[…], x[…] = value, take and their like against position-by-position references.
#include "tern/indexing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>

#include "support/every_dtype.h"
#include "support/fails_with.h"
#include "support/gradient_check.h"
#include "support/reference_index.h"
#include "support/test_device.h"
#include "tern/creation.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::counting;
using testing::elements;
using testing::fails_with;
using testing::gradients_agree;
using Longs = std::vector<int64_t>;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

Tensor longs(const Longs& values) { return Tensor::from(values, {static_cast<int64_t>(values.size())}, cpu()); }

Tensor mask_of(const std::vector<uint8_t>& bits, const Shape& shape) {
  return Tensor::from_bytes(std::as_bytes(std::span(bits)), shape, DType::boolean, cpu());
}

// 0, 1, 2, … in row-major order over one of several layouts of memory.
Tensor numbered(const Shape& shape, int layout) {
  const Tensor x = reshape(arange(0, shape.numel(), 1, DType::i64, cpu()), shape);
  if (shape.rank() == 0 || layout == 0) return x;
  if (layout == 1) return transpose(clone(transpose(x, 0, -1)), 0, -1);
  const auto reversed = [](const Tensor& t) { return index(t, {Slice{.step = -1}}); };
  return reversed(clone(reversed(x)));
}

// A list of indices of x's shape, and the same for the reference.
struct List {
  std::vector<Index> indices;
  std::vector<reference::IndexEntry> entries;
};

// Lists of every kind of entry, all in range.
class Lists {
 public:
  explicit Lists(uint32_t seed) : random_(seed) {}

  int64_t below(int64_t bound) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(bound)); }

  Shape shape() {
    Shape shape;
    for (int64_t rank = below(5); shape.rank() < rank;) shape.push_back(below(8) == 0 ? 0 : 1 + below(4));
    return shape;
  }

  List list(const Shape& x) {
    List list;
    common_ = below(2) == 0 ? reference::Extents{2 + below(2)} : reference::Extents{1 + below(2), 2 + below(2)};
    bool has_ellipsis = false;
    int axis = 0;
    while (axis < x.rank()) {
      switch (below(7)) {
        case 0:
          if (x[axis] > 0) number(list, x[axis++]);
          break;
        case 1:
        case 2:
          slice(list, x[axis++]);
          break;
        case 3:
          if (list.entries.size() < 4) new_axis(list);
          break;
        case 4:
          if (x[axis] > 0) array(list, x[axis++]);
          break;
        case 5:
          axis += mask(list, x, axis);
          break;
        default:
          if (has_ellipsis) break;
          has_ellipsis = true;
          axis += ellipsis(list, x, axis);
      }
    }
    return list;
  }

 private:
  void push(List& list, decltype(reference::IndexEntry::value) value) {
    list.entries.push_back({std::move(value), gap_});
    gap_ = false;
  }

  void number(List& list, int64_t extent) {
    const int64_t index = below(2 * extent) - extent;
    list.indices.emplace_back(index);
    push(list, reference::IndexArray{{}, {index}, true});
  }

  void slice(List& list, int64_t extent) {
    Slice slice;
    if (below(2) == 0) slice.start = below(9) - 4;
    if (below(2) == 0) slice.stop = below(9) - 4;
    if (below(2) == 0) slice.step = below(2) == 0 ? 1 + below(3) : -1 - below(3);
    list.indices.emplace_back(slice);
    const int64_t step = slice.step.value_or(1);
    const auto bound = [&](int64_t at) {
      if (at < 0) at += extent;
      return step > 0 ? std::clamp<int64_t>(at, 0, extent) : std::clamp<int64_t>(at, -1, extent - 1);
    };
    reference::IndexSlice taken;
    const int64_t first = slice.start ? bound(*slice.start) : step > 0 ? 0 : extent - 1;
    const int64_t last = slice.stop ? bound(*slice.stop) : step > 0 ? extent : -1;
    for (int64_t i = first; step > 0 ? i < last : i > last; i += step) taken.taken.push_back(i);
    push(list, taken);
  }

  void new_axis(List& list) {
    list.indices.emplace_back(kNewAxis);
    push(list, reference::IndexNewAxis{});
  }

  void array(List& list, int64_t extent) {
    reference::IndexArray array{common_, {}};
    if (below(2) == 0) array.shape.erase(array.shape.begin());
    if (array.shape.empty()) array.shape.push_back(1);
    for (int64_t i = reference::size_of_extents(array.shape); i > 0; --i) {
      array.values.push_back(below(2 * extent) - extent);
    }
    Shape shape;
    for (const int64_t e : array.shape) shape.push_back(e);
    const Tensor indices = Tensor::from(array.values, shape, cpu());
    list.indices.emplace_back(below(2) == 0 ? indices : cast(indices, DType::i16));
    push(list, array);
  }

  // A mask with as many true elements as the arrays' last axis, where there is room for them.
  int mask(List& list, const Shape& x, int axis) {
    const int axes = below(2) == 0 && axis + 2 <= x.rank() ? 2 : 1;
    Shape shape;
    for (int i = 0; i < axes; ++i) shape.push_back(x[axis + i]);
    std::vector<int64_t> order(static_cast<size_t>(shape.numel()));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random_);
    const auto count = static_cast<size_t>(common_.back());
    if (order.size() < count) return 0;
    order.resize(count);
    std::sort(order.begin(), order.end());
    std::vector<uint8_t> bits(static_cast<size_t>(shape.numel()));
    for (const int64_t at : order) bits[static_cast<size_t>(at)] = 1;
    list.indices.emplace_back(mask_of(bits, shape));
    for (int i = 0; i < axes; ++i) {
      reference::IndexArray array{{common_.back()}, {}};
      for (const int64_t at : order) array.values.push_back(axes == 1 ? at : i == 0 ? at / shape[1] : at % shape[1]);
      push(list, array);
    }
    return axes;
  }

  int ellipsis(List& list, const Shape& x, int axis) {
    // Of all axes that are left: then it must end the list; or of none.
    list.indices.emplace_back(kEllipsis);
    if (below(2) == 0) {
      gap_ = true;
      // Only right if every axis after it is indexed, which list() goes on to do.
      return 0;
    }
    for (int i = axis; i < x.rank(); ++i) {
      reference::IndexSlice all;
      for (int64_t at = 0; at < x[i]; ++at) all.taken.push_back(at);
      push(list, all);
    }
    return x.rank() - axis;
  }

  std::mt19937 random_;
  reference::Extents common_;
  bool gap_ = false;
};

reference::Extents extents_of(const Shape& shape) { return {shape.begin(), shape.end()}; }

TEST(Index, FindsWhatTheRulesSay) {
  Lists lists(1);
  int views = 0, copies = 0;
  for (int round = 0; round < 4000; ++round) {
    const Shape shape = lists.shape();
    const Tensor x = numbered(shape, round % 3);
    const List list = lists.list(shape);
    const reference::IndexResult expected = reference::indexed(extents_of(shape), list.entries);
    const Tensor y = index(x, list.indices);
    ASSERT_EQ(extents_of(y.shape()), expected.shape) << "round " << round;
    ASSERT_EQ(y.to_vector<int64_t>(), expected.sources) << "round " << round;
    const bool has_array = std::any_of(list.indices.begin(), list.indices.end(), [](const Index& entry) {
      return std::holds_alternative<Tensor>(entry.value());
    });
    EXPECT_EQ(y.shares_storage_with(x), !has_array) << "round " << round;
    ++(has_array ? copies : views);
  }
  EXPECT_GT(views, 400);
  EXPECT_GT(copies, 1000);
}

TEST(AssignIndex, WritesWhatTheRulesSay) {
  Lists lists(2);
  for (int round = 0; round < 4000; ++round) {
    const Shape shape = lists.shape();
    const Tensor x = clone(numbered(shape, 0)), target = numbered(shape, round % 3);
    const List list = lists.list(shape);
    const reference::IndexResult found = reference::indexed(extents_of(shape), list.entries);
    // A value that is broadcast along some axes, of another dtype.
    Shape from;
    for (const int64_t extent : found.shape) from.push_back(lists.below(4) == 0 ? 1 : extent);
    Shape steps = contiguous_strides(from);
    for (int axis = 0; axis < from.rank(); ++axis) steps[axis] = from[axis] == 1 ? 0 : steps[axis];
    const Tensor value = reshape(arange(1000, 1000 + from.numel(), 1, DType::f64, cpu()), from);
    Longs expected = x.to_vector<int64_t>();
    reference::Extents at(found.shape.size(), 0);
    for (const int64_t source : found.sources) {
      int64_t offset = 0;
      for (size_t axis = 0; axis < at.size(); ++axis) offset += at[axis] * steps[static_cast<int>(axis)];
      expected[static_cast<size_t>(source)] = 1000 + offset;
      reference::advance(at, found.shape);
    }
    assign_index(target, list.indices, value);
    ASSERT_EQ(target.to_vector<int64_t>(), expected) << "round " << round;
  }
}

TEST(Index, PutsArraysWhereNumPyDoes) {
  const Tensor x = numbered({2, 3, 4, 5}, 0), at = longs({0, 1}), all = mask_of({1, 0, 1}, {3});
  EXPECT_EQ(index(x, {Slice{}, at, at}).shape(), (Shape{2, 2, 5}));
  EXPECT_EQ(index(x, {Slice{}, at, Slice{}, at}).shape(), (Shape{2, 2, 4}));
  EXPECT_EQ(index(x, {0, Slice{}, at}).shape(), (Shape{2, 3, 5}));
  EXPECT_EQ(index(x, {Slice{}, 0, at}).shape(), (Shape{2, 2, 5}));
  EXPECT_EQ(index(x, {Slice{}, at, kEllipsis, at, 0}).shape(), (Shape{2, 2}));
  EXPECT_EQ(index(x, {at, kNewAxis, at}).shape(), (Shape{2, 1, 4, 5}));
  EXPECT_EQ(index(x, {Slice{}, all}).shape(), (Shape{2, 2, 4, 5}));
  EXPECT_EQ(index(x, {true}).shape(), (Shape{1, 2, 3, 4, 5}));
  EXPECT_EQ(index(x, {Slice{}, false}).shape(), (Shape{2, 0, 3, 4, 5}));
  EXPECT_EQ(index(x, {0, Slice{}, true}).shape(), (Shape{1, 3, 4, 5}));
  EXPECT_EQ(index(x, {full({}, true, DType::boolean, cpu())}).shape(), (Shape{1, 2, 3, 4, 5}));
  // An extent of 0 goes with every axis.
  for (const Shape& none : {Shape{0}, Shape{2, 0}, Shape{0, 0, 4}}) {
    Shape shape{0};
    for (int axis = none.rank(); axis < 4; ++axis) shape.push_back(x.shape()[axis]);
    EXPECT_EQ(index(x, {Tensor::zeros(none, DType::boolean, cpu())}).shape(), shape);
  }
  const Tensor number = full({}, -1, DType::i8, cpu());
  EXPECT_EQ(index(x, {number, number}).shape(), (Shape{4, 5}));
  EXPECT_TRUE(index(x, {number, number}).shares_storage_with(x));
}

TEST(Index, MovesEveryDType) {
  for (const DType dtype : testing::kEveryDType) {
    const Tensor x = counting({5, 7}, dtype, cpu());
    const auto all = elements(x);
    const auto rows = elements(index(x, {longs({4, -5, 2}), Slice{.step = -2}}));
    const auto mixed = elements(index(x, {longs({4, -5, 2}), longs({0, 6, 3})}));
    for (size_t i = 0; i < 3; ++i) {
      const size_t row = std::array<size_t, 3>{4, 0, 2}[i], col = std::array<size_t, 3>{0, 6, 3}[i];
      for (size_t j = 0; j < 4; ++j) EXPECT_EQ(rows[i * 4 + j], all[row * 7 + 6 - 2 * j]) << name_of(dtype);
      EXPECT_EQ(mixed[i], all[row * 7 + col]) << name_of(dtype);
    }
    const Tensor y = zeros_like(x);
    assign_index(y, {Slice{}, longs({6, 5, 4, 3, 2, 1, 0})}, index(x, {Slice{}, Slice{.step = -1}}));
    EXPECT_EQ(elements(y), all) << name_of(dtype);
  }
}

TEST(Index, TakesManyElementsOnSeveralThreads) {
  constexpr int64_t kRows = 1009, kCols = 67;
  for (const int threads : {1, 3}) {
    const Device device = testing::test_device(threads);
    const Tensor x = reshape(arange(0, kRows * kCols, 1, DType::i32, device), {kRows, kCols});
    const Tensor odd = equal(x - mul(div(x, full({}, 2, DType::i32, device)), 2.0), ones({}, DType::i32, device));
    const std::vector<int32_t> found = index(x, {odd}).to_vector<int32_t>();
    ASSERT_EQ(found.size(), static_cast<size_t>(kRows * kCols / 2));
    for (size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], static_cast<int32_t>(2 * i + 1));
    assign_index(x, {odd}, Scalar(-1));
    const std::vector<int32_t> left = x.to_vector<int32_t>();
    for (size_t i = 0; i < left.size(); ++i) ASSERT_EQ(left[i], i % 2 == 1 ? -1 : static_cast<int32_t>(i));
  }
}

TEST(AssignIndex, KeepsTheLastOfSeveral) {
  const Tensor x = zeros({3, 2}, DType::i64, cpu());
  assign_index(x, {longs({0, 2, 0, -3})}, reshape(arange(1, 9, 1, DType::i64, cpu()), {4, 2}));
  EXPECT_EQ(x.to_vector<int64_t>(), (Longs{7, 8, 0, 0, 3, 4}));
}

TEST(AssignIndex, ConvertsAndBroadcasts) {
  const Tensor x = zeros({2, 3}, DType::i8, cpu());
  assign_index(x, {kEllipsis, longs({0, 2})}, full({1, 1, 1, 1}, 300.7, DType::f64, cpu()));
  EXPECT_EQ(x.to_vector<int8_t>(), (std::vector<int8_t>{127, 0, 127, 127, 0, 127}));
  assign_index(x, {0}, Scalar(-3));
  EXPECT_EQ(x.to_vector<int8_t>(), (std::vector<int8_t>{-3, -3, -3, 127, 0, 127}));
}

// Overlapping source and destination: as if the source had been copied first.
TEST(AssignIndex, MayReadWhatItWrites) {
  const Tensor x = numbered({5}, 0);
  assign_index(x, {Slice{.start = 1}}, index(x, {Slice{.stop = -1}}));
  EXPECT_EQ(x.to_vector<int64_t>(), (Longs{0, 0, 1, 2, 3}));
  assign_index(x, {longs({4, 3, 2, 1, 0})}, x);
  EXPECT_EQ(x.to_vector<int64_t>(), (Longs{3, 2, 1, 0, 0}));
  // Indices from the tensor that they write to.
  assign_index(x, {x}, arange(10, 15, 1, DType::i64, cpu()));
  EXPECT_EQ(x.to_vector<int64_t>(), (Longs{14, 12, 11, 10, 0}));
}

TEST(Index, SaysWhatIsWrong) {
  const Tensor x = numbered({2, 3}, 0);
  EXPECT_TRUE(fails_with("[index] expected index 1 in [-3, 3) of axis 1, got 3", [&] { index(x, {0, 3}); }));
  EXPECT_TRUE(fails_with("index 1 in [-3, 3) of axis 1, got -4", [&] { index(x, {Slice{}, longs({0, -4})}); }));
  EXPECT_TRUE(fails_with("index 0 in [-2, 2) of axis 0, got 2", [&] { index(x, {longs({0, 2}), longs({0, 1})}); }));
  EXPECT_TRUE(fails_with("index 0 in [0, 0) of axis 0, got 0", [&] { index(numbered({0, 3}, 0), {longs({0})}); }));
  EXPECT_TRUE(fails_with("at most 2 axes of shape [2, 3], got them for 3", [&] { index(x, {0, 0, 0}); }));
  EXPECT_TRUE(fails_with("at most one ellipsis", [&] { index(x, {kEllipsis, kEllipsis}); }));
  EXPECT_TRUE(fails_with("a step other than 0", [&] { index(x, {Slice{.step = 0}}); }));
  EXPECT_TRUE(fails_with("index 1, a mask, of extent 3 for axis 1, got 2", [&] {
    index(x, {0, mask_of({1, 1}, {2})});
  }));
  EXPECT_TRUE(fails_with("index 0 of an integer dtype, got f32", [&] { index(x, {zeros({1}, DType::f32, cpu())}); }));
  EXPECT_TRUE(fails_with("broadcast", [&] { index(x, {longs({0, 1}), longs({0, 1, 2})}); }));
  EXPECT_TRUE(fails_with("below 2^63", [&] { index(x, {full({1}, ~uint64_t{0}, DType::u64, cpu())}); }));
}

TEST(AssignIndex, ChangesNothingWhenItFails) {
  const Tensor x = numbered({2, 3}, 0);
  const Longs before = x.to_vector<int64_t>();
  EXPECT_TRUE(fails_with("[assign_index] expected index 0 in [-2, 2) of axis 0, got 5", [&] {
    assign_index(x, {longs({0, 5})}, Scalar(9));
  }));
  EXPECT_TRUE(fails_with("expected a value that broadcasts to [3], got [2]", [&] {
    assign_index(x, {0}, longs({1, 2}));
  }));
  EXPECT_TRUE(fails_with("elements of its own", [&] { assign_index(expand(longs({1}), {4}), {0}, Scalar(1)); }));
  EXPECT_TRUE(fails_with("a number that fits i64", [&] { assign_index(x, {0}, Scalar(1e30)); }));
  EXPECT_TRUE(fails_with("outside any graph",
                         [&] { assign_index(zeros({2}, DType::f32, cpu()).set_requires_grad(), {0}, Scalar(1)); }));
  EXPECT_EQ(x.to_vector<int64_t>(), before);
}

// take over every axis of a strided tensor, one element at a time.
TEST(Take, TakesAlongAnyAxis) {
  const Tensor x = transpose(numbered({4, 3, 5}, 0), 0, 1);  // [3, 4, 5]
  const Tensor at = reshape(longs({2, -1, 0, -2}), {2, 2});
  for (int axis = 0; axis < 3; ++axis) {
    const Tensor y = take(x, at, axis);
    Shape expected = x.shape();
    expected.erase(axis);
    expected.insert(axis, 2);
    expected.insert(axis, 2);
    ASSERT_EQ(y.shape(), expected);
    for (int64_t i = 0; i < 4; ++i) {
      const int64_t from = std::array<int64_t, 4>{2, -1, 0, -2}[static_cast<size_t>(i)];
      EXPECT_EQ(select(select(y, axis, i / 2), axis, i % 2).to_vector<int64_t>(),
                select(x, axis, from).to_vector<int64_t>());
    }
  }
  EXPECT_EQ(take(x, longs({0, -1})).to_vector<int64_t>(), (Longs{0, 59}));
  EXPECT_EQ(take(x, full({}, 7, DType::u16, cpu())).shape(), Shape());
  EXPECT_EQ(take(x, zeros({0}, DType::i32, cpu()), 1).shape(), (Shape{3, 0, 5}));
  EXPECT_TRUE(fails_with("[take] expected indices in [-4, 4) of axis 1, got 4", [&] { take(x, longs({4}), 1); }));
}

TEST(TakeAlongAxis, TakesAndPutsByIndicesOfEachLine) {
  const Tensor x = transpose(numbered({4, 3, 5}, 0), 0, 1);  // [3, 4, 5]
  for (int axis = 0; axis < 3; ++axis) {
    Shape shape = x.shape();
    shape[axis] = 3;
    Longs indices;
    for (int64_t i = 0; i < shape.numel(); ++i)
      indices.push_back((i * 7 + i / 4) % (2 * x.shape()[axis]) - x.shape()[axis]);
    const Tensor at = Tensor::from(indices, shape, cpu());
    const Tensor y = take_along_axis(x, at, axis);
    ASSERT_EQ(y.shape(), shape);
    const Longs got = y.to_vector<int64_t>();
    Longs left = x.to_vector<int64_t>();
    for (int64_t i = 0; i < shape.numel(); ++i) {
      Shape place = shape;
      int64_t rest = i, from = 0;
      for (int a = 2; a >= 0; --a) place[a] = rest % shape[a], rest /= shape[a];
      const int64_t index = indices[static_cast<size_t>(i)];
      place[axis] = index < 0 ? index + x.shape()[axis] : index;
      for (int a = 0; a < 3; ++a) from = from * x.shape()[a] + place[a];
      ASSERT_EQ(got[static_cast<size_t>(i)], x.to_vector<int64_t>()[static_cast<size_t>(from)]);
      left[static_cast<size_t>(from)] = i;
    }
    const Tensor z = transpose(clone(transpose(x, 1, 2)), 1, 2);
    put_along_axis(z, at, reshape(arange(0, shape.numel(), 1, DType::u16, cpu()), shape), axis);
    EXPECT_EQ(z.to_vector<int64_t>(), left);
  }
  // Broadcast: one line of indices for all, and one line of x for all.
  EXPECT_EQ(take_along_axis(numbered({2, 3}, 0), reshape(longs({2, 0}), {1, 2}), 1).to_vector<int64_t>(),
            (Longs{2, 0, 5, 3}));
  EXPECT_EQ(take_along_axis(numbered({1, 3}, 0), reshape(longs({2, 0}), {2, 1}), 1).to_vector<int64_t>(),
            (Longs{2, 0}));
  EXPECT_TRUE(fails_with("[take_along_axis] expected indices in [-3, 3) of axis 0, got 3", [] {
    take_along_axis(longs({1, 2, 3}), longs({3}), 0);
  }));
  EXPECT_TRUE(fails_with("expected indices with 2 axes", [] { take_along_axis(numbered({1, 3}, 0), longs({3}), 0); }));
}

TEST(IndexGradient, AgreesWithDifferences) {
  const auto values = [](const Shape& shape) {
    std::vector<float> x;
    for (int64_t i = 0; i < shape.numel(); ++i) x.push_back(static_cast<float>((i * 37 % 19) - 9) / 8);
    return Tensor::from(x, shape, cpu());
  };
  const Tensor x = values({3, 4, 5});
  const Tensor at = longs({2, 0, 2, -1});
  using Inputs = std::vector<Tensor>;
  const auto checks = [&](const std::vector<Index>& list) {
    EXPECT_TRUE(gradients_agree([&](const Inputs& in) { return index(transpose(in[0], 0, 2), list); }, {x}));
  };
  checks({Slice{.step = -2}, 1});
  checks({at, Slice{.start = 1}});
  checks({Slice{}, at, at});
  checks({at, Slice{}, longs({0})});
  checks({kEllipsis, mask_of({1, 0, 1}, {3})});
  checks({mask_of({1, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 1}, {5, 4})});
  EXPECT_TRUE(gradients_agree([&](const Inputs& in) { return take(in[0], at, 1); }, {x}));
  EXPECT_TRUE(gradients_agree([&](const Inputs& in) { return take(in[0], at); }, {x}));
  const Tensor each = reshape(longs({0, 2, 1, 1, 2, 0, 0, 0, 2, 1, 1, 0}), {3, 4, 1});
  EXPECT_TRUE(gradients_agree([&](const Inputs& in) { return take_along_axis(in[0], each, 2); }, {x}));
  EXPECT_TRUE(gradients_agree([&](const Inputs& in) { return take_along_axis(in[0], each, 2); }, {values({1, 4, 5})}));
  // Halves move as they are; their gradients are sums in f32.
  for (const DType dtype : {DType::bf16, DType::f16}) {
    const Tensor half = cast(x, dtype).set_requires_grad();
    backward(take(half, at, 0), ones({4, 4, 5}, DType::f32, cpu()));
    const std::vector<float> grad = half.grad().to_vector<float>();
    for (int64_t i = 0; i < 60; ++i) EXPECT_EQ(grad[static_cast<size_t>(i)], i < 20 ? 1 : i < 40 ? 0 : 3);
  }
}

}  // namespace
}  // namespace tern
