// SPDX-License-Identifier: Apache-2.0
#include "models/config.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "models/architecture.h"

namespace tern {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kLargestExtent = int64_t{1} << 31;

// Reads typed fields of one JSON object, with errors that name the file and the field.
class Fields {
 public:
  Fields(const Json& object, std::string source) : object_(object), source_(std::move(source)) {}

  bool has(const char* key) const { return object_.contains(key) && !object_[key].is_null(); }

  int64_t integer(const char* key, int64_t low, int64_t high) const {
    const Json& value = require(key);
    check(value.is_number_integer(), "config", "{}: expected an integer {}, got {}", source_, key, value.dump());
    const auto number = value.get<int64_t>();
    check(number >= low && number <= high, "config", "{}: expected {} in [{}, {}], got {}", source_, key, low, high,
          number);
    return number;
  }
  int64_t extent(const char* key) const { return integer(key, 1, kLargestExtent); }

  double positive(const char* key) const {
    const Json& value = require(key);
    check(value.is_number() && std::isfinite(value.get<double>()) && value.get<double>() > 0, "config",
          "{}: expected a positive number {}, got {}", source_, key, value.dump());
    return value.get<double>();
  }
  bool boolean(const char* key, bool fallback) const {
    if (!has(key)) return fallback;
    check(object_[key].is_boolean(), "config", "{}: expected true or false for {}, got {}", source_, key,
          object_[key].dump());
    return object_[key].get<bool>();
  }
  std::string text(const char* key, const char* fallback) const {
    if (!has(key)) return fallback;
    check(object_[key].is_string(), "config", "{}: expected a string {}, got {}", source_, key, object_[key].dump());
    return object_[key].get<std::string>();
  }
  Fields object(const char* key) const {
    const Json& value = require(key);
    check(value.is_object(), "config", "{}: expected an object {}, got {}", source_, key, value.dump());
    return {value, source_ + ": " + key};
  }
  const Json& require(const char* key) const {
    check(has(key), "config", "{}: expected a field {}", source_, key);
    return object_[key];
  }
  const std::string& source() const { return source_; }

 private:
  const Json& object_;
  std::string source_;
};

double rope_theta(const Fields& fields) {
  if (fields.has("rope_parameters")) {
    const Fields rope = fields.object("rope_parameters");
    const std::string type = rope.text("rope_type", "default");
    check(type == "default", "config", "{}: expected rope_type default, got '{}'", rope.source(), type);
    return rope.positive("rope_theta");
  }
  check(!fields.has("rope_scaling"), "config", "{}: expected no rope_scaling, got {}", fields.source(),
        fields.has("rope_scaling") ? fields.require("rope_scaling").dump() : "");
  return fields.has("rope_theta") ? fields.positive("rope_theta") : 500000.0;  // the class default
}

std::vector<int64_t> eos_ids(const Fields& fields) {
  std::vector<int64_t> out;
  if (!fields.has("eos_token_id")) return out;
  const Json& value = fields.require("eos_token_id");
  for (const Json& id : value.is_array() ? value : Json::array({value})) {
    check(id.is_number_integer() && id.get<int64_t>() >= 0, "config", "{}: expected token ids in eos_token_id, got {}",
          fields.source(), value.dump());
    out.push_back(id.get<int64_t>());
  }
  return out;
}

ScaleMeaning scale_meaning(const Fields& fields) {
  if (!fields.has("quantization_config")) return ScaleMeaning::divides;
  const Fields quantization = fields.object("quantization_config");
  const std::string method = quantization.text("quant_method", "bitnet");
  check(method == "bitnet", "config", "{}: expected quant_method bitnet, got '{}'", quantization.source(), method);
  check(!quantization.boolean("use_rms_norm", false), "config", "{}: expected use_rms_norm false, got true",
        quantization.source());
  const std::string linear = quantization.text("linear_class", "bitlinear");
  check(linear == "bitlinear" || linear == "autobitlinear", "config",
        "{}: expected linear_class bitlinear or autobitlinear, got '{}'", quantization.source(), linear);
  return linear == "autobitlinear" ? ScaleMeaning::multiplies : ScaleMeaning::divides;
}

std::string architecture_name(const Fields& fields) {
  const Json& names = fields.require("architectures");
  check(names.is_array() && names.size() == 1 && names[0].is_string(), "config",
        "{}: expected architectures to be a list of one name, got {}", fields.source(), names.dump());
  return find_architecture(names[0].get<std::string>()).name;
}

ModelConfig read_model(const Fields& fields) {
  ModelConfig config;
  config.architecture = architecture_name(fields);
  config.vocab_size = fields.extent("vocab_size");
  config.hidden_size = fields.extent("hidden_size");
  config.intermediate_size = fields.extent("intermediate_size");
  config.num_hidden_layers = fields.integer("num_hidden_layers", 1, 100000);
  config.num_attention_heads = fields.extent("num_attention_heads");
  config.num_key_value_heads =
      fields.has("num_key_value_heads") ? fields.extent("num_key_value_heads") : config.num_attention_heads;
  config.max_position_embeddings =
      fields.has("max_position_embeddings") ? fields.extent("max_position_embeddings") : 2048;
  config.rope_theta = rope_theta(fields);
  config.rms_norm_eps = fields.has("rms_norm_eps") ? fields.positive("rms_norm_eps") : 1e-5;
  config.initializer_range = fields.has("initializer_range") ? fields.positive("initializer_range") : 0.02;
  config.tie_word_embeddings = fields.boolean("tie_word_embeddings", false);
  config.hidden_act = fields.text("hidden_act", "relu2");
  config.bos_token_id = fields.has("bos_token_id") ? fields.integer("bos_token_id", 0, kLargestExtent) : -1;
  config.eos_token_ids = eos_ids(fields);
  check(!fields.boolean("attention_bias", false), "config", "{}: expected attention_bias false, got true",
        fields.source());
  return config;
}

Json parse_object(std::string_view text, const std::string& source) {
  Json object = Json::parse(text, nullptr, false);
  check(object.is_object(), "config", "{}: expected a JSON object", source);
  return object;
}

}  // namespace

