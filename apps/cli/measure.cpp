// SPDX-License-Identifier: Apache-2.0
#include "measure.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <span>
#include <string_view>
#include <utility>

#include "tern/error.h"
#include "tern/ops.h"

namespace tern::cli {
namespace {

constexpr int64_t kCaches = int64_t{640} << 20;  // more bytes than caches hold, for weights that come from memory
constexpr double kShortest = 0.05;               // seconds of calls behind one figure

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::vector<int32_t> some_ids(int64_t count, int64_t first, int64_t vocabulary) {
  std::vector<int32_t> ids;
  for (int64_t i = first; i < first + count; ++i) ids.push_back(static_cast<int32_t>((i * 7919 + 13) % vocabulary));
  return ids;
}

// Sequences of up to `capacity` tokens each, all of them new.
class Sequences {
 public:
  Sequences(const Model& model, KvType kv, int64_t count, int64_t capacity)
      : model_(model), cache_(model.make_cache(count, capacity, kv)) {}

  // The hidden states of `each` more tokens of every sequence, ids having those of the first sequence first.
  std::vector<float> run(std::span<const int32_t> ids, size_t each) {
    std::vector<SequenceStep> steps;
    std::vector<KvSequence>& all = cache_.sequences;
    for (size_t i = 0; i < all.size(); ++i) steps.push_back({ids.subspan(i * each, each), &all[i]});
    return model_.hidden_states(steps, cache_.pool).to_vector<float>();
  }

 private:
  const Model& model_;
  KvCache cache_;
};

// An engine, which wants a tokenizer, for requests that are ids.
class Requests {
 public:
  // Up to `batch` requests of `capacity` tokens, whose prompts are taken in `chunk` tokens at a time.
  Requests(const Model& model, KvType kv, int64_t batch, int64_t capacity, int64_t chunk)
      : vocabulary_(model.config().vocab_size),
        engine_(model, any_tokenizer(), engine_options(kv, batch, capacity, chunk)) {}

  // All requests together: `depth` tokens each, then `tokens` more.
  std::vector<GenerateResult> run(const DecodeLoad& load) {
    std::vector<RequestId> requests;
    for (int64_t i = 0; i < load.sequences; ++i) {
      Request request;
      request.ids = some_ids(load.depth, i * 31, vocabulary_);
      request.max_tokens = load.tokens;
      request.sampling.temperature = load.temperature;
      request.ignore_eos = true;
      requests.push_back(engine_.submit(std::move(request)));
    }
    engine_.run_until_idle();
    std::vector<GenerateResult> results;
    for (const RequestId id : requests) {
      results.push_back(*engine_.take(id));
      if (results.back().error) std::rethrow_exception(results.back().error);
    }
    return results;
  }

  EngineStatistics statistics() const { return engine_.statistics(); }

 private:
  static EngineOptions engine_options(KvType kv, int64_t batch, int64_t capacity, int64_t chunk) {
    EngineOptions options;
    options.kv = kv;
    options.kv_tokens = batch * (capacity + options.page_tokens);
    options.max_sequences = batch;
    options.prefill_chunk = chunk;
    options.reuse_prefixes = false;
    return options;
  }

  static Tokenizer any_tokenizer() {
    const std::string_view texts[] = {"a"};
    return Tokenizer::train(texts);
  }

