// SPDX-License-Identifier: Apache-2.0
// Loading: what a wrong directory is told, and that saving and loading lose nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "io/safetensors.h"
#include "support/temporary_directory.h"
#include "support/test_device.h"
#include "tern/model.h"
#include "tern/ops.h"

namespace tern {
namespace {

const char* const kFixtures[] = {"tiny-online", "tiny-packed-autobitlinear", "tiny-packed-bitlinear",
                                 "tied-online", "tied-packed-autobitlinear", "tied-packed-bitlinear"};

std::string fixture(const std::string& name) { return TERN_TEST_DATA "/hf/" + name; }

using testing::TemporaryDirectory;

using Weightmap = std::map<std::string, Tensor>;

Weightmap read_weights(const std::string& directory, const Device& device) {
  const SafetensorsFile file(directory + "/model.safetensors");
  Weightmap out;
  for (const std::string& name : file.names()) out.emplace(name, file.tensor(name, device));
  return out;
}

void write_weights(const std::string& directory, const Weightmap& weights) {
  write_safetensors(directory + "/model.safetensors", std::vector<NamedTensor>(weights.begin(), weights.end()));
}

// A copy of a fixture with changed weights; what load() says of it.
std::string load_error(const std::string& name, const std::function<void(Weightmap&, const Device&)>& change) {
  const Device device = testing::test_device();
  const TemporaryDirectory directory;
  std::filesystem::copy(fixture(name) + "/config.json", directory.path() + "/config.json");
  Weightmap weights = read_weights(fixture(name), device);
  change(weights, device);
  write_weights(directory.path(), weights);
  try {
    Model::load(directory.path(), device);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void expect_mentions(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) EXPECT_NE(text.find(part), std::string::npos) << text << "\n  lacks: " << part;
}

TEST(Load, NamesWhatIsWrongWithTheWeights) {
  const std::string up = "model.layers.1.mlp.up_proj.weight";
  expect_mentions(load_error("tiny-online", [&](Weightmap& w, const Device&) { w.erase(up); }), {up.c_str()});
  expect_mentions(
      load_error("tiny-online",
                 [&](Weightmap& w, const Device& d) { w["extra.weight"] = Tensor::zeros({1}, DType::f32, d); }),
      {"extra.weight"});
  expect_mentions(load_error("tiny-online",
                             [&](Weightmap& w, const Device& d) {
                               w[up] = Tensor::zeros({352, 127}, DType::f32, d);
                             }),
                  {up.c_str(), "[352, 128]", "[352, 127]"});
  expect_mentions(load_error("tiny-online",
                             [&](Weightmap& w, const Device& d) {
                               w[up] = Tensor::zeros({352, 128}, DType::i32, d);
                             }),
                  {up.c_str(), "I32"});
  expect_mentions(load_error("tiny-online",
                             [&](Weightmap& w, const Device& d) {
                               w[up] = Tensor::zeros({88, 128}, DType::u8, d);
                             }),
                  {up.c_str(), "float masters"});
  expect_mentions(load_error("tiny-packed-autobitlinear", [&](Weightmap& w, const Device&) { w.erase(up + "_scale"); }),
                  {(up + "_scale").c_str()});
  expect_mentions(
      load_error("tiny-packed-autobitlinear",
                 [&](Weightmap& w, const Device& d) { w[up + "_scale"] = Tensor::full({1}, -1, DType::f32, d); }),
      {(up + "_scale").c_str(), "-1"});
  expect_mentions(
      load_error("tiny-packed-autobitlinear",
                 [&](Weightmap& w, const Device& d) { w[up + "_scale"] = Tensor::full({2}, 1, DType::f32, d); }),
      {(up + "_scale").c_str(), "[2]"});
  expect_mentions(load_error("tiny-packed-bitlinear",
                             [&](Weightmap& w, const Device& d) {
                               w[up] = Tensor::full({88, 128}, 255, DType::u8, d);
                             }),
                  {up.c_str(), "row 0"});
  EXPECT_EQ(load_error("tied-online",
                       [](Weightmap& w, const Device& d) { w["lm_head.weight"] = Tensor::zeros({1}, DType::f32, d); }),
            "no error")
      << "a tied head's copy is passed over, as transformers does";
}

TEST(Load, NamesTheFirstCodeThatIsNone) {
  ModelConfig config;
  config.hidden_size = 520;
  config.intermediate_size = 1301;  // several blocks of rows, the last of a few
  config.num_hidden_layers = 1;
  config.vocab_size = 11;
  const std::string up = "model.layers.0.mlp.up_proj.weight";  // bytes [326, 520], 4 x 326 rows of which 3 are none
  const TemporaryDirectory directory;
  Model::create_random_packed(config, testing::test_device(), 1).save(directory.path(), Weights::packed);
  const Device device = testing::test_device();
  const Weightmap weights = read_weights(directory.path(), device);
  struct Case {
    std::vector<int64_t> rows;
    int64_t col;
    const char* where;
  };
  for (const Case& bad :
       {Case{{0}, 0, "row 0, column 0"}, Case{{1300}, 519, "row 1300, column 519"},
        Case{{977, 978, 1200}, 7, "row 977, column 7"}, Case{{652, 651}, 300, "row 651, column 300"}}) {
    Weightmap changed = weights;
    std::vector<uint8_t> bytes = weights.at(up).to_vector<uint8_t>();
    for (const int64_t row : bad.rows) {
      bytes[static_cast<size_t>(row % 326 * 520 + bad.col)] |= static_cast<uint8_t>(3 << 2 * (row / 326));
    }
    changed[up] = Tensor::from(bytes, {326, 520}, device);
    const TemporaryDirectory broken;
    std::filesystem::copy(directory.path() + "/config.json", broken.path() + "/config.json");
    write_weights(broken.path(), changed);
    for (const int threads : {1, 3}) {
      try {
        Model::load(broken.path(), Device::open("cpu", {.threads = threads}));
        ADD_FAILURE() << "expected an error at " << bad.where;
      } catch (const Error& error) {
        expect_mentions(error.what(), {"[load]", broken.path().c_str(), up.c_str(), "got 3 at", bad.where});
      }
    }
  }
}

TEST(Load, TellsItsProgress) {
  const Device device = testing::test_device();
  for (const char* name : kFixtures) {
    std::vector<double> seen;
    LoadOptions options;
    options.on_progress = [&](double fraction) {
      seen.push_back(fraction);
      return true;
    };
    Model::load(fixture(name), device, options);
    ASSERT_GT(seen.size(), 10u);
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
    EXPECT_GT(seen.front(), 0);
    EXPECT_LT(seen[seen.size() - 2], 1);
    EXPECT_EQ(seen.back(), 1);
  }
}

TEST(Load, CanBeCancelledAtEveryStep) {
  const Device device = testing::test_device();
  for (const char* name : {"tiny-online", "tied-packed-bitlinear"}) {
    for (int stop = 0;; ++stop) {
      int calls = 0;
      LoadOptions options;
      options.on_progress = [&](double) { return calls++ < stop; };
      try {
        Model::load(fixture(name), device, options);
        EXPECT_EQ(calls, stop);
        break;
      } catch (const Error& error) {
        expect_mentions(error.what(), {"[load]", name, "cancelled"});
        EXPECT_EQ(calls, stop + 1);
      }
    }
  }
}

TEST(Load, MutatedFilesLoadOrAreErrors) {
  const Device device = testing::test_device();
  for (const std::string name : {"tied-packed-autobitlinear", "tiny-online"}) {
    const std::string whole = read_file(fixture(name) + "/model.safetensors", uint64_t{1} << 30);
    uint64_t state = 12345;
    for (int round = 0; round < 60; ++round) {
      const TemporaryDirectory directory;
      std::filesystem::copy(fixture(name) + "/config.json", directory.path() + "/config.json");
      std::string changed = whole;
      for (int flips = 0; flips < 1 + round % 5; ++flips) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const size_t place = (state >> 33) % (round % 3 == 0 ? 4096 : changed.size());  // the header or anywhere
        changed[place] = static_cast<char>(changed[place] ^ (1 << (state >> 20) % 8));
      }
      if (round % 7 == 6) changed.resize(changed.size() - 1 - (state >> 40) % 1000);
      directory.write("model.safetensors", changed);
      try {
        const Model model = Model::load(directory.path(), device);
        EXPECT_EQ(model.logits(Tensor::zeros({1, 1}, DType::i64, device)).numel(), model.config().vocab_size);
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find(directory.path()), std::string::npos) << error.what();
      }
    }
  }
}

TEST(Load, NamesMissingFiles) {
  const Device device = testing::test_device();
  const TemporaryDirectory directory;
  const auto error = [&](const std::string& path) -> std::string {
    try {
      Model::load(path, device);
    } catch (const Error& caught) {
      return caught.what();
    }
    return "no error";
  };
  expect_mentions(error(directory.path() + "/nothing"), {"nothing", "directory"});
  expect_mentions(error(directory.path()), {"config.json"});
  std::filesystem::copy(fixture("tiny-online") + "/config.json", directory.path() + "/config.json");
  expect_mentions(error(directory.path()), {"model.safetensors"});
}

TEST(Load, MastersInHalfPrecisionAreWidened) {
  const Device device = testing::test_device();
  const TemporaryDirectory directory;
  std::filesystem::copy(fixture("tiny-online") + "/config.json", directory.path() + "/config.json");
  Weightmap weights = read_weights(fixture("tiny-online"), device);
  for (auto& [name, tensor] : weights) tensor = cast(tensor, DType::bf16);
  write_weights(directory.path(), weights);
  const Model model = Model::load(directory.path(), device);
  for (const Parameter& parameter : model.parameters()) {
    EXPECT_EQ(parameter.value.dtype(), DType::f32);
    EXPECT_EQ(parameter.value.to_vector<float>(), cast(weights[parameter.name], DType::f32).to_vector<float>());
  }
}

// Bytes of every tensor of a file.
std::map<std::string, std::vector<std::byte>> contents(const std::string& directory, const Device& device) {
  std::map<std::string, std::vector<std::byte>> out;
  for (const auto& [name, tensor] : read_weights(directory, device)) {
    std::vector<std::byte> bytes(static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype()));
    tensor.copy_to_host(bytes);
    out.emplace(name, std::move(bytes));
  }
  return out;
}

