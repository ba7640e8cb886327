// SPDX-License-Identifier: Apache-2.0
// The training run: steps, validation, log, checkpoints, resume.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "tern/autograd.h"
#include "tern/io.h"
#include "tern/ops.h"
#include "tern/train.h"
#include "train/checkpoint_store.h"
#include "train/dataset.h"
#include "train/directory_lock.h"
#include "train/run_state.h"
#include "train/stopwatch.h"
#include "train/train_log.h"

namespace tern {
namespace {

constexpr const char* kOptimizerFile = "/optimizer.safetensors";
constexpr const char* kTokenizerFile = "/tokenizer.json";

void check_ids(const char* what, std::span<const int32_t> ids, int64_t vocab_size) {
  for (int32_t id : ids) {
    check(id >= 0 && id < vocab_size, "train", "expected {} ids in [0, {}) (vocab_size), got {}", what, vocab_size, id);
  }
}

void check_input(const TrainConfig& config, const TrainData& data, const Tokenizer& tokenizer) {
  config.validate();
  const int64_t vocab_size = config.model.vocab_size;
  check(tokenizer.vocab_size() <= vocab_size, "train", "vocab_size: expected at least the tokenizer's {}, got {}",
        tokenizer.vocab_size(), vocab_size);
  check_ids("training", data.train, vocab_size);
  check_ids("validation", data.validation, vocab_size);
  check(data.validation.size() != 1, "train", "expected no validation text or one of at least 2 tokens, got 1");
  check(std::isfinite(data.validation_bytes_per_token) && data.validation_bytes_per_token >= 0, "train",
        "expected validation_bytes_per_token of at least 0, got {}", data.validation_bytes_per_token);
}

void make_directory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  check(!error, "train", "{}: {}", path, error.message());
}

bool is_due(int64_t step, int64_t every, int64_t last) { return step == last || (every > 0 && step % every == 0); }

// Seconds per step, smoothed so that the time left does not jump.
class Pace {
 public:
  void add(double seconds) { smooth_ = smooth_ == 0 ? seconds : 0.9 * smooth_ + 0.1 * seconds; }
  double seconds_per_step() const { return smooth_; }

 private:
  double smooth_ = 0;
};

class Trainer {
 public:
  Trainer(const TrainConfig& config, const TrainData& data, const Tokenizer& tokenizer, const Device& device,
          const std::string& directory, const TrainCallbacks& callbacks)
      : config_(config),
        data_(data),
        tokenizer_(tokenizer),
        device_(device),
        directory_(directory),
        callbacks_(callbacks),
        sampler_(static_cast<int64_t>(data.train.size()), config.sequence_length, config.seed),
        lock_(directory),
        store_(directory + "/checkpoints"),
        state_(begin_state(config, data)) {}

  Model run(bool resume) {
    if (resume) {
      restore();
    } else {
      begin();
    }
    store_.remove_leftovers();
    open_log();
    while (state_.step < config_.steps) {
      const int64_t step = state_.step + 1;
      finish_step(train_step(step));
      const bool stop = callbacks_.should_stop && callbacks_.should_stop();
      if (stop || is_due(step, config_.checkpoint_every, config_.steps)) write_checkpoint();
      if (stop) break;
    }
    if (state_.step == config_.steps) save_result();
    return model_;
  }

 private:
  void warn(const std::string& message) const {
    if (callbacks_.on_warning) callbacks_.on_warning(message);
  }

  void begin() {
    const std::vector<int64_t> steps = store_.steps();
    check(steps.empty(), "train",
          "{}: expected a directory without checkpoints, got one with {}; resume, or train elsewhere", directory_,
          steps.empty() ? "" : store_.path(steps.front()));
    model_ = Model::create(config_.model, device_, config_.seed);
    optimizer_.emplace(model_.parameters());
  }

  // From the newest whole checkpoint; from the beginning when there is none, damaged ones included.
  void restore() {
    const std::vector<int64_t> steps = store_.steps();
    for (int64_t step : steps) {
      if (const std::optional<RunState> saved = verified(step)) return restore_from(*saved);
    }
    check(steps.empty(), "resume", "{}: expected a whole checkpoint, got only damaged ones", directory_);
    begin();
  }

  std::optional<RunState> verified(int64_t step) const {
    try {
      return run_state_from_json(store_.verified_state(step), store_.path(step));
    } catch (const Error& e) {
      warn(fmt::format("passed over a damaged checkpoint: {}", e.what()));
      return std::nullopt;
    }
  }

  void restore_from(const RunState& saved) {
    require_same_run(saved, state_);
    if (saved.version != state_.version) {
      warn(fmt::format("resuming a run of version {} with version {}: losses may differ", saved.version,
                       state_.version));
    }
    const std::string from = store_.path(saved.step);
    model_ = Model::load(from, device_);
    optimizer_.emplace(model_.parameters());
    optimizer_->load_state(load_safetensors(from + kOptimizerFile, device_), saved.step);
    state_.step = saved.step;
    state_.tokens = saved.tokens;
  }