  int64_t vocabulary_;
  Engine engine_;
};

std::vector<int8_t> random_codes(int64_t count) {
  std::vector<int8_t> codes(static_cast<size_t>(count));
  uint32_t state = 1;
  for (int8_t& code : codes) {
    state = state * 1664525u + 1013904223u;
    code = static_cast<int8_t>(static_cast<int>((state >> 16) * 3 >> 16) - 1);
  }
  return codes;
}

}  // namespace

Spread Repetitions::of(const std::function<double()>& run) const {
  run();
  std::vector<double> figures;
  const double start = now();
  while (std::ssize(figures) < count || now() - start < seconds) figures.push_back(run());
  std::sort(figures.begin(), figures.end());
  const size_t half = figures.size() / 2;
  const double median = figures.size() % 2 == 1 ? figures[half] : (figures[half - 1] + figures[half]) / 2;
  return {median, figures.front(), figures.back()};
}

void check_decoding(const Model& model, KvType kv) {
  constexpr size_t kTokens = 5;
  const std::vector<int32_t> ids = some_ids(kTokens, 0, model.config().vocab_size);
  const std::vector<float> whole = Sequences(model, kv, 1, kTokens).run(ids, kTokens);
  Sequences alone(model, kv, 1, kTokens), among(model, kv, 3, kTokens);
  const auto width = std::ssize(whole) / static_cast<std::ptrdiff_t>(kTokens);
  for (size_t i = 0; i < kTokens; ++i) {
    const std::vector<float> one = alone.run(std::span(ids).subspan(i, 1), 1);
    const int32_t three[] = {ids[i], ids[kTokens - 1 - i], ids[0]};
    const std::vector<float> many = among.run(three, 1);
    const auto row = whole.begin() + static_cast<std::ptrdiff_t>(i) * width;
    if (std::equal(row, row + width, one.begin()) && std::equal(row, row + width, many.begin())) continue;
    throw Error("[bench] expected decoding to give the hidden states of one pass, got others: not measured");
  }
}

Spread prefill_rate(const Model& model, KvType kv, const PrefillLoad& load, const Repetitions& repetitions) {
  Requests requests(model, kv, load.sequences, load.prompt + 1, load.chunk);
  return repetitions.of([&] {
    // Steps are shared, so the longest time is the time of all.
    double seconds = 0;
    for (const GenerateResult& result : requests.run({load.sequences, load.prompt, 1})) {
      seconds = std::max(seconds, result.prefill_seconds);
    }
    return static_cast<double>(load.sequences * load.prompt) / seconds;
  });
}

DecodeRate decode_rate(const Model& model, KvType kv, const DecodeLoad& load, const Repetitions& repetitions) {
  // The first token comes with the prompt.
  DecodeLoad with_first = load;
  ++with_first.tokens;
  // One chunk has all prompts, so that no pass mixes prompts and decoding.
  Requests requests(model, kv, load.sequences, load.depth + with_first.tokens, load.sequences * load.depth);
  DecodeRate found;
  found.rate = repetitions.of([&] {
    // Passes are shared, so the longest time is the time of all.
    const std::vector<GenerateResult> results = requests.run(with_first);
    double seconds = 0;
    for (const GenerateResult& result : results) seconds = std::max(seconds, result.decode_seconds);
    found.ids = results[0].ids;
    return static_cast<double>(load.sequences * load.tokens) / seconds;
  });
  const EngineStatistics statistics = requests.statistics();
  const int64_t screened = statistics.screened_rows + statistics.fallback_rows;
  if (screened > 0)
    found.fallback_share = static_cast<double>(statistics.fallback_rows) / static_cast<double>(screened);
  return found;
}

Spread ternary_seconds(const Device& device, const TernaryShape& shape, int64_t inputs,
                       const Repetitions& repetitions) {
  std::vector<PackedTernary> copies{
      pack_ternary(Tensor::from(random_codes(shape.rows * shape.cols), {shape.rows, shape.cols}, device), 1.0f)};
  const int64_t bytes = std::max<int64_t>(1, copies[0].bytes.numel());
  while (std::ssize(copies) * bytes < kCaches && inputs == 1) {
    PackedTernary copy = copies[0];
    copy.bytes = clone(copy.bytes);
    copies.push_back(std::move(copy));
  }
  std::vector<float> values;
  for (const int8_t code : random_codes(inputs * shape.cols)) values.push_back(static_cast<float>(code) + 0.25f);
  const QuantizedRows x = quantize_rows(Tensor::from(values, {inputs, shape.cols}, device));
  size_t next = 0;
  return repetitions.of([&] {
    int64_t calls = 0;
    const double start = now();
    double spent = 0;
    do {
      ternary_linear(x, copies[next++ % copies.size()]);
      ++calls;
      spent = now() - start;
    } while (spent < kShortest);
    device.synchronize();
    return (now() - start) / static_cast<double>(calls);
  });
}

}  // namespace tern::cli