TEST(Save, GivesBackEveryBit) {
  const Device device = testing::test_device();
  for (const char* name : kFixtures) {
    const TemporaryDirectory directory;
    const Model model = Model::load(fixture(name), device);
    model.save(directory.path(), model.weights());
    const auto before = contents(fixture(name), device), after = contents(directory.path(), device);
    ASSERT_EQ(before.size(), after.size()) << name;
    for (const auto& [tensor, bytes] : before) {
      // Tern's scale multiplies always; where the file's divides, its inverse is written.
      const bool inverted = std::string(name).ends_with("-packed-bitlinear") && tensor.ends_with("_scale");
      if (!inverted) {
        EXPECT_EQ(bytes, after.at(tensor)) << name << " " << tensor;
      }
    }
    EXPECT_EQ(Model::load(directory.path(), device).weights(), model.weights());
  }
}

TEST(Save, PackedMastersEqualWhatTransformersPacked) {
  const Device device = testing::test_device();
  for (const std::string family : {"tiny", "tied"}) {
    const TemporaryDirectory directory;
    Model::load(fixture(family + "-online"), device).save(directory.path(), Weights::packed);
    const auto want = contents(fixture(family + "-packed-autobitlinear"), device),
               got = contents(directory.path(), device);
    ASSERT_EQ(want.size(), got.size());
    for (const auto& [tensor, bytes] : want) {
      if (tensor.ends_with("_scale")) continue;
      EXPECT_EQ(bytes, got.at(tensor)) << family << " " << tensor;
    }
  }
}

TEST(Save, PackedModelsHaveNoMasters) {
  const TemporaryDirectory directory;
  const Model model = Model::load(fixture("tiny-packed-bitlinear"), testing::test_device());
  EXPECT_THROW(model.save(directory.path() + "/out", Weights::masters), Error);
  EXPECT_FALSE(std::filesystem::exists(directory.path() + "/out"));
}

}  // namespace
}  // namespace tern
