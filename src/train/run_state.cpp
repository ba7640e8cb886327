// SPDX-License-Identifier: Apache-2.0
#include "train/run_state.h"

#include <xxhash.h>

#include <nlohmann/json.hpp>
#include <span>

#include "base/check.h"
#include "train/train_fields.h"

namespace tern {
namespace {

using Json = nlohmann::json;

std::string hash_of(std::span<const int32_t> ids) {
  return fmt::format("{:016x}", XXH3_64bits(ids.data(), ids.size_bytes()));
}

void require_same(const char* name, const std::string& saved, const std::string& now) {
  check(saved == now, "resume", "{}: expected {} as when the run began, got {}", name, saved, now);
}

}  // namespace

RunState begin_state(const TrainConfig& config, const TrainData& data) {
  return {0, 0, config, hash_of(data.train), hash_of(data.validation), TERN_VERSION};
}

Json to_json(const RunState& state) {
  return {{"step", state.step},
          {"tokens", state.tokens},
          {"config", Json::parse(to_json(state.config))},
          {"train_hash", state.train_hash},
          {"validation_hash", state.validation_hash},
          {"version", state.version}};
}

RunState run_state_from_json(const Json& json, const std::string& source) {
  try {
    RunState state;
    state.step = json.at("step").get<int64_t>();
    state.tokens = json.at("tokens").get<int64_t>();
    state.config = train_config_from_json(json.at("config").dump(), source);
    state.train_hash = json.at("train_hash").get<std::string>();
    state.validation_hash = json.at("validation_hash").get<std::string>();
    state.version = json.at("version").get<std::string>();
    return state;
  } catch (const Json::exception& e) {
    fail("checkpoint", "{}: expected the state of a run: {}", source, e.what());
  }
}

void require_same_run(const RunState& saved, const RunState& now) {
  const Json before = Json::parse(to_json(saved.config)), after = Json::parse(to_json(now.config));
  visit_fields(now.config, [&](const char* name, const auto&, const char*, OnResume on_resume) {
    if (on_resume == OnResume::same) require_same(name, before[name].dump(), after[name].dump());
  });
  require_same("hash of the training tokens", saved.train_hash, now.train_hash);
  require_same("hash of the validation tokens", saved.validation_hash, now.validation_hash);
}

}  // namespace tern
