// SPDX-License-Identifier: Apache-2.0
// Packed tensors in safetensors files.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/fails_with.h"
#include "support/reference_packed.h"
#include "support/temporary_directory.h"
#include "support/test_device.h"
#include "tern/error.h"
#include "tern/io.h"

namespace tern {
namespace {

using testing::fails_with;
using testing::kPackedFacts;
using testing::PackedFacts;
using testing::TemporaryDirectory;

PackedTensor packed_of(const PackedFacts& facts, const Shape& shape, const Device& device) {
  const auto cols = static_cast<size_t>(shape.rank() == 0 ? 1 : shape.back());
  const std::vector<int> values = testing::cycling_values(facts, static_cast<size_t>(shape.numel()), 3);
  const std::vector<uint8_t> bytes = testing::reference_pack(facts, values, cols);
  return PackedTensor::over(Tensor::from(bytes, packed_bytes_shape(shape, facts.type), device), shape, facts.type);
}

TEST(StoredTensors, ComeBackAsTheyWere) {
  const Device device = testing::test_device();
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/mixed.safetensors";
  StoredTensors content;
  content.tensors.emplace_back("plain", Tensor::from({1.5f, -2.0f}, {2}, device));
  content.tensors.emplace_back("bytes", Tensor::from({uint8_t{7}, uint8_t{255}}, {2}, device));
  content.metadata = {{"format", "pt"}, {"tern.packe", "d"}};
  for (const PackedFacts& facts : kPackedFacts) {
    for (const Shape& shape : {Shape{}, Shape{9}, Shape{3, 0}, Shape{2, 3, 17}}) {
      content.packed.emplace_back("p." + std::string(facts.name) + to_string(shape), packed_of(facts, shape, device));
    }
  }
  save_stored(path, content);
  const StoredTensors back = load_stored(path, device);
  EXPECT_EQ(back.metadata, content.metadata);
  ASSERT_EQ(back.tensors.size(), 2u);
  for (const auto& [name, tensor] : back.tensors) EXPECT_TRUE(name == "plain" || name == "bytes");
  const std::map<std::string, PackedTensor> found(back.packed.begin(), back.packed.end());
  ASSERT_EQ(found.size(), content.packed.size());
  for (const auto& [name, tensor] : content.packed) EXPECT_EQ(found.at(name), tensor) << name;
  // To others they are bytes, and those who know nothing of packed tensors can save them again.
  for (const auto& [name, tensor] : load_safetensors(path, device)) {
    if (!found.contains(name)) continue;
    EXPECT_EQ(tensor.to_vector<uint8_t>(), found.at(name).bytes().to_vector<uint8_t>());
  }
  save_stored(path, back);
  EXPECT_EQ(load_stored(path, device).packed.size(), found.size());
}

TEST(StoredTensors, ViewsAreWrittenInOrder) {
  const Device device = testing::test_device();
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/view.safetensors";
  const PackedFacts& facts = kPackedFacts[4];
  const PackedTensor whole = packed_of(facts, {4, 9}, device);
  const int64_t row = whole.bytes().size(1);
  const Tensor reversed = whole.bytes().as_strided({4, row}, {-row, 1}, 3 * row);
  const PackedTensor view = PackedTensor::over(reversed, {4, 9}, facts.type);
  save_stored(path, {.tensors = {}, .packed = {{"view", view}}, .metadata = {}});
  EXPECT_EQ(load_stored(path, device).packed.at(0).second, view);
}

TEST(StoredTensors, RefuseMetadataThatDoNotFit) {
  const Device device = testing::test_device();
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/hostile.safetensors";
  const Tensor bytes = Tensor::from(std::vector<uint8_t>(12, 0), {3, 4}, device);
  const Tensor floats = Tensor::zeros({3, 4}, DType::f32, device);
  const auto load_with = [&](const std::string& name, const std::string& text, const Tensor& tensor) {
    save_safetensors(path, {{"w", tensor}}, {{"tern.packed." + name, text}});
    return load_stored(path, device);
  };
  EXPECT_EQ(load_with("w", "ternary [3, 17]", bytes).packed.size(), 1u);
  const std::string form = "expected a packed type and a shape, as in 'ternary [2, 3]', got ";
  for (const char* const text : {"",
                                 "ternary",
                                 "ternary ",
                                 "[3, 17]",
                                 "i1 [3, 17]",
                                 "i8 [3, 4]",
                                 "f32 [3, 17]",
                                 "TERNARY [3, 17]",
                                 "ternary  [3, 17]",
                                 "ternary [3,17]",
                                 "ternary [3, 17",
                                 "ternary 3, 17]",
                                 "ternary [3, 17] ",
                                 "ternary [3, 17]]",
                                 "ternary [3, -17]",
                                 "ternary [3, +17]",
                                 "ternary [3, 0x11]",
                                 "ternary [3, 17.0]",
                                 "ternary [3, , 17]",
                                 "ternary [3, 17, ]",
                                 "ternary [,]",
                                 "ternary [3, 99999999999999999999]",
                                 "ternary [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "
                                 "1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 17]",
                                 "ternary [3, 17]\n",
                                 "tern\x1b[31mary [3, 17]"}) {
    EXPECT_TRUE(fails_with(path + ": packed tensor 'w': [safetensors] " + form, [&] { load_with("w", text, bytes); }))
        << text;
  }
  for (const char* const text : {"ternary [3, 21]", "ternary [3, 15]", "ternary [17]", "ternary []", "ternary [4, 17]",
                                 "ternary [3, 9223372036854775807]", "u7 [3, 17]", "ternary [3, 1, 17]"}) {
    EXPECT_TRUE(fails_with(path + ": packed tensor 'w': [packed] expected bytes [", [&] {
      load_with("w", text, bytes);
    })) << text;
  }
  EXPECT_TRUE(fails_with("packed tensor 'w': [packed] expected bytes of dtype u8, got f32",
                         [&] { load_with("w", "ternary [3, 17]", floats); }));
  EXPECT_TRUE(fails_with("expected a tensor 'v', which the metadata call packed, got none",
                         [&] { load_with("v", "ternary [3, 17]", bytes); }));
  const Tensor bad = Tensor::from(std::vector<uint8_t>(12, 243), {3, 4}, device);
  EXPECT_TRUE(fails_with("packed tensor 'w': [packed] expected bytes of ternary, got 243 as byte 0 of row [0]",
                         [&] { load_with("w", "ternary [3, 20]", bad); }));
  EXPECT_TRUE(fails_with("expected zeros behind the 9 values of a row of u3", [&] {
    load_with("w", "u3 [3, 9]", Tensor::from(std::vector<uint8_t>(12, 243), {3, 4}, device));
  }));
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Damaged files are refused, or give tensors all of whose elements can be read: a sanitizer sees what cannot.
TEST(StoredTensors, DamagedFilesAreRefusedOrWhole) {
  const Device device = testing::test_device();
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/damaged.safetensors";
  StoredTensors content;
  for (const PackedFacts& facts : kPackedFacts) {
    content.packed.emplace_back(facts.name, packed_of(facts, {2, 3, 17}, device));
  }
  save_stored(path, content);
  const std::string whole = bytes_of(path);
  size_t header = 0;
  for (int i = 7; i >= 0; --i) header = header << 8 | static_cast<unsigned char>(whole[static_cast<size_t>(i)]);
  constexpr std::string_view kText = "0123456789[], \":{}ternaryuis-";
  std::mt19937 random(7);
  int read = 0, refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = whole;
    for (size_t i = random() % 3 + 1; i > 0; --i) {
      const bool in_header = random() % 8 != 0;
      const size_t at = in_header ? 8 + random() % header : random() % whole.size();
      damaged[at] = in_header ? kText[random() % kText.size()] : static_cast<char>(random() % 256);
    }
    if (round % 16 == 0) damaged.resize(random() % whole.size());
    std::ofstream(path, std::ios::binary) << damaged;
    try {
      for (const auto& [name, tensor] : load_stored(path, device).packed) {
        EXPECT_EQ(tensor.bytes().shape(), packed_bytes_shape(tensor.shape(), tensor.type()));
        EXPECT_EQ(std::ssize(tensor.bytes().to_vector<uint8_t>()), tensor.bytes().numel());
      }
      ++read;
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(read, 100);
  EXPECT_GT(refused, 1000);
}

TEST(StoredTensors, RefuseWhatCannotBeSaved) {
  const Device device = testing::test_device();
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/refused.safetensors";
  const PackedTensor p = packed_of(kPackedFacts[0], {5}, device);
  EXPECT_TRUE(fails_with("expected metadata that do not begin with 'tern.packed.', got 'tern.packed.x'", [&] {
    save_stored(path, {{}, {}, {{"tern.packed.x", "y"}}});
  }));
  EXPECT_TRUE(fails_with("expected packed tensors, got an undefined one as 'x'", [&] {
    save_stored(path, {{}, {{"x", PackedTensor()}}, {}});
  }));
  EXPECT_TRUE(fails_with("expected each name once", [&] { save_stored(path, {{}, {{"x", p}, {"x", p}}, {}}); }));
  EXPECT_TRUE(fails_with("expected each name once", [&] { save_stored(path, {{{"x", p.bytes()}}, {{"x", p}}, {}}); }));
}

}  // namespace
}  // namespace tern
