// SPDX-License-Identifier: Apache-2.0
// Loss, perplexity and bits per byte of a text.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/check.h"
#include "tern/ops.h"
#include "tern/train.h"
#include "train/losses.h"
#include "train/stopwatch.h"

namespace tern {
namespace {

constexpr int64_t kLogitsAtOnce = int64_t{1} << 24;  // 64 MiB of f32
constexpr int64_t kRowsAtOnce = 16;
constexpr int64_t kKvAtOnce = int64_t{1} << 28;  // bytes of keys and values

// `rows` windows, one after the other in the text, each with `length` tokens to predict.
struct Group {
  std::span<const int32_t> ids;
  int64_t rows, length;

  // Tokens [begin, begin + count) of one window.
  std::span<const int32_t> part(int64_t row, int64_t begin, int64_t count) const {
    return ids.subspan(static_cast<size_t>(row * length + begin), static_cast<size_t>(count));
  }
};

// As many windows at once as logits and keys and values have room for.
int64_t most_rows(const Model& model, int64_t length, KvType kv) {
  const int64_t by_logits = kLogitsAtOnce / (length * model.config().vocab_size);
  const int64_t by_kv = kKvAtOnce / (length * model.kv_bytes_per_token({.type = kv}));
  return std::clamp<int64_t>(std::min(by_logits, by_kv), 1, kRowsAtOnce);
}

// Windows as sequences of one cache.
class Windows {
 public:
  Windows(const Model& model, int64_t rows, int64_t length, KvType kv)
      : model_(model), cache_(model.make_cache(rows, length, kv)) {}

  // Adds the losses of the group's tokens to `sum` in the order of the text. Windows too long for their logits to be
  // held at once go in chunks, which gives the same bits.
  void add_losses(const Group& group, double& sum) {
    const int64_t chunk =
        std::clamp<int64_t>(kLogitsAtOnce / (group.rows * model_.config().vocab_size), 1, group.length);
    std::vector<float> losses(static_cast<size_t>(group.rows * group.length));
    for (KvSequence& sequence : cache_.sequences) sequence.length = 0;
    for (int64_t begin = 0; begin < group.length; begin += chunk) {
      const int64_t count = std::min(chunk, group.length - begin);
      const std::vector<float> part = losses_of(group, begin, count);
      for (int64_t row = 0; row < group.rows; ++row) {
        std::copy_n(part.begin() + row * count, count, losses.begin() + row * group.length + begin);
      }
    }
    for (float loss : losses) sum += static_cast<double>(loss);
  }

 private:
  // Of tokens [begin, begin + count) of each window.
  std::vector<float> losses_of(const Group& group, int64_t begin, int64_t count) {
    std::vector<SequenceStep> steps;
    std::vector<int64_t> next;
    for (int64_t row = 0; row < group.rows; ++row) {
      steps.push_back({group.part(row, begin, count), &cache_.sequences[static_cast<size_t>(row)]});
      const auto targets = group.part(row, begin + 1, count);
      next.insert(next.end(), targets.begin(), targets.end());
    }
    const Tensor logits = model_.head_logits(model_.hidden_states(steps, cache_.pool));
    return cross_entropy_rows(logits, Tensor::from(next, {std::ssize(next)}, model_.device())).to_vector<float>();
  }

  const Model& model_;
  KvCache cache_;
};

void check_arguments(const Model& model, std::span<const int32_t> ids, int64_t window) {
  const int64_t longest = model.config().max_position_embeddings + 1;
  check(window >= 2 && window <= longest, "evaluate", "expected a window of 2 to {} tokens, got {}", longest, window);
  check(ids.size() >= 2, "evaluate", "expected a text of at least 2 tokens, got {}", ids.size());
  const int64_t vocab = model.config().vocab_size;
  for (int32_t id : ids) check(id >= 0 && id < vocab, "evaluate", "expected ids in [0, {}), got {}", vocab, id);
}

}  // namespace

double sum_of_losses(const Model& model, std::span<const int32_t> ids, int64_t window, KvType kv) {
  check_arguments(model, ids, window);
  const int64_t predicted = static_cast<int64_t>(ids.size()) - 1;
  const int64_t longest = std::min(window - 1, predicted), most = most_rows(model, longest, kv);
  Windows windows(model, std::min(most, predicted / longest), longest, kv);
  double sum = 0;
  for (int64_t begin = 0; begin < predicted;) {
    const int64_t length = std::min(window - 1, predicted - begin);
    const int64_t rows = std::min(most, (predicted - begin) / length);
    windows.add_losses({ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(rows * length) + 1), rows, length},
                       sum);
    begin += rows * length;
  }
  return sum;
}

Evaluation evaluation_of(double sum, int64_t ids, int64_t bytes) {
  Evaluation out;
  out.tokens = ids - 1;
  out.loss = sum / static_cast<double>(out.tokens);
  out.perplexity = std::exp(out.loss);
  if (bytes > 0) {
    out.bits_per_byte = out.loss / std::numbers::ln2 * static_cast<double>(ids) / static_cast<double>(bytes);
  }
  return out;
}

Evaluation evaluate(const Model& model, std::span<const int32_t> ids, int64_t bytes, int64_t window, KvType kv) {
  check(bytes >= 0, "evaluate", "expected a length in bytes of at least 0, got {}", bytes);
  Stopwatch watch;
  Evaluation out = evaluation_of(sum_of_losses(model, ids, window, kv), std::ssize(ids), bytes);
  out.tokens_per_second = static_cast<double>(out.tokens) / watch.lap();
  return out;
}

}  // namespace tern
