// SPDX-License-Identifier: Apache-2.0
// The training run: steps, validation, log, checkpoints, resume.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "distributed/collectives.h"
#include "tern/ops.h"
#include "tern/train.h"
#include "train/dataset.h"
#include "train/losses.h"
#include "train/optimizer.h"
#include "train/part_clock.h"
#include "train/run_files.h"
#include "train/run_state.h"
#include "train/shared_input.h"
#include "train/training_pass.h"

namespace tern {
namespace {

constexpr const char* kOptimizerFile = "/optimizer.safetensors";

void check_ids(const char* what, std::span<const int32_t> ids, int64_t vocab_size) {
  for (int32_t id : ids) {
    check(id >= 0 && id < vocab_size, "train", "expected {} ids in [0, {}) (vocab_size), got {}", what, vocab_size, id);
  }
}

void check_input(const TrainConfig& config, const TrainData& data, const Tokenizer& tokenizer,
                 const Communicator& group) {
  config.validate();
  check(config.batch_size * config.accumulate >= group.size(), "train",
        "batch_size: expected a sequence for each of {} processes (batch_size times accumulate), got {}", group.size(),
        config.batch_size * config.accumulate);
  const int64_t vocab_size = config.model.vocab_size;
  check(tokenizer.vocab_size() <= vocab_size, "train", "vocab_size: expected at least the tokenizer's {}, got {}",
        tokenizer.vocab_size(), vocab_size);
  check_ids("training", data.train, vocab_size);
  check_ids("validation", data.validation, vocab_size);
  check(data.validation.size() != 1, "train", "expected no validation text or one of at least 2 tokens, got 1");
  check(std::isfinite(data.validation_bytes_per_token) && data.validation_bytes_per_token >= 0, "train",
        "expected validation_bytes_per_token of at least 0, got {}", data.validation_bytes_per_token);
}

bool is_due(int64_t step, int64_t every, int64_t last) { return step == last || (every > 0 && step % every == 0); }

// Numbers of sequences, as WindowSampler counts them.
struct Samples {
  int64_t begin, end;
};

// Seconds per step, smoothed so that the time left does not jump.
class Pace {
 public:
  void add(double seconds) { smooth_ = smooth_ == 0 ? seconds : 0.9 * smooth_ + 0.1 * seconds; }
  double seconds_per_step() const { return smooth_; }

 private:
  double smooth_ = 0;
};

// What one process does of a run. Rank 0 has the files, and alone reports; every step is done by all.
class Trainer {
 public:
  // The arguments, but the callbacks, outlive this.
  Trainer(const TrainConfig& config, const TrainData& data, const Device& device, TrainCallbacks callbacks,
          const Communicator& group, RunFiles* files)
      : config_(config),
        data_(data),
        device_(device),
        callbacks_(std::move(callbacks)),
        group_(group),
        files_(files),
        sampler_(static_cast<int64_t>(data.train.size()), config.sequence_length, config.seed),
        state_(begin_state(config, data)) {}

  Model run(bool resume) {
    restore(files_ == nullptr ? std::nullopt : checkpoint(resume));
    if (files_ != nullptr) files_->go_on(state_.step);
    while (state_.step < config_.steps) {
      const int64_t step = state_.step + 1;
      finish_step(train_step(step));
      const bool stop = should_stop();
      if (stop || is_due(step, config_.checkpoint_every, config_.steps)) write_checkpoint();
      if (stop) break;
    }
    if (files_ != nullptr && state_.step == config_.steps) files_->save_result(model_);
    return model_;
  }

 private:
  std::optional<RunState> checkpoint(bool resume) const {
    if (resume) return files_->newest(state_);
    files_->require_none();
    return std::nullopt;
  }

  // From the checkpoint that rank 0 gives, or from the beginning.
  void restore(const std::optional<RunState>& saved) {
    std::string told = saved ? to_json(*saved).dump() : "";
    group_.broadcast(told);
    model_ =
        saved ? Model::load(files_->path(saved->step), device_) : Model::create(config_.model, device_, config_.seed);
    share_parameters(model_, group_);
    optimizer_ = make_optimizer(model_.parameters(), group_);
    // A group's gradients are taken away while backward runs.
    pass_.emplace(model_, LossOptions{.recompute = config_.recompute}, group_.size() == 1);
    if (told.empty()) return;
    const RunState from = run_state_from_json(nlohmann::json::parse(told), "the checkpoint of rank 0");
    optimizer_->load(saved ? files_->path(from.step) + kOptimizerFile : "", from.step);
    state_.step = from.step;
    state_.tokens = from.tokens;
  }

  // Forward, backward, clip, update, quantize; everything of the report but what finish_step adds.
  StepReport train_step(int64_t step) {
    StepReport report;
    report.step = step;
    report.steps = config_.steps;
    clock_.begin();
    const Samples own = own_samples(step);
    std::vector<Tensor> losses;
    for (int64_t begin = own.begin; begin < own.end; begin += config_.batch_size) {
      const int64_t count = std::min(config_.batch_size, own.end - begin);
      // Gradients are summed: of each micro-batch its part of the mean over all sequences.
      const Tensor loss = pass_->forward(make_batch(data_.train, sampler_, begin, count, config_.sequence_length),
                                         static_cast<double>(count) / static_cast<double>(samples()));
      losses.push_back(reshape(loss, {1}));
      clock_.end_part(report, &StepReport::forward_seconds);
      if (begin + count == own.end) optimizer_->begin_last_backward();
      pass_->backward();
      clock_.end_part(report, &StepReport::backward_seconds);
    }
    update(report, own, losses);
    clock_.end_part(report, &StepReport::optimizer_seconds);
    model_.requantize();
    clock_.end_part(report, &StepReport::quantize_seconds);
    clock_.end(report);
    return report;
  }

