// SPDX-License-Identifier: Apache-2.0
// Packed tensors as values: views, bytes of others, equality, reports, ternary matrices.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/devices_under_test.h"
#include "support/fails_with.h"
#include "support/reference_packed.h"
#include "tern/memory.h"
#include "tern/packed.h"

namespace tern {
namespace {

using testing::cpus;
using testing::devices_under_test;
using testing::fails_with;
using testing::kPackedFacts;
using testing::PackedFacts;

Device any_device() { return devices_under_test().back(); }

std::vector<int8_t> values_of(const Tensor& x) { return x.to_vector<int8_t>(); }

// Values of a type in a tensor of i8.
Tensor some_values(const PackedFacts& facts, const Shape& shape, const Device& device) {
  std::vector<int8_t> values;
  for (const int value : testing::cycling_values(facts, static_cast<size_t>(shape.numel()), 11)) {
    values.push_back(static_cast<int8_t>(value));
  }
  return Tensor::from(values, shape, device);
}

TEST(PackedViews, AreThoseOfTensorsOnLeadingAxes) {
  for (const PackedFacts& facts : kPackedFacts) {
    const Tensor x = some_values(facts, {4, 6, 13}, any_device());
    const PackedTensor p = pack(x, facts.type);
    const auto expect_same = [&](const PackedTensor& got, const Tensor& expected, bool view = true) {
      EXPECT_EQ(got.shape(), expected.shape());
      EXPECT_EQ(got.shares_storage_with(p), view);
      EXPECT_EQ(values_of(unpack(got)), values_of(expected));
      EXPECT_EQ(values_of(unpack(repack(got, PackedType::i7, Overflow::saturate))),
                values_of(facts.greatest > 63 ? unpack(pack(expected, PackedType::i7, Overflow::saturate)) : expected));
      EXPECT_EQ(got, pack(expected, facts.type));
      EXPECT_TRUE(contiguous(got).is_contiguous());
      EXPECT_EQ(contiguous(got), got);
    };
    expect_same(select(p, 0, 2), select(x, 0, 2));
    expect_same(select(p, 1, -1), select(x, 1, -1));
    expect_same(select(select(p, 0, 3), 0, 0), select(select(x, 0, 3), 0, 0));
    expect_same(slice(p, 0, 1, 3), slice(x, 0, 1, 3));
    expect_same(slice(p, -2, 5, 0, -2), slice(x, -2, 5, 0, -2));
    expect_same(slice(slice(p, 1, 0, 6, 2), 0, 3, -5, -1), slice(slice(x, 1, 0, 6, 2), 0, 3, -5, -1));
    expect_same(slice(p, 0, 2, 2), slice(x, 0, 2, 2));
    expect_same(reshape(p, {24, 13}), reshape(x, {24, 13}));
    expect_same(reshape(p, {2, -1, 3, 13}), reshape(x, {2, -1, 3, 13}));
    expect_same(reshape(slice(p, 0, 1, 3), {12, 13}), reshape(slice(x, 0, 1, 3), {12, 13}));
    expect_same(reshape(slice(p, 1, 0, 6, 4), {8, 13}), reshape(slice(x, 1, 0, 6, 4), {8, 13}), false);
    expect_same(clone(slice(p, 1, 0, 6, 4)), slice(x, 1, 0, 6, 4), false);
    EXPECT_TRUE(contiguous(p).shares_storage_with(p));
  }
}

TEST(PackedViews, OfOneValueAndOfNothing) {
  const Tensor one = Tensor::full({}, -1, DType::i8, any_device());
  const PackedTensor p = pack(one, PackedType::ternary);
  EXPECT_EQ(reshape(p, {1, 1}).shape(), (Shape{1, 1}));
  EXPECT_EQ(reshape(reshape(p, {1, 1}), {}), p);
  EXPECT_EQ(unpack(select(reshape(p, {1, 1}), 0, 0)).to_vector<int8_t>(), std::vector<int8_t>{-1});
  const PackedTensor nothing = pack(Tensor::empty({3, 0}, DType::i8, any_device()), PackedType::u3);
  EXPECT_EQ(reshape(nothing, {5, 7, 0}).shape(), (Shape{5, 7, 0}));
  EXPECT_EQ(slice(nothing, 0, 0, 2).shape(), (Shape{2, 0}));
}

TEST(PackedViews, RefuseTheLastAxis) {
  const PackedTensor p = pack(Tensor::zeros({2, 3, 8}, DType::i8, any_device()), PackedType::u2);
  EXPECT_TRUE(fails_with("[select] expected an axis before the last one", [&] { select(p, 2, 0); }));
  EXPECT_TRUE(fails_with("[slice] expected an axis before the last one", [&] { slice(p, -1, 0, 4); }));
  EXPECT_TRUE(fails_with("[select] expected an index in [-2, 2)", [&] { select(p, 0, 2); }));
  EXPECT_TRUE(fails_with("with the last extent 8", [&] { reshape(p, {6, 2, 4}); }));
  EXPECT_TRUE(fails_with("[reshape] expected a shape of 48 elements, got [5, 8]", [&] { reshape(p, {5, 8}); }));
  EXPECT_TRUE(fails_with("with the last extent 8", [&] { reshape(p, {12, -1}); }));
  EXPECT_TRUE(fails_with("[clone] expected x to be defined", [&] { clone(PackedTensor()); }));
}

TEST(PackedBytes, AreSharedBothWays) {
  for (const PackedFacts& facts : kPackedFacts) {
    const Tensor x = some_values(facts, {5, 9}, any_device());
    const PackedTensor p = pack(x, facts.type);
    EXPECT_EQ(p.bytes().shape(), packed_bytes_shape(p.shape(), facts.type));
    const PackedTensor again = PackedTensor::over(p.bytes(), p.shape(), facts.type);
    EXPECT_TRUE(again.shares_storage_with(p));
    EXPECT_EQ(again, p);
    // Rows that lie apart.
    const PackedTensor some = PackedTensor::over(slice(p.bytes(), 0, 4, 0, -2), {2, 9}, facts.type);
    EXPECT_EQ(values_of(unpack(some)), values_of(slice(x, 0, 4, 0, -2)));
  }
}

// Every byte as the last of rows of every short length, and as the one before.
TEST(PackedBytes, AreCheckedWholly) {
  const Device device = any_device();
  for (const PackedFacts& facts : kPackedFacts) {
    for (size_t cols = 1; cols <= 16; ++cols) {
      const size_t row_bytes = testing::reference_row_bytes(facts, cols);
      for (unsigned byte = 0; byte < 256; ++byte) {
        for (size_t back = 0; back < std::min<size_t>(row_bytes, 2); ++back) {
          std::vector<uint8_t> row(row_bytes);
          row[row_bytes - 1 - back] = static_cast<uint8_t>(byte);
          const bool good = testing::is_packed_row(facts, row, cols);
          std::vector<uint8_t> rows(row_bytes);
          rows.insert(rows.end(), row.begin(), row.end());
          const Tensor bytes = Tensor::from(rows, {2, static_cast<int64_t>(row_bytes)}, device);
          const auto make = [&] { PackedTensor::over(bytes, {2, static_cast<int64_t>(cols)}, facts.type); };
          if (good) {
            EXPECT_NO_THROW(make());
          } else {
            EXPECT_TRUE(fails_with(" row [1]", make)) << facts.name << " " << cols << " " << byte;
          }
        }
      }
    }
  }
}

TEST(PackedBytes, RefuseOtherShapesAndDTypes) {
  const Device device = any_device();
  const Tensor bytes = Tensor::zeros({2, 3}, DType::u8, device);
  const auto over = [](const Tensor& from, const Shape& shape, PackedType type) {
    return [=] { PackedTensor::over(from, shape, type); };
  };
  EXPECT_NO_THROW(over(bytes, {2, 11}, PackedType::ternary)());
  EXPECT_TRUE(
      fails_with("expected bytes [2, 4] for ternary [2, 16], got [2, 3]", over(bytes, {2, 16}, PackedType::ternary)));
  EXPECT_TRUE(fails_with("expected bytes [3] for u3 [8]", over(bytes, {8}, PackedType::u3)));
  EXPECT_TRUE(fails_with("expected bytes [2, 2] for", over(bytes, {2, 10}, PackedType::ternary)));
  EXPECT_TRUE(fails_with("expected non-negative extents", over(bytes, {2, -1}, PackedType::ternary)));
  EXPECT_TRUE(fails_with("expected bytes of dtype u8, got i8",
                         over(Tensor::zeros({1}, DType::i8, device), {}, PackedType::u1)));
  EXPECT_TRUE(fails_with("expected bytes to be defined", over(Tensor(), {}, PackedType::u1)));
  EXPECT_TRUE(
      fails_with("side by side", over(transpose(Tensor::zeros({3, 2}, DType::u8, device)), {2, 24}, PackedType::u1)));
  EXPECT_TRUE(fails_with("side by side", over(slice(bytes, 1, 2, -4, -1), {2, 24}, PackedType::u1)));
}

TEST(PackedEquality, IsOfTypeShapeAndValues) {
  const Device device = any_device();
  const Tensor x = Tensor::from({int8_t{1}, int8_t{0}, int8_t{1}, int8_t{1}, int8_t{0}, int8_t{1}}, {2, 3}, device);
  const PackedTensor p = pack(x, PackedType::u2);
  EXPECT_EQ(p, pack(cast(x, DType::f64), PackedType::u2));
  EXPECT_EQ(select(p, 0, 0), select(p, 0, 1));
  EXPECT_FALSE(p == pack(x, PackedType::i2));
  EXPECT_FALSE(p == pack(reshape(x, {3, 2}), PackedType::u2));
  EXPECT_FALSE(p == pack(slice(x, 1, 3, -4, -1) + x, PackedType::u2));
  EXPECT_EQ(to_device(p, cpus().front()), p);
}

TEST(PackedMemory, IsReportedAsItIs) {
  const Device device = any_device();
  const MemoryLabel label("weights");
  const PackedTensor p = pack(Tensor::zeros({2, 7}, DType::f32, device), PackedType::ternary);
  const PackedMemory report = memory_report(p);
  EXPECT_EQ(report.bytes.bytes, 4u);
  EXPECT_EQ(report.bytes.storage_bytes, 4u);
  EXPECT_EQ(report.bytes.sharers, 1);
  EXPECT_EQ(report.bytes.label, "weights");
  EXPECT_TRUE(report.bytes.owned);
  EXPECT_DOUBLE_EQ(report.bits_per_value, 32.0 / 14.0);
  EXPECT_EQ(to_string(report),
            "ternary [2, 7], 2.29 bits a value, in u8 [2, 2], strides [2, 1]: 4 bytes at 0 of a block of 4, 'weights', "
            "1 tensor");
  const PackedTensor row = select(p, 0, 1);
  EXPECT_EQ(memory_report(row).bytes.offset, 2);
  EXPECT_EQ(memory_report(p).bytes.sharers, 2);
  EXPECT_EQ(memory_report(pack(Tensor::zeros({3, 0}, DType::f32, device), PackedType::u4)).bits_per_value, 0.0);
  // A large one takes what its type says, of the device's memory.
  const size_t before = device.memory_statistics().live;
  const PackedTensor large = pack(Tensor::zeros({1000, 1000}, DType::i8, device), PackedType::ternary);
  EXPECT_EQ(memory_report(large).bytes.bytes, 200000u);
  EXPECT_LE(device.memory_statistics().live - before, 210000u);
}

// CPUs of both layouts, or a GPU, which has one.
std::vector<Device> devices_of_layouts() {
  if (any_device().name() != "cpu") return {any_device()};
  std::vector<Device> devices;
  for (const TernaryLayout layout : {TernaryLayout::two_bit, TernaryLayout::base3}) {
    for (const int threads : {1, 3}) {
      devices.push_back(Device::open("cpu", {.threads = threads, .ternary_layout = layout}));
      EXPECT_EQ(devices.back().ternary_layout(), layout);
    }
  }
  return devices;
}

TEST(PackedMatrices, GoIntoTernaryProductsAndBack) {
  for (const Device& device : devices_of_layouts()) {
    for (const Shape& shape :
         {Shape{1, 1}, Shape{16, 20}, Shape{37, 131}, Shape{300, 1001}, Shape{5, 0}, Shape{0, 5}}) {
      for (const PackedType type : {PackedType::ternary, PackedType::ternary2}) {
        const Tensor codes = some_values(kPackedFacts[0], shape, device);
        const PackedTensor packed = pack(codes, type);
        const PackedTernary expected = pack_ternary(codes, 0.5f), w = pack_ternary(packed, 0.5f);
        EXPECT_EQ(w.rows, shape[0]);
        EXPECT_EQ(w.cols, shape[1]);
        EXPECT_EQ(w.scale, 0.5f);
        EXPECT_EQ(w.layout, device.ternary_layout());
        EXPECT_EQ(w.bytes.to_vector<uint8_t>(), expected.bytes.to_vector<uint8_t>());
        EXPECT_EQ(packed_codes(w, type), packed);
        EXPECT_EQ(values_of(unpack(packed_codes(w))), values_of(codes));
        if (codes.numel() == 0) continue;
        const QuantizedRows x = quantize_rows(cast(some_values(kPackedFacts[8], {3, shape[1]}, device), DType::f32));
        EXPECT_EQ(ternary_linear(x, w).to_vector<float>(), ternary_linear(x, expected).to_vector<float>());
      }
    }
  }
}

TEST(PackedMatrices, OfViewsAndForOtherDevices) {
  const Device device = any_device();
  const Tensor codes = some_values(kPackedFacts[0], {3, 40, 33}, device);
  const PackedTensor view = slice(select(pack(codes, PackedType::ternary), 0, 1), 0, 39, 0, -3);
  const PackedTernary w = pack_ternary(view, 2.0f, cpus().front());
  EXPECT_EQ(w.bytes.device(), cpus().front());
  EXPECT_EQ(values_of(unpack_ternary(w)), values_of(slice(select(codes, 0, 1), 0, 39, 0, -3)));
  EXPECT_EQ(values_of(unpack(packed_codes(w, PackedType::i3))), values_of(unpack(view)));
}

TEST(PackedMatrices, RefuseOtherTypesShapesAndValues) {
  const Device device = any_device();
  const PackedTensor i2 = pack(Tensor::zeros({2, 3}, DType::i8, device), PackedType::i2);
  EXPECT_TRUE(fails_with("expected codes of a ternary type, got i2", [&] { pack_ternary(i2, 1.0f); }));
  const PackedTensor flat = pack(Tensor::zeros({6}, DType::i8, device), PackedType::ternary);
  EXPECT_TRUE(fails_with("expected codes with 2 axes, got shape [6]", [&] { pack_ternary(flat, 1.0f); }));
  EXPECT_TRUE(
      fails_with("[pack_ternary] expected x to be defined", [&] { pack_ternary(PackedTensor(), 1.0f, device); }));
  std::vector<int8_t> codes(200 * 1000, 1);
  codes[150 * 1000 + 7] = 0;
  const PackedTernary w = pack_ternary(Tensor::from(codes, {200, 1000}, device), 1.0f);
  EXPECT_TRUE(fails_with("[packed_codes] expected numbers that round to values of sign1, -1 and 1, got 0 at [150, 7]",
                         [&] { packed_codes(w, PackedType::sign1); }));
  PackedTernary wrong = w;
  wrong.rows = 300;
  EXPECT_TRUE(fails_with("expected w.bytes of", [&] { packed_codes(wrong); }));
}

}  // namespace
}  // namespace tern
