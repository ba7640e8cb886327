// SPDX-License-Identifier: Apache-2.0
// Loss, perplexity and bits per byte of a text.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/check.h"
#include "tern/ops.h"
#include "tern/train.h"
#include "train/stopwatch.h"

namespace tern {
namespace {

constexpr int64_t kLogitsAtOnce = int64_t{1} << 24;  // 64 MiB of f32
constexpr int64_t kRowsAtOnce = 16;

// `rows` windows, one after the other in the text, each with `length` tokens to predict.
struct Group {
  std::span<const int32_t> ids;
  int64_t rows, length;

  // Tokens [begin, begin + count) of each window as i64 [rows, count].
  Tensor columns(int64_t begin, int64_t count, const Device& device) const {
    std::vector<int64_t> out;
    for (int64_t row = 0; row < rows; ++row) {
      const auto part = ids.subspan(static_cast<size_t>(row * length + begin), static_cast<size_t>(count));
      out.insert(out.end(), part.begin(), part.end());
    }
    return Tensor::from(out, {rows, count}, device);
  }
};

// Adds the losses of the group's tokens to `sum` in the order of the text. Windows too long for their logits to be held
// at once go through a cache in chunks, which gives the same bits.
void add_losses(const Model& model, const Group& group, double& sum) {
  const int64_t chunk = std::clamp<int64_t>(kLogitsAtOnce / (group.rows * model.config().vocab_size), 1, group.length);
  KvCache cache;
  if (chunk < group.length) cache = model.make_cache(group.rows, group.length);
  std::vector<float> losses(static_cast<size_t>(group.rows * group.length));
  for (int64_t begin = 0; begin < group.length; begin += chunk) {
    const int64_t count = std::min(chunk, group.length - begin);
    const Tensor logits =
        model.logits(group.columns(begin, count, model.device()), chunk < group.length ? &cache : nullptr);
    const auto part = cross_entropy_rows(logits, group.columns(begin + 1, count, model.device())).to_vector<float>();
    for (int64_t row = 0; row < group.rows; ++row) {
      std::copy_n(part.begin() + row * count, count, losses.begin() + row * group.length + begin);
    }
  }
  for (float loss : losses) sum += static_cast<double>(loss);
}

void check_arguments(const Model& model, std::span<const int32_t> ids, int64_t bytes, int64_t window) {
  const int64_t longest = model.config().max_position_embeddings + 1;
  check(window >= 2 && window <= longest, "evaluate", "expected a window of 2 to {} tokens, got {}", longest, window);
  check(ids.size() >= 2, "evaluate", "expected a text of at least 2 tokens, got {}", ids.size());
  check(bytes >= 0, "evaluate", "expected a length in bytes of at least 0, got {}", bytes);
  const int64_t vocab = model.config().vocab_size;
  for (int32_t id : ids) check(id >= 0 && id < vocab, "evaluate", "expected ids in [0, {}), got {}", vocab, id);
}

}  // namespace

Evaluation evaluate(const Model& model, std::span<const int32_t> ids, int64_t bytes, int64_t window) {
  check_arguments(model, ids, bytes, window);
  Stopwatch watch;
  const int64_t predicted = static_cast<int64_t>(ids.size()) - 1;
  const int64_t most_rows =
      std::clamp<int64_t>(kLogitsAtOnce / ((window - 1) * model.config().vocab_size), 1, kRowsAtOnce);
  double sum = 0;
  for (int64_t begin = 0; begin < predicted;) {
    const int64_t length = std::min(window - 1, predicted - begin);
    const int64_t rows = std::min(most_rows, (predicted - begin) / length);
    add_losses(model, {ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(rows * length) + 1), rows, length},
               sum);
    begin += rows * length;
  }
  Evaluation out;
  out.tokens = predicted;
  out.loss = sum / static_cast<double>(predicted);
  out.perplexity = std::exp(out.loss);
  if (bytes > 0) {
    out.bits_per_byte = out.loss / std::numbers::ln2 * static_cast<double>(ids.size()) / static_cast<double>(bytes);
  }
  out.tokens_per_second = static_cast<double>(predicted) / watch.lap();
  return out;
}

}  // namespace tern
