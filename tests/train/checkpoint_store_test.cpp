// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoint_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/fails_with.h"
#include "support/temporary_directory.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using testing::fails_with;
using testing::TemporaryDirectory;

void put(const std::string& path, std::string_view content) { std::ofstream(path, std::ios::binary) << content; }

// Writes a checkpoint of two files.
void write(const CheckpointStore& store, int64_t step) {
  store.write(step, {{"step", step}, {"lr", 0.1}}, [](const std::string& directory) {
    put(directory + "/a.bin", std::string("\0weights\xff", 9));
    put(directory + "/b.json", "{}");
  });
}

TEST(CheckpointStore, GivesBackWhatItWrote) {
  const TemporaryDirectory root;
  const CheckpointStore store(root.file("checkpoints"));
  EXPECT_TRUE(store.steps().empty());
  for (const int64_t step : {3, 20, 1234567}) write(store, step);
  EXPECT_EQ(store.steps(), (std::vector<int64_t>{1234567, 20, 3}));
  EXPECT_EQ(store.path(3), root.file("checkpoints/step-000003"));
  EXPECT_EQ(store.verified_state(20), (nlohmann::json{{"step", 20}, {"lr", 0.1}}));
}

TEST(CheckpointStore, FindsAnyDamage) {
  const TemporaryDirectory root;
  const CheckpointStore store(root.path());
  for (const std::string name : {"a.bin", "b.json", "trainer.json"}) {
    const std::string path = store.path(1) + "/" + name;
    write(store, 1);
    const std::string whole = root.read("step-000001/" + name);
    ASSERT_NO_THROW(store.verified_state(1));
    for (size_t i = 0; i < whole.size(); ++i) {
      if (std::isspace(static_cast<unsigned char>(whole[i]))) continue;  // between JSON tokens it means nothing
      std::string flipped = whole;
      flipped[i] = static_cast<char>(flipped[i] ^ 1);
      put(path, flipped);
      EXPECT_TRUE(fails_with("step-000001", [&] { store.verified_state(1); })) << name << " byte " << i;
    }
    for (const std::string& torn : {std::string(), whole.substr(0, whole.size() / 2), whole + "x"}) {
      put(path, torn);
      EXPECT_TRUE(fails_with(name, [&] { store.verified_state(1); })) << name << " of " << torn.size();
    }
    fs::remove(path);
    EXPECT_TRUE(fails_with(name, [&] { store.verified_state(1); }));
    fs::remove_all(store.path(1));
  }
}

TEST(CheckpointStore, LeavesNothingOfAFailedWrite) {
  const TemporaryDirectory root;
  const CheckpointStore store(root.path());
  write(store, 1);
  EXPECT_THROW(store.write(2, {},
                           [](const std::string& directory) {
                             put(directory + "/a.bin", "x");
                             throw Error("[test] full");
                           }),
               Error);
  EXPECT_EQ(root.count(), 1u);
  EXPECT_NO_THROW(store.verified_state(1));
}

TEST(CheckpointStore, RemovesLeftoversOnly) {
  const TemporaryDirectory root;
  const CheckpointStore store(root.path());
  write(store, 1);
  for (const char* name :
       {"step-000002.tmp-17", "step-000001.tmp-4", "step-x.tmp-1", "notes.tmp-1", "step-000003.damaged"}) {
    fs::create_directory(root.file(name));
    put(root.file(name) + "/file", "content");
  }
  EXPECT_EQ(store.steps(), std::vector<int64_t>{1});
  store.remove_leftovers();
  EXPECT_FALSE(fs::exists(root.file("step-000002.tmp-17")));
  EXPECT_FALSE(fs::exists(root.file("step-000001.tmp-4")));
  EXPECT_EQ(root.count(), 4u);
}

TEST(CheckpointStore, PrunesOldOnesAndNothingNewer) {
  const TemporaryDirectory root;
  const CheckpointStore store(root.path());
  for (const int64_t step : {1, 2, 3, 4, 9}) write(store, step);
  store.prune(4, 2);
  EXPECT_EQ(store.steps(), (std::vector<int64_t>{9, 4, 3}));
}

TEST(CheckpointStore, SetsADamagedOneAsideForItsSuccessor) {
  const TemporaryDirectory root;
  const CheckpointStore store(root.path());
  for (int round = 0; round < 2; ++round) {
    write(store, 5);
    put(store.path(5) + "/a.bin", "torn");
    write(store, 5);
    EXPECT_NO_THROW(store.verified_state(5));
    EXPECT_EQ(root.read("step-000005.damaged/a.bin"), "torn");
    EXPECT_EQ(store.steps(), std::vector<int64_t>{5});
  }
}

TEST(CheckpointStore, RefusesManifestsOfAnotherKind) {
  const TemporaryDirectory root;
  const CheckpointStore store(root.path());
  fs::create_directory(store.path(1));
  for (const char* text : {"{}", "[]", "1", R"({"content": {}, "xxh3": 1})", R"({"content": 1, "xxh3": "0"})"}) {
    put(store.path(1) + "/trainer.json", text);
    EXPECT_TRUE(fails_with("trainer.json", [&] { store.verified_state(1); })) << text;
  }
}

}  // namespace
}  // namespace tern
