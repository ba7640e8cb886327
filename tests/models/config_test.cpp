// SPDX-License-Identifier: Apache-2.0
#include "models/config.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace tern {
namespace {

using Json = nlohmann::json;

Json tiny_config() { return Json::parse(read_file(TERN_TEST_DATA "/hf/tiny-online/config.json")); }

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string parse_error(const Json& json) {
  return error_of([&] { parse_config(json.dump(), "some/config.json"); });
}

TEST(Config, ReadsTransformers5) {
  const ParsedConfig parsed = parse_config(tiny_config().dump(), "c");
  EXPECT_EQ(parsed.model.vocab_size, 320);
  EXPECT_EQ(parsed.model.hidden_size, 128);
  EXPECT_EQ(parsed.model.intermediate_size, 352);
  EXPECT_EQ(parsed.model.num_hidden_layers, 3);
  EXPECT_EQ(parsed.model.num_attention_heads, 4);
  EXPECT_EQ(parsed.model.num_key_value_heads, 2);
  EXPECT_EQ(parsed.model.max_position_embeddings, 256);
  EXPECT_EQ(parsed.model.rope_theta, 500000.0);
  EXPECT_EQ(parsed.model.eos_token_ids, std::vector<int64_t>{128001});
  EXPECT_FALSE(parsed.model.tie_word_embeddings);
  EXPECT_EQ(parsed.scale_meaning, ScaleMeaning::multiplies);
}

TEST(Config, ReadsTransformers4AndBranchesOnTheLinearClass) {
  Json json = tiny_config();
  json.erase("rope_parameters");
  json["rope_theta"] = 10000.0;
  json["eos_token_id"] = {5, 6};
  json.erase("num_key_value_heads");
  json["quantization_config"].erase("linear_class");
  const ParsedConfig parsed = parse_config(json.dump(), "c");
  EXPECT_EQ(parsed.model.rope_theta, 10000.0);
  EXPECT_EQ(parsed.model.eos_token_ids, (std::vector<int64_t>{5, 6}));
  EXPECT_EQ(parsed.model.num_key_value_heads, 4);
  EXPECT_EQ(parsed.scale_meaning, ScaleMeaning::divides);
  json["quantization_config"]["linear_class"] = "autobitlinear";
  EXPECT_EQ(parse_config(json.dump(), "c").scale_meaning, ScaleMeaning::multiplies);
  json.erase("quantization_config");
  EXPECT_EQ(parse_config(json.dump(), "c").scale_meaning, ScaleMeaning::divides);
}

TEST(Config, NamesTheFieldAtFault) {
  const auto with = [](const char* key, const Json& value) {
    Json json = tiny_config();
    json[key] = value;
    return parse_error(json);
  };
  for (const char* key : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                          "num_key_value_heads", "max_position_embeddings"}) {
    EXPECT_NE(with(key, 0).find(key), std::string::npos) << with(key, 0);
    EXPECT_NE(with(key, -3).find(key), std::string::npos);
    EXPECT_NE(with(key, "12").find(key), std::string::npos);
    EXPECT_NE(with(key, 1.5).find(key), std::string::npos);
    EXPECT_NE(with(key, int64_t{1} << 40).find(key), std::string::npos);
    EXPECT_NE(with(key, 0).find("config"), std::string::npos);
  }
  Json missing = tiny_config();
  missing.erase("hidden_size");
  EXPECT_EQ(parse_error(missing), "[config] some/config.json: expected a field hidden_size");
  EXPECT_NE(with("num_attention_heads", 3).find("num_attention_heads"), std::string::npos);
  EXPECT_NE(with("num_key_value_heads", 3).find("num_key_value_heads"), std::string::npos);
  EXPECT_NE(with("rms_norm_eps", 0).find("rms_norm_eps"), std::string::npos);
  EXPECT_NE(with("architectures", Json::array({"LlamaForCausalLM"})).find("LlamaForCausalLM"), std::string::npos);
  EXPECT_NE(with("architectures", Json::array()).find("architectures"), std::string::npos);
  EXPECT_NE(with("tie_word_embeddings", "yes").find("tie_word_embeddings"), std::string::npos);
  EXPECT_NE(with("eos_token_id", "</s>").find("eos_token_id"), std::string::npos);
  EXPECT_NE(with("attention_bias", true).find("attention_bias"), std::string::npos);
  EXPECT_NE(with("rope_parameters", Json{{"rope_type", "yarn"}, {"rope_theta", 1e4}}).find("yarn"), std::string::npos);
  EXPECT_NE(with("quantization_config", Json{{"quant_method", "awq"}}).find("awq"), std::string::npos);
  EXPECT_NE(with("quantization_config", Json{{"linear_class", "other"}}).find("linear_class"), std::string::npos);
  EXPECT_NE(with("quantization_config", Json{{"use_rms_norm", true}}).find("use_rms_norm"), std::string::npos);
  EXPECT_NE(parse_error(Json::array()).find("JSON object"), std::string::npos);
  EXPECT_NE(error_of([] { parse_config("{", "x.json"); }).find("x.json"), std::string::npos);
}

TEST(Config, WritesWhatItReads) {
  const std::string source = tiny_config().dump();
  const ParsedConfig parsed = parse_config(source, "c");
  for (const Weights weights : {Weights::masters, Weights::packed}) {
    const std::string text = write_config(parsed.model, weights, source);
    const ParsedConfig again = parse_config(text, "again");
    EXPECT_EQ(again.scale_meaning, ScaleMeaning::multiplies);
    EXPECT_EQ(again.model.hidden_size, parsed.model.hidden_size);
    EXPECT_EQ(again.model.rope_theta, parsed.model.rope_theta);
    EXPECT_EQ(again.model.eos_token_ids, parsed.model.eos_token_ids);
    const Json json = Json::parse(text);
    EXPECT_EQ(json["attention_dropout"], 0.0) << "a key that Tern does not know is kept";
    EXPECT_EQ(json["quantization_config"]["quantization_mode"], weights == Weights::packed ? "offline" : "online");
  }
}

}  // namespace
}  // namespace tern
