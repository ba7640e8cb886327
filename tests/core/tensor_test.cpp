// SPDX-License-Identifier: Apache-2.0
#include "tern/tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/device_memory.h"
#include "core/tensor_impl.h"
#include "support/fails_with.h"
#include "support/test_device.h"

namespace tern {
namespace {

using testing::fails_with;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

TEST(Tensor, IsUndefinedByDefault) { EXPECT_FALSE(Tensor().defined()); }

TEST(Tensor, ZerosOfEveryDtype) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const Tensor x = Tensor::zeros({3, 5}, dtype, cpu());
    EXPECT_EQ(x.dtype(), dtype);
    EXPECT_EQ(x.numel(), 15);
    std::vector<std::byte> bytes(15 * size_of(dtype), std::byte{1});
    x.copy_to_host(bytes);
    EXPECT_EQ(bytes, std::vector<std::byte>(bytes.size(), std::byte{0}));
  }
}

// Around the sizes where a device may copy in another way.
TEST(Tensor, ComesAndGoesWhateverItsSize) {
  for (const int64_t near : {0, 256, 2048, 16 << 10, 64 << 10, 1 << 20, 3 << 20}) {
    for (const int64_t bytes : {std::max<int64_t>(near - 1, 0), near, near + 1}) {
      std::vector<uint8_t> values(static_cast<size_t>(bytes));
      for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(i * 2654435761u >> 13);
      EXPECT_EQ(Tensor::from(values, {bytes}, cpu()).to_vector<uint8_t>(), values) << bytes;
    }
  }
}

TEST(Tensor, FullConvertsTheValue) {
  EXPECT_EQ(Tensor::full({2}, 1.5, DType::f32, cpu()).to_vector<float>(), (std::vector<float>{1.5f, 1.5f}));
  EXPECT_EQ(Tensor::full({}, -2, DType::i8, cpu()).item(), -2);
  EXPECT_EQ(Tensor::full({}, 7, DType::i64, cpu()).item(), 7);
  EXPECT_EQ(Tensor::full({}, 3, DType::boolean, cpu()).item(), 1);
  EXPECT_EQ(Tensor::full({}, 1.0 + 0x1p-8, DType::bf16, cpu()).item(), 1.0);  // a tie, to even
  EXPECT_EQ(Tensor::full({1}, 0.1, DType::f16, cpu()).item(), 0x1.998p-4);
  EXPECT_TRUE(std::isnan(Tensor::full({}, std::numeric_limits<double>::quiet_NaN(), DType::f32, cpu()).item()));
  EXPECT_EQ(Tensor::full({0, 3}, 1, DType::f32, cpu()).numel(), 0);
}