  // Sequences of a step, of all processes together.
  int64_t samples() const { return config_.batch_size * config_.accumulate; }

  // Those of this process. Which there are depends on the step alone, whatever the number of processes.
  Samples own_samples(int64_t step) const {
    const int64_t first = (step - 1) * samples();
    return {first + samples() * group_.rank() / group_.size(), first + samples() * (group_.rank() + 1) / group_.size()};
  }

  // The host waits for the device here for the first time in the step, and has then all that it has to look at.
  void update(StepReport& report, const Samples& own, const std::vector<Tensor>& losses) {
    const Tensor all_losses = concat(losses, 0);
    std::array<double, 2> sums = {0, optimizer_->gradient_squares()};
    int64_t begin = own.begin;
    for (const float loss : all_losses.to_vector<float>()) {
      const int64_t count = std::min(config_.batch_size, own.end - begin);
      sums[0] += static_cast<double>(loss) * static_cast<double>(count) / static_cast<double>(samples());
      begin += count;
    }
    group_.all_reduce_sum(sums);
    report.loss = sums[0];
    report.grad_norm = std::sqrt(sums[1]);
    require_finite(report.step, "loss", report.loss);
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
    const int64_t tokens = config_.sequence_length * samples();
    pace_.add(PartClock::seconds(report));
    state_.step = report.step;
    state_.tokens += tokens;
    report.tokens = state_.tokens;
    report.tokens_per_second = static_cast<double>(tokens) / pace_.seconds_per_step();
    report.seconds_left = pace_.seconds_per_step() * static_cast<double>(config_.steps - report.step);
    if (!data_.validation.empty() && is_due(report.step, config_.eval_every, config_.steps)) validate(report);
    if (files_ == nullptr) return;
    files_->log(report);
    if (callbacks_.on_step) callbacks_.on_step(report);
  }

  // Any process may be asked to.
  bool should_stop() const {
    double stops = callbacks_.should_stop && callbacks_.should_stop() ? 1 : 0;
    group_.all_reduce_sum({&stops, 1});
    return stops > 0;
  }

  // Each process takes its share of the windows.
  void validate(StepReport& report) const {
    const auto ids =
        std::span(data_.validation).first(std::min(data_.validation.size(), static_cast<size_t>(config_.eval_tokens)));
    const int64_t predicted = std::ssize(ids) - 1, length = config_.sequence_length;
    const int64_t windows = (predicted + length - 1) / length;
    const int64_t begin = windows * group_.rank() / group_.size() * length;
    const int64_t end = std::min(windows * (group_.rank() + 1) / group_.size() * length, predicted);
    double sum = 0;
    if (begin < end) {
      const auto own = ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin) + 1);
      sum = sum_of_losses(model_, own, length + 1, KvType::f32);
    }
    group_.all_reduce_sum({&sum, 1});
    const int64_t bytes = std::llround(data_.validation_bytes_per_token * static_cast<double>(ids.size()));
    const Evaluation result = evaluation_of(sum, std::ssize(ids), bytes);
    report.has_validation = true;
    report.validation_loss = result.loss;
    report.validation_bits_per_byte = result.bits_per_byte;
  }

  void write_checkpoint() {
    if (files_ == nullptr) return optimizer_->save("");
    files_->write_checkpoint(state_, config_.keep_checkpoints, [this](const std::string& directory) {
      model_.save(directory, Weights::masters);
      optimizer_->save(directory + kOptimizerFile);
      // Before it takes its name: what a failed process left unfinished may be in it.
      group_.collectives().check_alive();
    });
  }

  const TrainConfig& config_;
  const TrainData& data_;
  const Device& device_;
  const TrainCallbacks callbacks_;
  const Communicator& group_;
  RunFiles* files_;  // of rank 0
  WindowSampler sampler_;
  RunState state_;  // of the steps done so far
  Model model_;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<TrainingPass> pass_;
  PartClock clock_{device_};
  Pace pace_;
};

}  // namespace

Model train(const TrainConfig& config, const TrainData& data, const Tokenizer& tokenizer, const Device& device,
            const std::string& directory, bool resume, const TrainCallbacks& callbacks, const Communicator& group) {
  if (group.rank() != 0) return train_along(device, group, callbacks.should_stop);
  Model model;
  group.guard([&] {
    check_input(config, data, tokenizer, group);
    RunFiles files(directory, tokenizer, callbacks.on_warning);
    share_input(config, data, group);
    model = Trainer(config, data, device, callbacks, group, &files).run(resume);
  });
  return model;
}

Model train_along(const Device& device, const Communicator& group, const std::function<bool()>& should_stop) {
  check(group.rank() != 0, "train", "expected another rank than 0, which has the run's files");
  Model model;
  group.guard([&] {
    const SharedInput input = share_input({}, {}, group);
    model = Trainer(input.config, input.data, device, {{}, {}, should_stop}, group, nullptr).run(false);
  });
  return model;
}

}  // namespace tern
