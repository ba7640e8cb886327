// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "support/fails_with.h"
#include "tern/train.h"

namespace tern {
namespace {

using testing::fails_with;

// A config with no field at its default.
TrainConfig unusual() {
  TrainConfig c;
  c.model.architecture = "Other \"name\"";
  c.model.vocab_size = 301;
  c.model.hidden_size = 96;
  c.model.intermediate_size = 100;
  c.model.num_hidden_layers = 3;
  c.model.num_attention_heads = 6;
  c.model.num_key_value_heads = 3;
  c.model.max_position_embeddings = 77;
  c.model.rope_theta = 500000.25;
  c.model.rms_norm_eps = 1.0 / 3;
  c.model.initializer_range = 5e-324;
  c.model.tie_word_embeddings = false;
  c.model.hidden_act = "silu";
  c.model.bos_token_id = 5;
  c.model.eos_token_ids = {6, 7, 8};
  c.sequence_length = 11;
  c.batch_size = 12;
  c.accumulate = 13;
  c.recompute = true;
  c.steps = 14;
  c.lr = 0.1;
  c.warmup_steps = 15;
  c.stage_split = 0.25;
  c.stage1_end = 0.125;
  c.stage2_begin = 1.0 / 7;
  c.weight_decay = 0.01;
  c.beta1 = 0.8;
  c.beta2 = 0.99;
  c.eps = 1e-9;
  c.clip = 0.5;
  c.seed = std::numeric_limits<uint64_t>::max();
  c.validation_share = 0.5;
  c.eval_every = 21;
  c.eval_tokens = 22;
  c.checkpoint_every = 23;
  c.keep_checkpoints = 24;
  return c;
}

TEST(TrainFields, NameEveryMemberOnce) {
  std::set<std::string> names;
  const TrainConfig defaults, other = unusual();
  for (const TrainField& field : train_fields()) {
    EXPECT_TRUE(names.insert(field.name).second) << field.name;
    EXPECT_FALSE(field.help.empty());
    EXPECT_EQ(field.default_value, field.get(defaults)) << field.name;
    EXPECT_NE(field.default_value, field.get(other)) << field.name;
  }
  EXPECT_EQ(names.size(), 36u);
}

TEST(TrainFields, SetWhatTheyGet) {
  const TrainConfig wanted = unusual();
  TrainConfig config;
  for (const TrainField& field : train_fields()) field.set(config, field.get(wanted));
  EXPECT_EQ(to_json(config), to_json(wanted));
  for (const TrainField& field : train_fields()) field.set(config, field.default_value);
  EXPECT_EQ(to_json(config), to_json(TrainConfig()));
}

TEST(TrainFields, RefuseTextOfAnotherType) {
  const auto set = [](const std::string& name, const std::string& text) {
    TrainConfig config;
    for (const TrainField& field : train_fields()) {
      if (field.name == name) field.set(config, text);
    }
  };
  EXPECT_TRUE(fails_with("steps: expected an integer, got '1.5'", [&] { set("steps", "1.5"); }));
  EXPECT_TRUE(fails_with("steps", [&] { set("steps", ""); }));
  EXPECT_TRUE(fails_with("steps", [&] { set("steps", " 1"); }));
  EXPECT_TRUE(fails_with("steps", [&] { set("steps", "9223372036854775808"); }));
  EXPECT_TRUE(fails_with("seed", [&] { set("seed", "-1"); }));
  EXPECT_TRUE(fails_with("lr: expected a number, got 'fast'", [&] { set("lr", "fast"); }));
  EXPECT_TRUE(fails_with("true or false", [&] { set("tie_word_embeddings", "yes"); }));
  EXPECT_TRUE(fails_with("eos_token_ids", [&] { set("eos_token_ids", "1,x"); }));
  EXPECT_NO_THROW(set("eos_token_ids", ""));
}

TEST(TrainConfigJson, RoundTripsExactly) {
  const std::string text = to_json(unusual());
  EXPECT_EQ(to_json(train_config_from_json(text, "t")), text);
  EXPECT_EQ(train_config_from_json(text, "t").seed, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(train_config_from_json(text, "t").model.initializer_range, 5e-324);
}

TEST(TrainConfigJson, KeepsWhatItDoesNotName) {
  TrainConfig base;
  base.steps = 5;
  const TrainConfig config = train_config_from_json(R"({"lr": 1, "hidden_size": 64, "eos_token_ids": []})", "t", base);
  EXPECT_EQ(config.steps, 5);
  EXPECT_EQ(config.lr, 1.0);
  EXPECT_EQ(config.model.hidden_size, 64);
  EXPECT_TRUE(config.model.eos_token_ids.empty());
  EXPECT_EQ(to_json(train_config_from_json("{}", "t")), to_json(TrainConfig()));
}

TEST(TrainConfigJson, TellsWhatIsWrong) {
  const auto parse = [](const char* text) { return [text] { train_config_from_json(text, "my.json"); }; };
  EXPECT_TRUE(fails_with("my.json: expected known keys, got 'batchsize'; did you mean 'batch_size'?",
                         parse(R"({"batchsize": 1})")));
  EXPECT_TRUE(fails_with("got '\?\?'", parse("{\"\\u0001\\u001b\": 1}")));
  EXPECT_TRUE(fails_with("an integer for steps, got 1.0", parse(R"({"steps": 1.0})")));
  EXPECT_TRUE(
      fails_with("an integer for steps, got 18446744073709551615", parse(R"({"steps": 18446744073709551615})")));
  EXPECT_TRUE(fails_with("a number for lr, got \"1\"", parse(R"({"lr": "1"})")));
  EXPECT_TRUE(fails_with("a number for lr, got null", parse(R"({"lr": null})")));
  EXPECT_TRUE(fails_with("seed", parse(R"({"seed": -1})")));
  EXPECT_TRUE(fails_with("true or false for tie_word_embeddings, got 1", parse(R"({"tie_word_embeddings": 1})")));
  EXPECT_TRUE(fails_with("hidden_act", parse(R"({"hidden_act": []})")));
  EXPECT_TRUE(fails_with("eos_token_ids", parse(R"({"eos_token_ids": 1})")));
  EXPECT_TRUE(fails_with("eos_token_ids", parse(R"({"eos_token_ids": [1, "2"]})")));
  for (const char* text : {"", "[]", "1", "{", "{} x", "{\"lr\": 1, \"lr\": 2}"}) {
    EXPECT_TRUE(fails_with("my.json", parse(text))) << text;
  }
}

TEST(TrainConfigValidate, NamesTheField) {
  EXPECT_NO_THROW(TrainConfig().validate());
  const auto refused = [](const char* name, const char* text) {
    TrainConfig config;
    for (const TrainField& field : train_fields()) {
      if (field.name == name) field.set(config, text);
    }
    return fails_with(name, [&] { config.validate(); });
  };
  for (const char* name : {"sequence_length", "batch_size", "accumulate", "steps", "keep_checkpoints", "eval_tokens"}) {
    EXPECT_TRUE(refused(name, "0"));
    EXPECT_TRUE(refused(name, "9223372036854775807"));
  }
  for (const char* name : {"warmup_steps", "eval_every", "checkpoint_every"}) EXPECT_TRUE(refused(name, "-1"));
  for (const char* name : {"lr", "stage_split", "stage1_end", "stage2_begin", "weight_decay", "beta1", "beta2", "eps",
                           "clip", "validation_share"}) {
    for (const char* text : {"-1e-3", "nan", "inf"}) EXPECT_TRUE(refused(name, text)) << text;
  }
  for (const char* name : {"beta1", "beta2", "validation_share"}) EXPECT_TRUE(refused(name, "1"));
  EXPECT_TRUE(refused("eps", "0"));
  EXPECT_TRUE(refused("stage_split", "1.5"));
  EXPECT_TRUE(refused("hidden_size", "0"));
  EXPECT_TRUE(refused("sequence_length", "2049"));
}

TEST(TrainConfigValidate, CountsTheRunsTokens) {
  TrainConfig config;
  config.batch_size = config.accumulate = config.steps = int64_t{1} << 40;
  EXPECT_TRUE(fails_with("2^63", [&] { config.validate(); }));
}

}  // namespace
}  // namespace tern