void ModelConfig::validate() const {
  const auto positive = [](const char* name, int64_t value) {
    check(value >= 1 && value <= kLargestExtent, "config", "expected {} in [1, {}], got {}", name, kLargestExtent,
          value);
  };
  positive("vocab_size", vocab_size);
  positive("hidden_size", hidden_size);
  positive("intermediate_size", intermediate_size);
  positive("num_hidden_layers", num_hidden_layers);
  positive("num_attention_heads", num_attention_heads);
  positive("num_key_value_heads", num_key_value_heads);
  positive("max_position_embeddings", max_position_embeddings);
  check(hidden_size % num_attention_heads == 0, "config",
        "expected hidden_size to be a multiple of num_attention_heads, got {} and {}", hidden_size,
        num_attention_heads);
  check(head_dim() % 2 == 0, "config", "expected an even head dimension (hidden_size / num_attention_heads), got {}",
        head_dim());
  check(num_attention_heads % num_key_value_heads == 0, "config",
        "expected num_attention_heads to be a multiple of num_key_value_heads, got {} and {}", num_attention_heads,
        num_key_value_heads);
  check(std::isfinite(rope_theta) && rope_theta > 0, "config", "expected a positive rope_theta, got {}", rope_theta);
  check(std::isfinite(rms_norm_eps) && rms_norm_eps > 0, "config", "expected a positive rms_norm_eps, got {}",
        rms_norm_eps);
  check(std::isfinite(initializer_range) && initializer_range > 0, "config",
        "expected a positive initializer_range, got {}", initializer_range);
}

ParsedConfig parse_config(std::string_view text, const std::string& source) {
  const Json object = parse_object(text, source);
  const Fields fields(object, source);
  ParsedConfig parsed{read_model(fields), scale_meaning(fields)};
  parsed.model.validate();
  return parsed;
}

std::string write_config(const ModelConfig& config, Weights weights, std::string_view base) {
  Json out = base.empty() ? Json::object() : parse_object(base, "config.json");
  out["architectures"] = {config.architecture};
  out["model_type"] = find_architecture(config.architecture).model_type;
  out["vocab_size"] = config.vocab_size;
  out["hidden_size"] = config.hidden_size;
  out["intermediate_size"] = config.intermediate_size;
  out["num_hidden_layers"] = config.num_hidden_layers;
  out["num_attention_heads"] = config.num_attention_heads;
  out["num_key_value_heads"] = config.num_key_value_heads;
  out["hidden_act"] = config.hidden_act;
  out["max_position_embeddings"] = config.max_position_embeddings;
  out["initializer_range"] = config.initializer_range;
  out["rms_norm_eps"] = config.rms_norm_eps;
  out["rope_theta"] = config.rope_theta;                                                   // transformers 4
  out["rope_parameters"] = {{"rope_theta", config.rope_theta}, {"rope_type", "default"}};  // transformers 5
  out["tie_word_embeddings"] = config.tie_word_embeddings;
  out["bos_token_id"] = config.bos_token_id >= 0 ? Json(config.bos_token_id) : Json();
  out["eos_token_id"] = config.eos_token_ids.size() == 1 ? Json(config.eos_token_ids[0]) : Json(config.eos_token_ids);
  if (config.eos_token_ids.empty()) out["eos_token_id"] = Json();
  out["attention_bias"] = false;
  out["torch_dtype"] = "float32";
  out["quantization_config"] = {{"quant_method", "bitnet"},
                                {"linear_class", "autobitlinear"},
                                {"quantization_mode", weights == Weights::packed ? "offline" : "online"},
                                {"modules_to_not_convert", {"lm_head"}}};
  return out.dump(2) + "\n";
}

}  // namespace tern