TEST(Tensor, Arange) {
  EXPECT_EQ(Tensor::arange(4, DType::i64, cpu()).to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(Tensor::arange(2, DType::i32, cpu()).to_vector<int32_t>(), (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(Tensor::arange(0, DType::i32, cpu()).numel(), 0);
  EXPECT_TRUE(fails_with("got f32", [] { Tensor::arange(4, DType::f32, cpu()); }));
  EXPECT_TRUE(fails_with("got -1", [] { Tensor::arange(-1, DType::i64, cpu()); }));
}

TEST(Tensor, FromChecksTheCount) {
  const Tensor x = Tensor::from({1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}, {2, 3}, cpu());
  EXPECT_EQ(x.shape(), (Shape{2, 3}));
  EXPECT_EQ(x.strides(), (Shape{3, 1}));
  EXPECT_EQ(x.size(-1), 3);
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(Tensor::from(std::vector<float>{}, {0}, cpu()).numel(), 0);
  EXPECT_TRUE(fails_with("expected 16 bytes for f32 [2, 2], got 12", [] {
    Tensor::from({1.0f, 2.0f, 3.0f}, {2, 2}, cpu());
  }));
}

TEST(Tensor, RefusesImpossibleShapes) {
  EXPECT_TRUE(fails_with("non-negative extents, got [2, -1]", [] { Tensor::empty({2, -1}, DType::f32, cpu()); }));
  EXPECT_TRUE(fails_with("fits into memory", [] {
    Tensor::empty({int64_t{1} << 40, int64_t{1} << 40}, DType::f32, cpu());
  }));
  EXPECT_TRUE(fails_with("fits into memory", [] { Tensor::full({int64_t{1} << 62}, 1, DType::i64, cpu()); }));
  EXPECT_TRUE(fails_with("open device", [] { Tensor::empty({2}, DType::f32, Device()); }));
}

TEST(Tensor, ItemWantsOneElement) {
  EXPECT_EQ(Tensor::from({2.5f}, {1, 1, 1}, cpu()).item(), 2.5);
  EXPECT_TRUE(fails_with("[item] expected a tensor of one element, got shape [2]",
                         [] { Tensor::zeros({2}, DType::f32, cpu()).item(); }));
  EXPECT_TRUE(fails_with("got shape [0]", [] { Tensor::zeros({0}, DType::f32, cpu()).item(); }));
}

TEST(Tensor, ChecksElementTypes) {
  const Tensor x = Tensor::zeros({2}, DType::i32, cpu());
  EXPECT_TRUE(fails_with("expected elements of type f32, got i32", [&] { x.data<float>(); }));
  EXPECT_TRUE(fails_with("expected elements of type i64, got i32", [&] { x.to_vector<int64_t>(); }));
  std::vector<std::byte> small(7);
  EXPECT_TRUE(fails_with("room for 8 bytes, got 7", [&] { x.copy_to_host(small); }));
}

TEST(Tensor, ReadsStridedAndReversedViews) {
  const Tensor x = Tensor::from({0.0f, 1.0f, 2.0f, 3.0f, 4.0f, 5.0f}, {2, 3}, cpu());
  EXPECT_EQ(x.as_strided({3, 2}, {1, 3}, 0).to_vector<float>(), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(x.as_strided({2, 3}, {-3, -1}, 5).to_vector<float>(), (std::vector<float>{5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(x.as_strided({2, 2}, {-3, 2}, 3).to_vector<float>(), (std::vector<float>{3, 5, 0, 2}));
  EXPECT_EQ(x.as_strided({2, 2}, {0, 1}, 4).to_vector<float>(), (std::vector<float>{4, 5, 4, 5}));
  EXPECT_EQ(x.as_strided({}, {}, 4).item(), 4);
  EXPECT_EQ(x.as_strided({0, 2}, {7, -9}, 0).to_vector<float>(), std::vector<float>());
}

TEST(Tensor, KnowsWhatIsContiguous) {
  const Tensor x = Tensor::zeros({2, 3}, DType::f32, cpu());
  EXPECT_TRUE(x.is_contiguous());
  EXPECT_FALSE(x.as_strided({3, 2}, {1, 3}, 0).is_contiguous());
  EXPECT_FALSE(x.as_strided({6}, {-1}, 5).is_contiguous());
  EXPECT_FALSE(x.as_strided({6}, {0}, 0).is_contiguous());
  EXPECT_TRUE(x.as_strided({1, 3}, {77, 1}, 3).is_contiguous());
  EXPECT_TRUE(x.as_strided({1}, {-5}, 0).is_contiguous());
  EXPECT_TRUE(x.as_strided({0, 3}, {9, 9}, 0).is_contiguous());
  EXPECT_TRUE(x.as_strided({}, {}, 0).is_contiguous());
}

TEST(Tensor, CopiesAreTheSameTensorAndViewsShareStorage) {
  const Tensor x = Tensor::zeros({4}, DType::f32, cpu());
  const Tensor copy = x, view = x.as_strided({2}, {2}, 1);
  const float three = 3;
  cpu().memory().copy_to_device(copy.data<float>() + 1, &three, sizeof three);
  EXPECT_EQ(view.to_vector<float>(), (std::vector<float>{3, 0}));
  EXPECT_TRUE(view.shares_storage_with(x));
  EXPECT_FALSE(Tensor::zeros({4}, DType::f32, cpu()).shares_storage_with(x));
}

TEST(Tensor, StorageOutlivesItsDeviceHandle) {
  Tensor x;
  {
    const Device device = testing::test_device();
    x = Tensor::from({1.0f, 2.0f}, {2}, device);
  }
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1, 2}));
}

TEST(Tensor, GradientsBelongToTheTensorNotToItsViews) {
  Tensor x = Tensor::zeros({2}, DType::f32, cpu());
  const Tensor copy = x;
  x.set_requires_grad();
  EXPECT_TRUE(copy.requires_grad());
  EXPECT_FALSE(x.detach().requires_grad());
  x.set_grad(Tensor::full({2}, 4, DType::f32, cpu()));
  EXPECT_EQ(copy.grad().to_vector<float>(), (std::vector<float>{4, 4}));
  x.set_grad({});
  EXPECT_FALSE(copy.grad().defined());
  x.set_requires_grad(false);
  EXPECT_FALSE(copy.requires_grad());
  EXPECT_TRUE(
      fails_with("[grad] expected f32 [2], got f32 [3]", [&] { x.set_grad(Tensor::zeros({3}, DType::f32, cpu())); }));
  EXPECT_TRUE(fails_with("got bf16 [2]", [&] { x.set_grad(Tensor::zeros({2}, DType::bf16, cpu())); }));
  EXPECT_TRUE(fails_with("expected f32, bf16 or f16, got i32",
                         [] { Tensor::zeros({2}, DType::i32, cpu()).set_requires_grad(); }));
}

TEST(Tensor, OwnsAloneOnlyWithoutOtherHandlesOrViews) {
  const Tensor x = Tensor::zeros({2}, DType::f32, cpu());
  EXPECT_TRUE(GradState::owns_alone(x));
  {
    const Tensor copy = x;
    EXPECT_FALSE(GradState::owns_alone(x));
  }
  {
    const Tensor view = x.detach();
    EXPECT_FALSE(GradState::owns_alone(x));
    EXPECT_FALSE(GradState::owns_alone(view));
  }
  EXPECT_TRUE(GradState::owns_alone(x));
}

}  // namespace
}  // namespace tern
