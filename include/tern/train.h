// SPDX-License-Identifier: Apache-2.0
// Training a ternary model, and measuring one on text.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tern/distributed.h"
#include "tern/model.h"
#include "tern/text.h"

namespace tern {

// ---------------------------------------------------------------- optimizer

struct AdamwOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0.1;
};

// AdamW (arXiv 1711.05101) over a model's parameters, moments in f32.
class Adamw {
 public:
  // Throws Error for a parameter that is not contiguous f32 (a packed model has such), and for several devices.
  explicit Adamw(std::vector<Parameter> parameters);

  // Global norm of the gradients, summed in double in parameter order. Parameters without a gradient count as 0. Waits
  // for the device.
  double gradient_norm() const;
  // One step with every gradient multiplied by grad_scale; then the gradients are dropped. Parameters without a
  // gradient stay.
  void step(const AdamwOptions& options, double grad_scale = 1.0);
  int64_t steps() const { return steps_; }

  // State for a checkpoint: "m.<name>", "v.<name>", which share storage with the optimizer. load_state copies; it
  // throws Error when names, shapes or dtypes differ, and then nothing has changed.
  std::vector<std::pair<std::string, Tensor>> state() const;
  void load_state(const std::vector<std::pair<std::string, Tensor>>& state, int64_t steps);

 private:
  struct Slot {
    Parameter parameter;
    Tensor m, v;
  };
  std::vector<Slot> slots_;
  int64_t steps_ = 0;
};

// What to multiply gradients of the given global norm with so that it is at most max_norm: max_norm / (norm + 1e-6), at
// most 1, as PyTorch's clip_grad_norm_. max_norm 0 switches clipping off.
double clip_scale(double norm, double max_norm);

// ---------------------------------------------------------------- training

// Everything a run depends on besides its data; each field is an option of `tern train` and a key of --config files
// (src/train/train_fields.h lists them once).
struct TrainConfig {
  ModelConfig model;

  int64_t sequence_length = 256;  // tokens per sequence
  int64_t batch_size = 8;         // sequences per micro-batch: those that a device takes at once
  int64_t accumulate = 1;         // micro-batches per step
  bool recompute = false;         // runs each layer again for its gradient: less memory, more time, the same bits
  int64_t steps = 1000;

  // Two-stage schedule of b1.58 (arXiv 2411.04965, appendix): warm-up to `lr`, linear to lr·stage1_end at step
  // steps·stage_split, then linear from lr·stage2_begin to 0; weight decay only in the first stage.
  double lr = 3e-3;
  int64_t warmup_steps = 50;
  double stage_split = 0.5;
  double stage1_end = 0.5;
  double stage2_begin = 2.0 / 3.0;
  double weight_decay = 0.1;
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double clip = 1.0;  // global norm; 0 switches clipping off

  uint64_t seed = 0;
  double validation_share = 0.05;  // of the training text, its end, where no validation files are given
  int64_t eval_every = 200;        // steps; 0 only at the end
  int64_t eval_tokens = 16384;     // at most this many validation tokens each time
  int64_t checkpoint_every = 200;  // steps; 0 only at the end
  int64_t keep_checkpoints = 2;

  // Throws Error naming the field that is out of range.
  void validate() const;
};

// A field of TrainConfig, for whoever turns options into a config or prints one.
struct TrainField {
  std::string name;           // "batch_size"; the model's are named as in Hugging Face's config.json ("hidden_size")
  std::string help;           // one line
  std::string default_value;  // as text that `set` takes
  // Parses the text into the field. Throws Error naming the field; lists are numbers with commas between.
  std::function<void(TrainConfig&, std::string_view text)> set;
  std::function<std::string(const TrainConfig&)> get;
};

// All of them, in the order of the struct.
std::vector<TrainField> train_fields();

// `base` with the fields that a JSON object names, {"hidden_size": 256, …}. Throws Error naming `source` and the key
// for an unknown key (with the nearest known one), a wrong type, or text that is not such an object. Ranges are
// validate()'s.
TrainConfig train_config_from_json(std::string_view text, const std::string& source, const TrainConfig& base = {});
// Every field, as train_config_from_json reads it back exactly.
std::string to_json(const TrainConfig& config);

// lr and weight decay of step 1 … config.steps. With W = warmup_steps, N = steps and S = steps·stage_split rounded, the
// factor on config.lr is min(s/W, line(s)), where
//   s <= S:  line falls from 1 at s = W to stage1_end at s = S
//   s > S:   line falls from stage2_begin at s = S+1 by equal steps and would be 0 at s = N+1
// and weight decay is config.weight_decay for s <= S, else 0.
struct ScheduledRates {
  double lr, weight_decay;
};
ScheduledRates scheduled_rates(const TrainConfig& config, int64_t step);

