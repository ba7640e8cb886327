// SPDX-License-Identifier: Apache-2.0
// Conversions between all 225 pairs of dtypes, against exact numbers that are rounded by definition.
#include <gtest/gtest.h>

#include <string>

#include "support/awkward_elements.h"
#include "support/strided.h"

namespace tern {
namespace {

using testing::Axes;
using testing::Bytes;
using testing::count_of;
using testing::dims;
using testing::Number;
using testing::number_at;
using testing::offset_of;

struct Layout {
  Axes shape, x, y;
};

void expect_conversion(const Device& device, DType from, DType to, const Layout& l, bool saturating) {
  SCOPED_TRACE(device.description() + ": " + std::string(name_of(from)) + " to " + std::string(name_of(to)));
  const Bytes x = testing::awkward_elements(from, testing::span_of(l.shape, l.x), 5);
  const auto end = static_cast<size_t>(testing::span_of(l.shape, l.y)) * size_of(to);
  Bytes y(end + 64, 0x5a);
  testing::run_array_kernel(device, saturating ? &ArrayPointwiseKernels::saturate : &ArrayPointwiseKernels::copy,
                            {dims(l.shape), x.data(), from, dims(l.x), y.data(), to, dims(l.y)});
  for (int64_t i = 0; i < count_of(l.shape); ++i) {
    const Number source = number_at(from, x, offset_of(l.shape, l.x, i));
    const Number expected = saturating && is_integer(from) && is_integer(to) ? Number{testing::saturated(to, source.re)}
                                                                             : testing::converted(from, source, to);
    const Number got = number_at(to, y, offset_of(l.shape, l.y, i));
    ASSERT_TRUE(testing::same(got, expected))
        << "element " << i << ", " << source << ": " << got << ", not " << expected;
  }
  for (size_t i = end; i < y.size(); ++i) ASSERT_EQ(y[i], 0x5a) << "written past the end";
}

TEST(ArrayConvert, EveryPairInEveryLayout) {
  const Layout layouts[] = {
      {{0}, {1}, {1}},  {{1}, {1}, {1}},  {{17}, {1}, {1}},           {{3001}, {1}, {1}},
      {{65}, {3}, {2}}, {{65}, {0}, {1}}, {{5, 33}, {1, 5}, {33, 1}}, {{5, 130}, {130, 1}, {131, 1}},
  };
  for (const Device& device : testing::cpus()) {
    for (const DType from : testing::all_dtypes()) {
      for (const DType to : testing::all_dtypes()) {
        for (const Layout& layout : layouts) expect_conversion(device, from, to, layout, false);
      }
    }
  }
}

TEST(ArrayConvert, SaturatesByName) {
  for (const Device& device : testing::cpus()) {
    for (const DType from : testing::all_dtypes()) {
      for (const DType to : testing::all_dtypes()) {
        for (const int64_t count : {0, 1, 31, 2003}) expect_conversion(device, from, to, {{count}, {1}, {1}}, true);
      }
    }
  }
}

TEST(ArrayConvert, SplitsAmongThreads) {
  for (const Device& device : testing::cpus()) {
    expect_conversion(device, DType::f32, DType::i8, {{100003}, {1}, {1}}, false);
    expect_conversion(device, DType::f32, DType::i32, {{100003}, {1}, {1}}, false);
    expect_conversion(device, DType::f64, DType::f16, {{100003}, {1}, {1}}, false);
    expect_conversion(device, DType::u64, DType::bf16, {{7, 15013}, {15013, 1}, {1, 7}}, false);
  }
}

}  // namespace
}  // namespace tern
