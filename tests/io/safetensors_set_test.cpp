// SPDX-License-Identifier: Apache-2.0
// A model directory's weights: one file or shards.
#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "support/fails_with.h"
#include "support/temporary_directory.h"
#include "support/test_device.h"

namespace tern {
namespace {

using testing::fails_with;
using testing::TemporaryDirectory;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

constexpr const char* kIndex = "model.safetensors.index.json";

void write_file(const TemporaryDirectory& directory, const char* file, std::initializer_list<const char*> names) {
  std::vector<NamedTensor> tensors;
  for (const char* name : names) {
    tensors.emplace_back(name, Tensor::from({static_cast<float>(tensors.size())}, {1}, cpu()));
  }
  write_safetensors(directory.file(file), tensors);
}

// Two shards with a, b and c; the index is the caller's.
struct Sharded {
  TemporaryDirectory directory;

  explicit Sharded(const std::string& index) {
    write_file(directory, "one.safetensors", {"a", "b"});
    write_file(directory, "two.safetensors", {"c"});
    directory.write(kIndex, index);
  }
  static std::string map(const std::string& members) {
    return R"({"metadata":{"total_size":12},"weight_map":{)" + members + "}}";
  }
};

TEST(SafetensorsSet, ReadsASingleFile) {
  const TemporaryDirectory directory;
  write_file(directory, "model.safetensors", {"x", "y"});
  directory.write(kIndex, "not even JSON: the single file comes first");
  const SafetensorsSet set(directory.path());
  EXPECT_EQ(set.names(), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(set.tensor("y", cpu()).item(), 1.0);
}

TEST(SafetensorsSet, ReadsShards) {
  const Sharded model(Sharded::map(R"("a":"one.safetensors","b":"one.safetensors","c":"two.safetensors")"));
  const SafetensorsSet set(model.directory.path());
  EXPECT_EQ(set.files().size(), 2u);
  EXPECT_EQ(set.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(set.has("c"));
  EXPECT_FALSE(set.has("d"));
  EXPECT_EQ(set.tensor("b", cpu()).item(), 1.0);
  EXPECT_EQ(set.tensor("c", cpu()).item(), 0.0);
  EXPECT_EQ(set.info("c").shape, Shape{1});
  EXPECT_TRUE(fails_with("one of its 3 tensors, got 'd'", [&] { set.tensor("d", cpu()); }));
}

::testing::AssertionResult rejects(const std::string& index, std::string_view part) {
  const Sharded model(index);
  return fails_with(part, [&] { SafetensorsSet{model.directory.path()}; });
}

TEST(SafetensorsSet, RejectsADirectoryWithoutWeights) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(fails_with("got neither", [&] { SafetensorsSet{directory.path()}; }));
  EXPECT_TRUE(fails_with("got neither", [&] { SafetensorsSet{directory.file("none")}; }));
}

TEST(SafetensorsSet, RejectsFilesOutsideTheDirectory) {
  for (const char* name : {"", ".", "..", "../model.safetensors", "/etc/passwd", "sub/one.safetensors", "a..b",
                           "a\\\\b", "one.safetensors\\u0000"}) {
    EXPECT_TRUE(rejects(Sharded::map(R"("a":")" + std::string(name) + "\""),
                        "tensor 'a': expected the name of a file in the same directory"))
        << name;
  }
}

TEST(SafetensorsSet, RejectsAnIndexThatIsNone) {
  EXPECT_TRUE(rejects("", "expected JSON"));
  EXPECT_TRUE(rejects("[1,", "expected JSON"));
  EXPECT_TRUE(rejects("[]", "an object 'weight_map', got none"));
  EXPECT_TRUE(rejects("{}", "an object 'weight_map', got none"));
  EXPECT_TRUE(rejects(R"({"weight_map":[]})", "an object 'weight_map', got none"));
  EXPECT_TRUE(rejects(Sharded::map(""), "expected tensors in 'weight_map', got none"));
  EXPECT_TRUE(rejects(Sharded::map(R"("a":1)"), "got number"));
  EXPECT_TRUE(
      rejects(Sharded::map(R"("a":"one.safetensors","a":"two.safetensors")"), "expected each key once, got 'a' twice"));
  EXPECT_TRUE(rejects(std::string(100'000, '['), "64 levels deep"));
  EXPECT_TRUE(rejects(std::string("{}\0", 3), "a zero byte"));
}

TEST(SafetensorsSet, RejectsAnIndexThatTheShardsContradict) {
  EXPECT_TRUE(rejects(Sharded::map(R"("a":"two.safetensors")"), "two.safetensors: expected tensor 'a'"));
  EXPECT_TRUE(rejects(Sharded::map(R"("d":"two.safetensors")"), "two.safetensors: expected tensor 'd'"));
  EXPECT_TRUE(rejects(Sharded::map(R"("a":"three.safetensors")"), "three.safetensors"));
}

TEST(SafetensorsSet, RejectsATensorInTwoShards) {
  const Sharded model(Sharded::map(R"("a":"one.safetensors","c":"two.safetensors")"));
  write_file(model.directory, "two.safetensors", {"c", "b"});
  EXPECT_TRUE(
      fails_with("expected each tensor in one file, got 'b' in two", [&] { SafetensorsSet{model.directory.path()}; }));
}

}  // namespace
}  // namespace tern
