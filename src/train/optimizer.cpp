// SPDX-License-Identifier: Apache-2.0
#include "train/optimizer.h"

#include <utility>

#include "tern/io.h"
#include "train/sharded_adamw.h"

namespace tern {
namespace {

class WholeAdamw final : public Optimizer {
 public:
  explicit WholeAdamw(std::vector<Parameter> parameters)
      : device_(parameters.front().value.device()), adamw_(std::move(parameters)) {}

  void begin_last_backward() override {}
  // The square root of a number's square is the number, so a norm survives this.
  double gradient_squares() override {
    const double norm = adamw_.gradient_norm();
    return norm * norm;
  }
  void step(const AdamwOptions& options, double grad_scale) override { adamw_.step(options, grad_scale); }
  void save(const std::string& path) override { save_safetensors(path, adamw_.state()); }
  void load(const std::string& path, int64_t steps) override {
    adamw_.load_state(load_safetensors(path, device_), steps);
  }

 private:
  Device device_;
  Adamw adamw_;
};

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(std::vector<Parameter> parameters, const Communicator& group) {
  if (group.size() == 1) return std::make_unique<WholeAdamw>(std::move(parameters));
  return std::make_unique<ShardedAdamw>(std::move(parameters), group);
}

}  // namespace tern
