// SPDX-License-Identifier: Apache-2.0
// Losses and gradients of a training loop, by recordings of the device where it makes them (device/backend.h): a pass
// of a small model is some hundred kernels, which a GPU runs faster than a host launches them.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "device/backend.h"
#include "tern/model.h"

namespace tern {

// Model::loss and backward() of one batch after the other, with the same bits. A batch of a kind that was met before,
// by shape, scale and what gradients there are to add to, is replayed. The gradients of parameters are then in memory
// that the next pass overwrites: they have to be used and dropped before, or added to by it.
class TrainingPass {
 public:
  // Of a model with masters, whose optimizer leaves parameters where they are, and of which the same ones require a
  // gradient from now on. `records` false: never. Then gradients
  // may be taken away while backward() runs, as by a group of processes.
  TrainingPass(const Model& model, const LossOptions& options, bool records = true);
  // The gradients that are still there go, too.
  ~TrainingPass();
  TrainingPass(const TrainingPass&) = delete;
  TrainingPass& operator=(const TrainingPass&) = delete;

  // The loss of a batch, f32 []. backward() will take `scale` times its gradient.
  Tensor forward(const TokenBatch& batch, double scale = 1.0);
  // Adds the gradients of what forward() gave last to those of the parameters. Once for each.
  void backward();

  // How many forward passes were replays.
  int64_t replays() const { return replays_; }

 private:
  struct Kind {
    int64_t sequences, tokens, counted;
    double scale;
    const void* adds;  // where the gradients are that it adds to, null without any
    auto operator<=>(const Kind&) const = default;
  };
  struct Recorded {
    std::unique_ptr<Recording> forward, backward;  // null: met once
    Tensor inputs;                                 // i64 [2, sequences, tokens], ids and targets
    Tensor scale;                                  // f32 []
    Tensor loss;                                   // the recording's
    std::vector<Tensor> gradients;                 // the recording's, in the order of the parameters
  };

  Tensor plain(const TokenBatch& batch, double scale);
  void record(const Kind& kind, Recorded& to);
  void copy_inputs(const TokenBatch& batch, const Recorded& to) const;
  bool has_gradients() const;
  // Whether they are those that a recording made.
  bool has_own_gradients() const;
  const void* place_of_gradients() const;
  std::vector<Tensor> gradients() const;
  void set_gradients(const std::vector<Tensor>& gradients) const;

  const Model model_;
  const LossOptions options_;
  const std::vector<Parameter> parameters_;  // those that require a gradient
  bool records_;
  int64_t replays_ = 0;
  std::map<Kind, Recorded> recorded_;
  Recorded* own_ = nullptr;      // whose gradients the parameters had last
  Tensor loss_, scale_;          // of a plain pass that waits for backward()
  Recorded* waiting_ = nullptr;  // or the recorded one
};

}  // namespace tern
