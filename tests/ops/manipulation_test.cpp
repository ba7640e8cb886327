// SPDX-License-Identifier: Apache-2.0
// Shapes and arrangements: which share memory, and every element's place.
#include "tern/manipulation.h"

#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "support/every_dtype.h"
#include "support/fails_with.h"
#include "support/gradient_check.h"
#include "support/test_device.h"
#include "tern/creation.h"

namespace tern {
namespace {

using testing::counting;
using testing::elements;
using testing::fails_with;
using Axes = std::vector<int>;
using Longs = std::vector<int64_t>;
using Place = std::vector<int64_t>;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

Tensor numbered(const Shape& shape) { return reshape(arange(0, shape.numel(), 1, DType::i64, cpu()), shape); }

// y's shape is `shape` and its element at each place that of x at from(place), for every dtype and for strided x.
void expect_places(const std::function<Tensor(const Tensor&)>& op, const Shape& x_shape, const Shape& shape,
                   const std::function<Place(const Place&)>& from) {
  for (const DType dtype : testing::kEveryDType) {
    const Tensor dense = counting(x_shape, dtype, cpu());
    for (const Tensor& x : {dense, flip(clone(flip(dense)))}) {
      const Tensor y = op(x);
      ASSERT_EQ(y.shape(), shape);
      ASSERT_EQ(y.dtype(), dtype);
      const auto all = elements(x), got = elements(y);
      for (int64_t flat = 0; flat < shape.numel(); ++flat) {
        Place place(static_cast<size_t>(shape.rank()));
        int64_t rest = flat, source = 0;
        for (int axis = shape.rank() - 1; axis >= 0; rest /= shape[axis--]) {
          place[static_cast<size_t>(axis)] = rest % shape[axis];
        }
        const Place found = from(place);
        for (int axis = 0; axis < x_shape.rank(); ++axis)
          source = source * x_shape[axis] + found[static_cast<size_t>(axis)];
        ASSERT_EQ(got[static_cast<size_t>(flat)], all[static_cast<size_t>(source)]) << name_of(dtype) << " at " << flat;
      }
    }
  }
}

TEST(Flip, ReversesAxes) {
  const auto both = [](const Tensor& x) { return flip(x); };
  const auto last = [](const Tensor& x) { return flip(x, Axes{-1}); };
  const auto none = [](const Tensor& x) { return flip(x, Axes{}); };
  expect_places(both, {3, 5}, {3, 5}, [](const Place& p) { return Place{2 - p[0], 4 - p[1]}; });
  expect_places(last, {3, 5}, {3, 5}, [](const Place& p) { return Place{p[0], 4 - p[1]}; });
  expect_places(none, {3, 5}, {3, 5}, [](const Place& p) { return p; });
  expect_places(both, {}, {}, [](const Place& p) { return p; });
  const Tensor x = numbered({3, 5});
  EXPECT_TRUE(flip(x).shares_storage_with(x));
  EXPECT_EQ(flip(numbered({0, 5})).shape(), (Shape{0, 5}));
  EXPECT_TRUE(fails_with("[flip] expected each axis once", [&] { flip(x, Axes{1, -1}); }));
}

TEST(Moveaxis, IsAViewInAnotherOrder) {
  const auto op = [](const Tensor& x) { return moveaxis(x, Axes{0, -1}, Axes{-1, 0}); };
  expect_places(op, {2, 3, 4, 5}, {5, 3, 4, 2}, [](const Place& p) { return Place{p[3], p[1], p[2], p[0]}; });
  const auto one = [](const Tensor& x) { return moveaxis(x, Axes{0}, Axes{2}); };
  expect_places(one, {2, 3, 4}, {3, 4, 2}, [](const Place& p) { return Place{p[2], p[0], p[1]}; });
  const Tensor x = numbered({2, 3, 4});
  EXPECT_TRUE(one(x).shares_storage_with(x));
  EXPECT_EQ(swapaxes(x, 0, 2).shape(), (Shape{4, 3, 2}));
  EXPECT_EQ(permute_dims(x, Axes{2, 0, 1}).shape(), (Shape{4, 2, 3}));
  EXPECT_TRUE(fails_with("as many destinations as sources, 1, got 2", [&] { moveaxis(x, Axes{0}, Axes{1, 2}); }));
}

TEST(Squeeze, DropsSeveralAxes) {
  const Tensor x = numbered({1, 3, 1, 2, 1});
  EXPECT_EQ(squeeze(x, Axes{0, -1, 2}).shape(), (Shape{3, 2}));
  EXPECT_TRUE(squeeze(x, Axes{0, 2}).shares_storage_with(x));
  EXPECT_EQ(squeeze(x, Axes{}).shape(), x.shape());
  EXPECT_EQ(expand_dims(x, -1).shape(), (Shape{1, 3, 1, 2, 1, 1}));
  EXPECT_TRUE(fails_with("[squeeze] expected an extent of 1 on axis 1", [&] { squeeze(x, Axes{0, 1}); }));
}

TEST(Reshape, CopiesAsAsked) {
  const Tensor x = numbered({2, 3});
  EXPECT_TRUE(reshape(x, {3, 2}, std::nullopt).shares_storage_with(x));
  EXPECT_TRUE(reshape(x, {3, 2}, false).shares_storage_with(x));
  EXPECT_FALSE(reshape(x, {3, 2}, true).shares_storage_with(x));
  EXPECT_TRUE(fails_with("[reshape] expected a view", [&] { reshape(transpose(x), {6}, false); }));
  EXPECT_TRUE(ravel(x).shares_storage_with(x));
  EXPECT_FALSE(ravel(transpose(x)).shares_storage_with(x));
  EXPECT_FALSE(flatten(x).shares_storage_with(x));
  EXPECT_EQ(flatten(transpose(x)).to_vector<int64_t>(), (Longs{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(ravel(numbered({})).shape(), Shape{1});
}

TEST(Broadcast, RepeatsWithoutCopies) {
  const std::vector<Tensor> arrays = {numbered({3, 1}), numbered({2, 1, 4}), numbered({})};
  for (size_t i = 0; i < 3; ++i) {
    const Tensor y = broadcast_arrays(arrays)[i];
    EXPECT_EQ(y.shape(), (Shape{2, 3, 4}));
    EXPECT_TRUE(y.shares_storage_with(arrays[i]));
  }
  EXPECT_TRUE(broadcast_arrays({}).empty());
  EXPECT_EQ(broadcast_to(numbered({3, 1}), {2, 3, 0}).shape(), (Shape{2, 3, 0}));
  EXPECT_EQ(broadcast_shapes(std::vector<Shape>{{3, 1}, {}, {5, 1, 4}}), (Shape{5, 3, 4}));
  EXPECT_TRUE(fails_with("[expand]", [] { broadcast_to(numbered({3}), {3, 2}); }));
}

TEST(Split, SharesAndStackJoins) {
  const Tensor x = numbered({7, 2});
  std::vector<int64_t> extents;
  for (const Tensor& part : split(x, 3)) {
    EXPECT_TRUE(part.shares_storage_with(x));
    extents.push_back(part.shape()[0]);
  }
  EXPECT_EQ(extents, (Longs{3, 2, 2}));
  extents.clear();
  for (const Tensor& part : split(x, Longs{2, 2, -1, 9})) extents.push_back(part.shape()[0]);
  EXPECT_EQ(extents, (Longs{2, 0, 4, 1, 0}));
  EXPECT_EQ(concat(split(x, 4), 0).to_vector<int64_t>(), x.to_vector<int64_t>());
  const std::vector<Tensor> rows = unstack(x);
  ASSERT_EQ(rows.size(), 7u);
  EXPECT_TRUE(rows[3].shares_storage_with(x));
  EXPECT_EQ(rows[3].to_vector<int64_t>(), (Longs{6, 7}));
  EXPECT_EQ(stack(rows).to_vector<int64_t>(), x.to_vector<int64_t>());
  for (int axis = -3; axis < 3; ++axis) {
    const auto twice = [axis](const Tensor& t) { return stack(std::vector<Tensor>{t, flip(t)}, axis); };
    const size_t at = static_cast<size_t>(axis < 0 ? axis + 3 : axis);
    Shape shape = {3, 4};
    shape.insert(static_cast<int>(at), 2);
    expect_places(twice, {3, 4}, shape, [at](Place p) {
      const bool flipped = p[at] == 1;
      p.erase(p.begin() + static_cast<std::ptrdiff_t>(at));
      return flipped ? Place{2 - p[0], 3 - p[1]} : p;
    });
  }
  EXPECT_TRUE(fails_with("[stack] expected part of shape [2]", [&] { stack(std::vector<Tensor>{rows[0], x}); }));
  EXPECT_EQ(concat(std::vector<Tensor>{numbered({2, 2}), numbered({})}, std::nullopt).to_vector<int64_t>(),
            (Longs{0, 1, 2, 3, 0}));
}

TEST(Roll, BringsInWhatLeaves) {
  for (const int64_t shift : {0, 1, 2, -1, 7, -11}) {
    const auto modulo = [](int64_t i, int64_t n) { return (i % n + n) % n; };
    const auto flat = [shift](const Tensor& x) { return roll(x, shift); };
    expect_places(flat, {3, 5}, {3, 5}, [&](const Place& p) {
      const int64_t from = modulo(p[0] * 5 + p[1] - shift, 15);
      return Place{from / 5, from % 5};
    });
    const auto two = [shift](const Tensor& x) { return roll(x, Longs{shift, 2}, Axes{0, -1}); };
    expect_places(two, {3, 5}, {3, 5}, [&](const Place& p) {
      return Place{modulo(p[0] - shift, 3), modulo(p[1] - 2, 5)};
    });
  }
  const Tensor x = numbered({3, 5});
  EXPECT_EQ(roll(x, Longs{1}, Axes{0, 1}).to_vector<int64_t>(), roll(x, Longs{1, 1}, Axes{0, 1}).to_vector<int64_t>());
  EXPECT_EQ(roll(x, Longs{1, 2}, Axes{0, 0}).to_vector<int64_t>(), x.to_vector<int64_t>());
  EXPECT_FALSE(roll(x, Longs{1}, Axes{}).shares_storage_with(x));
  EXPECT_EQ(roll(numbered({0, 2}), 3).shape(), (Shape{0, 2}));
  EXPECT_EQ(roll(numbered({}), 3).shape(), Shape());
}

TEST(Repeat, RepeatsEachElement) {
  for (const int64_t repeats : {0, 1, 3}) {
    expect_places([&](const Tensor& x) { return repeat(x, repeats, 1); }, {2, 3, 4}, {2, 3 * repeats, 4},
                  [&](const Place& p) {
                    return Place{p[0], p[1] / repeats, p[2]};
                  });
    expect_places([&](const Tensor& x) { return repeat(x, repeats); }, {2, 3}, {6 * repeats},
                  [&](const Place& p) {
                    return Place{p[0] / repeats / 3, p[0] / repeats % 3};
                  });
  }
  const Tensor counts = Tensor::from<int8_t>({2, 0, 1}, {3}, cpu());
  EXPECT_EQ(repeat(numbered({3}), counts).to_vector<int64_t>(), (Longs{0, 0, 2}));
  EXPECT_EQ(repeat(numbered({2, 3}), counts, 1).to_vector<int64_t>(), (Longs{0, 0, 2, 3, 3, 5}));
  EXPECT_EQ(repeat(numbered({2}), full({1}, 2, DType::u64, cpu())).to_vector<int64_t>(), (Longs{0, 0, 1, 1}));
  EXPECT_TRUE(fails_with("of shape [2], [1] or []", [&] { repeat(numbered({2}), counts); }));
  EXPECT_TRUE(fails_with("got -1", [] { repeat(numbered({2}), -1); }));
  EXPECT_TRUE(fails_with("got -2 at [1]", [] { repeat(numbered({2}), Tensor::from<int64_t>({1, -2}, {2}, cpu())); }));
}

TEST(Tile, RepeatsTheWhole) {
  expect_places(
      [](const Tensor& x) {
        return tile(x, Longs{2, 3});
      },
      {2, 3}, {4, 9},
      [](const Place& p) {
        return Place{p[0] % 2, p[1] % 3};
      });
  expect_places([](const Tensor& x) { return tile(x, Longs{3}); }, {2, 3}, {2, 9},
                [](const Place& p) {
                  return Place{p[0], p[1] % 3};
                });
  expect_places(
      [](const Tensor& x) {
        return tile(x, Longs{2, 1, 2});
      },
      {2, 3}, {2, 2, 6},
      [](const Place& p) {
        return Place{p[1], p[2] % 3};
      });
  expect_places([](const Tensor& x) { return tile(x, Longs{0, 2}); }, {2, 3}, {0, 6}, [](const Place& p) { return p; });
  const Tensor x = numbered({1, 1, 1, 1, 2, 1, 1, 3});
  EXPECT_EQ(tile(x, Longs{2, 2, 2, 2, 2, 2, 2, 2}).numel(), 6 * 256);
  EXPECT_FALSE(tile(x, Longs{1}).shares_storage_with(x));
}

TEST(Pad, SurroundsAsItsModeSays) {
  using Widths = std::vector<std::pair<int64_t, int64_t>>;
  const Widths widths = {{1, 2}, {0, 5}};
  const auto mirrored = [](int64_t i, int64_t n, bool repeats_ends) {
    while (i < 0 || i >= n) {
      if (n == 1 && !repeats_ends) return int64_t{0};
      if (i < 0) i = repeats_ends ? -1 - i : -i;
      if (i >= n) i = repeats_ends ? 2 * n - 1 - i : 2 * n - 2 - i;
    }
    return i;
  };
  for (const Shape& shape : {Shape{2, 3}, Shape{1, 2}}) {
    const Shape padded = {shape[0] + 3, shape[1] + 5};
    const auto expect_mode = [&](PadMode mode, const std::function<int64_t(int64_t, int64_t)>& at) {
      expect_places([&](const Tensor& x) { return pad(x, widths, mode); }, shape, padded,
                    [&](const Place& p) {
                      return Place{at(p[0] - 1, shape[0]), at(p[1], shape[1])};
                    });
    };
    expect_mode(PadMode::edge, [](int64_t i, int64_t n) { return std::min(std::max<int64_t>(i, 0), n - 1); });
    expect_mode(PadMode::wrap, [](int64_t i, int64_t n) { return (i + 8 * n) % n; });
    expect_mode(PadMode::reflect, [&](int64_t i, int64_t n) { return mirrored(i, n, false); });
    expect_mode(PadMode::symmetric, [&](int64_t i, int64_t n) { return mirrored(i, n, true); });
  }
  EXPECT_EQ(pad(numbered({1, 2}), Widths{{0, 1}, {1, 0}}, PadMode::constant, 9).to_vector<int64_t>(),
            (Longs{9, 0, 1, 9, 9, 9}));
  EXPECT_EQ(pad(numbered({0}), Widths{{1, 1}}).to_vector<int64_t>(), (Longs{0, 0}));
  EXPECT_TRUE(fails_with("elements to pad with on axis 0", [] { pad(numbered({0}), Widths{{1, 1}}, PadMode::edge); }));
  EXPECT_TRUE(fails_with("widths of 0 or more", [] { pad(numbered({1}), Widths{{-1, 1}}); }));
  EXPECT_TRUE(fails_with("widths for 1 axes, got 2", [] { pad(numbered({1}), Widths{{1, 1}, {0, 0}}); }));
}

TEST(ManipulationGradient, AgreesWithDifferences) {
  using Inputs = std::vector<Tensor>;
  using testing::gradients_agree;
  const Tensor x = reshape(linspace(-1, 1, 24, DType::f32, cpu()), {2, 3, 4});
  const std::vector<std::pair<int64_t, int64_t>> widths = {{1, 0}, {0, 2}, {2, 1}};
  const std::vector<std::function<Tensor(const Tensor&)>> ops = {
      [](const Tensor& t) {
        return flip(t, Axes{0, 2});
      },
      [](const Tensor& t) { return moveaxis(t, Axes{0}, Axes{-1}); },
      [](const Tensor& t) {
        return roll(t, Longs{1, -1}, Axes{1, 2});
      },
      [](const Tensor& t) { return roll(t, 5); },
      [](const Tensor& t) { return repeat(t, 2, 1); },
      [](const Tensor& t) {
        return repeat(t, Tensor::from<int64_t>({2, 0, 1}, {3}, cpu()), 1);
      },
      [](const Tensor& t) {
        return tile(t, Longs{2, 1, 3});
      },
      [](const Tensor& t) {
        return stack(std::vector<Tensor>{t, t}, 1);
      },
      [](const Tensor& t) { return split(t, 2, 2)[1]; },
      [](const Tensor& t) { return flatten(t); },
      [&](const Tensor& t) { return pad(t, widths); },
      [&](const Tensor& t) { return pad(t, widths, PadMode::reflect); },
  };
  for (size_t i = 0; i < ops.size(); ++i) {
    EXPECT_TRUE(gradients_agree([&](const Inputs& in) { return ops[i](in[0]); }, {x})) << "op " << i;
  }
}

}  // namespace
}  // namespace tern