  void open_log() {
    log_.emplace(directory_ + "/log.jsonl", state_.step);
    if (log_->last_step() != state_.step) {
      warn(fmt::format("{}/log.jsonl: expected lines up to step {}, got {}", directory_, state_.step,
                       log_->last_step()));
    }
  }

  // Forward, backward, clip, update, quantize; everything of the report but what finish_step adds.
  StepReport train_step(int64_t step) {
    StepReport report;
    report.step = step;
    report.steps = config_.steps;
    Stopwatch watch;
    for (int64_t part = 0; part < config_.accumulate; ++part) {
      Tensor loss = forward(step, part);
      report.loss += loss.item() / static_cast<double>(config_.accumulate);
      report.forward_seconds += watch.lap();
      require_finite(step, "loss", report.loss);
      backward(config_.accumulate == 1 ? loss : mul(loss, 1.0 / static_cast<double>(config_.accumulate)));
      report.backward_seconds += watch.lap();
    }
    update(report);
    report.optimizer_seconds = watch.lap();
    model_.requantize();
    report.quantize_seconds = watch.lap();
    return report;
  }

  Tensor forward(int64_t step, int64_t part) const {
    const int64_t first = ((step - 1) * config_.accumulate + part) * config_.batch_size;
    const Batch batch = make_batch(data_.train, sampler_, first, config_.batch_size, config_.sequence_length, device_);
    return model_.loss(batch.ids, batch.targets);
  }

  void update(StepReport& report) {
    report.grad_norm = optimizer_->gradient_norm();
    require_finite(report.step, "gradient norm", report.grad_norm);
    const ScheduledRates rates = scheduled_rates(config_, report.step);
    report.lr = rates.lr;
    optimizer_->step({rates.lr, config_.beta1, config_.beta2, config_.eps, rates.weight_decay},
                     clip_scale(report.grad_norm, config_.clip));
  }

  void require_finite(int64_t step, const char* what, double value) const {
    check(std::isfinite(value), "train", "step {}: expected a finite {}, got {}; try a lower lr (now {})", step, what,
          value, config_.lr);
  }

  // Counts the step, validates if due, logs and reports.
  void finish_step(StepReport report) {
    const int64_t tokens = config_.sequence_length * config_.batch_size * config_.accumulate;
    pace_.add(report.forward_seconds + report.backward_seconds + report.optimizer_seconds + report.quantize_seconds);
    state_.step = report.step;
    state_.tokens += tokens;
    report.tokens = state_.tokens;
    report.tokens_per_second = static_cast<double>(tokens) / pace_.seconds_per_step();
    report.seconds_left = pace_.seconds_per_step() * static_cast<double>(config_.steps - report.step);
    if (!data_.validation.empty() && is_due(report.step, config_.eval_every, config_.steps)) validate(report);
    log_->append(report);
    if (callbacks_.on_step) callbacks_.on_step(report);
  }

  void validate(StepReport& report) const {
    const size_t count = std::min(data_.validation.size(), static_cast<size_t>(config_.eval_tokens));
    const int64_t bytes = std::llround(data_.validation_bytes_per_token * static_cast<double>(count));
    const Evaluation result =
        evaluate(model_, std::span(data_.validation).first(count), bytes, config_.sequence_length + 1);
    report.has_validation = true;
    report.validation_loss = result.loss;
    report.validation_bits_per_byte = result.bits_per_byte;
  }

  void write_checkpoint() {
    log_->sync();
    store_.write(state_.step, to_json(state_), [this](const std::string& directory) {
      model_.save(directory, Weights::masters);
      tokenizer_.save(directory + kTokenizerFile);
      save_safetensors(directory + kOptimizerFile, optimizer_->state());
    });
    store_.prune(state_.step, config_.keep_checkpoints);
  }

  void save_result() const {
    model_.save(directory_, Weights::masters);
    tokenizer_.save(directory_ + kTokenizerFile);
  }

  const TrainConfig& config_;
  const TrainData& data_;
  const Tokenizer& tokenizer_;
  const Device& device_;
  const std::string& directory_;
  const TrainCallbacks& callbacks_;
  WindowSampler sampler_;
  DirectoryLock lock_;
  CheckpointStore store_;
  RunState state_;  // of the steps done so far
  Model model_;
  std::optional<Adamw> optimizer_;
  std::optional<TrainLog> log_;
  Pace pace_;
};

}  // namespace

Model train(const TrainConfig& config, const TrainData& data, const Tokenizer& tokenizer, const Device& device,
            const std::string& directory, bool resume, const TrainCallbacks& callbacks) {
  check_input(config, data, tokenizer);
  make_directory(directory);
  return Trainer(config, data, tokenizer, device, directory, callbacks).run(resume);
}

}  // namespace tern