// What a finished step reports, as one line of the JSONL log does.
struct StepReport {
  int64_t step = 0, steps = 0;
  double loss = 0;       // mean over the step's tokens, nats
  double grad_norm = 0;  // before clipping
  double lr = 0;
  int64_t tokens = 0;  // since the beginning of training
  double tokens_per_second = 0;
  double seconds_left = 0;
  // Of this step; their sum is what it took. `forward` includes the head's gradient, which comes with the loss. A GPU
  // works while the host goes on, and would lose by being waited for after each part: so the parts are measured in the
  // first steps of a call and in each 32nd, and the others are split in the shares that were measured last.
  double quantize_seconds = 0, forward_seconds = 0, backward_seconds = 0, optimizer_seconds = 0;
  bool has_validation = false;
  double validation_loss = 0, validation_bits_per_byte = 0;
};
// One JSON object on one line, keys named as the fields; the validation's only when there was one.
std::string to_json(const StepReport& report);

struct TrainData {
  std::vector<int32_t> train, validation;  // token ids; without validation none is reported
  double validation_bytes_per_token = 0;   // of the validation text
};

struct TrainCallbacks {
  std::function<void(const StepReport&)> on_step;
  std::function<void(std::string_view)> on_warning;
  std::function<bool()> should_stop;  // asked after every step; true, on any rank, writes a checkpoint and returns
};

// Trains in `directory`:
//   checkpoints/step-000200/    a Hugging Face directory (masters) with the tokenizer, optimizer.safetensors and
//                               trainer.json (step, config, checksums); complete or absent
//   log.jsonl                   a line per step with StepReport's fields
//   config.json model.safetensors tokenizer.json   the final model, masters; written when the last step is done
// Each epoch takes the text's windows of sequence_length tokens in a new order, from a new offset (both by `seed`).
//
// With resume, continues from the newest whole checkpoint and gives the same losses, bit for bit, as a run that never
// stopped; log.jsonl is cut back to that step first. A damaged checkpoint is passed over, which `on_warning` is told,
// and left for inspection; where there is none at all the run starts at its beginning. Only recompute, eval_every,
// eval_tokens, checkpoint_every and keep_checkpoints may differ from the config the run was started with: anything
// else, the data included, is an Error naming the field and both values. Without resume, throws Error when the
// directory holds checkpoints.
//
// Throws Error also for a config or data that cannot be trained on, a loss or gradient that is not finite, a disk that
// is full or fails, and when another process trains in the directory. No finished checkpoint is ever lost by that.
//
// A group of processes, each with a device of its own, takes a run's steps together (ZeRO-1): each its share of a
// step's batch_size · accumulate sequences, in micro-batches of batch_size at most; gradients are summed while backward
// goes on, and each updates its share of the parameters and holds that share of AdamW's state. The step is the one that
// a single process takes, but for the order in which floats are summed; the same size of the group gives the same bits.
// Rank 0 calls train(), the others train_along(), which train() does there, too. Rank 0's config and data are
// everyone's, and it alone has the directory, which is as a single process leaves it: groups of any size go on from
// there. Every rank returns the model. An Error on one ends all.
Model train(const TrainConfig& config, const TrainData& data, const Tokenizer& tokenizer, const Device& device,
            const std::string& directory, bool resume, const TrainCallbacks& callbacks = {},
            const Communicator& group = {});
Model train_along(const Device& device, const Communicator& group, const std::function<bool()>& should_stop = {});

// ---------------------------------------------------------------- evaluation

struct Evaluation {
  int64_t tokens = 0;  // predicted
  double loss = 0;     // nats per token
  double perplexity = 0;
  double bits_per_byte = 0;  // 0 when `bytes` is
  double tokens_per_second = 0;
};

// Loss over `ids` in consecutive windows of `window` tokens that overlap by one, so that every token but the first of
// all is predicted once, from what precedes it in its window; 2 <= window <= max_position_embeddings + 1. `bytes` is
// the length of the text behind the ids: bits_per_byte is loss / ln 2 · tokens per byte. Keys and values are kept as
// `kv`. The same for every thread count and batch. Throws Error for fewer than 2 ids, and for an id out of range.
Evaluation evaluate(const Model& model, std::span<const int32_t> ids, int64_t bytes, int64_t window,
                    KvType kv = KvType::f32);

}  // namespace tern
