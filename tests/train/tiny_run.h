// SPDX-License-Identifier: Apache-2.0
// A training run small enough to be repeated many times in a test, and what to look at afterwards.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tern/train.h"

namespace tern::testing {

inline std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

// A tokenizer whose ids are the 256 bytes.
inline const Tokenizer& byte_tokenizer() {
  static const Tokenizer tokenizer = [] {
    BpeTrainOptions options;
    options.vocab_size = 256;
    options.special_tokens = {};
    return Tokenizer::train({}, options);
  }();
  return tokenizer;
}

inline TrainConfig tiny_config() {
  TrainConfig config;
  config.model.vocab_size = 256;
  config.model.hidden_size = 64;
  config.model.intermediate_size = 96;
  config.model.num_hidden_layers = 2;
  config.model.num_attention_heads = 4;
  config.model.num_key_value_heads = 2;
  config.model.max_position_embeddings = 32;
  config.sequence_length = 32;
  config.batch_size = 2;
  config.steps = 12;
  config.warmup_steps = 3;
  config.lr = 5e-3;
  config.seed = 7;
  config.eval_every = 5;
  config.eval_tokens = 100;
  config.checkpoint_every = 4;
  config.keep_checkpoints = 2;
  return config;
}

// Pseudo-random words with spaces between; the same for the same arguments.
inline std::vector<int32_t> babble(size_t count, uint32_t seed) {
  const std::vector<std::string> words = {"tern ", "flies ", "over ", "the ", "grey ", "sea ", "and ", "back. "};
  std::vector<int32_t> ids;
  const Tokenizer& tokenizer = byte_tokenizer();
  for (uint32_t state = seed * 2654435761u + 1; ids.size() < count;) {
    state = state * 1664525u + 1013904223u;
    for (int32_t id : tokenizer.encode(words[state >> 29])) ids.push_back(id);
  }
  ids.resize(count);
  return ids;
}

inline TrainData tiny_data() { return {babble(900, 1), babble(150, 2), 1.0}; }

// The lines of a run's log.
inline std::vector<nlohmann::json> log_lines(const std::string& directory) {
  std::vector<nlohmann::json> out;
  std::istringstream in(bytes_of(directory + "/log.jsonl"));
  for (std::string line; std::getline(in, line);) out.push_back(nlohmann::json::parse(line));
  return out;
}

// The log without what depends on the clock: equal for equal runs.
inline std::string timeless_log(const std::string& directory) {
  std::string out;
  for (nlohmann::json line : log_lines(directory)) {
    for (const char* key : {"tokens_per_second", "seconds_left", "quantize_seconds", "forward_seconds",
                            "backward_seconds", "optimizer_seconds"}) {
      EXPECT_EQ(line.erase(key), 1u) << key;
    }
    out += line.dump() + "\n";
  }
  return out;
}

// What training left: equal for runs that ended alike.
struct Outcome {
  std::string log, config, model, optimizer;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

inline Outcome outcome_of(const std::string& directory, const TrainConfig& config) {
  char step[32];
  std::snprintf(step, sizeof step, "/checkpoints/step-%06d", static_cast<int>(config.steps));
  return {timeless_log(directory), bytes_of(directory + "/config.json"), bytes_of(directory + "/model.safetensors"),
          bytes_of(directory + step + "/optimizer.safetensors")};
}

// Names in directory/checkpoints, sorted.
inline std::vector<std::string> checkpoint_names(const std::string& directory) {
  std::vector<std::string> out;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(directory + "/checkpoints", none)) {
    out.push_back(entry.path().filename().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace tern::testing
