// SPDX-License-Identifier: Apache-2.0
#include "train/shared_input.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "distributed/collectives.h"
#include "tern/ops.h"

namespace tern {
namespace {

constexpr size_t kIdsAtOnce = size_t{16} << 20;

// Everyone gets rank 0's value.
template <class T>
T shared(T value, const Communicator& group) {
  std::string bytes(reinterpret_cast<const char*>(&value), sizeof value);
  group.broadcast(bytes);
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

// `from` counts at rank 0; the others' `to` becomes the same.
void share_ids(const std::vector<int32_t>& from, std::vector<int32_t>& to, const Communicator& group) {
  const size_t count = shared(from.size(), group);
  for (size_t begin = 0; begin < count; begin += kIdsAtOnce) {
    const size_t length = std::min(kIdsAtOnce, count - begin);
    std::string bytes;
    if (group.rank() == 0) bytes.assign(reinterpret_cast<const char*>(from.data() + begin), length * sizeof(int32_t));
    group.broadcast(bytes);
    if (group.rank() == 0) continue;
    to.resize(begin + length);
    std::memcpy(to.data() + begin, bytes.data(), bytes.size());
  }
}

}  // namespace

SharedInput share_input(const TrainConfig& config, const TrainData& data, const Communicator& group) {
  SharedInput out;
  if (group.size() == 1) return out;
  std::string text = to_json(config);
  group.broadcast(text);
  if (group.rank() != 0) out.config = train_config_from_json(text, "the config of rank 0");
  share_ids(data.train, out.data.train, group);
  share_ids(data.validation, out.data.validation, group);
  out.data.validation_bytes_per_token = shared(data.validation_bytes_per_token, group);
  return out;
}

void share_parameters(Model& model, const Communicator& group) {
  if (group.size() == 1) return;
  for (const Parameter& parameter : model.parameters()) {
    Collectives& collectives = group.collectives();
    collectives.wait(collectives.start_broadcast(reshape(parameter.value.detach(), {parameter.value.numel()})));
  }
  if (group.rank() != 0) model.requantize();
}

}  // namespace tern
