// SPDX-License-Identifier: Apache-2.0
// engine_soak [--seconds N] [--seed S] [--threads T]: a time of mixed requests from two threads while a third one
// steps: joins, cancels, throwing callbacks, odd lengths, grammars, speculation, shared prefixes, tiny pools. Every
// result is compared with the same request's alone. Prints resident memory over time; exits with 1 at the first wrong
// result.
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/request_mix.h"

namespace tern::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kMix = 64;  // different requests
constexpr int kPerRound = 60;  // requests of each submitting thread before engine and options change
constexpr KvType kKvTypes[] = {KvType::f32, KvType::f16, KvType::int8, KvType::int4};

struct Options {
  double seconds = 5;
  uint64_t seed = 1;
  int threads = 2;
};

double resident_megabytes() {
  std::ifstream file("/proc/self/statm");
  int64_t total = 0, resident = 0;
  file >> total >> resident;
  return static_cast<double>(resident * sysconf(_SC_PAGESIZE)) / (1 << 20);
}

struct Outcome {
  uint64_t index;
  bool cut_short;  // cancelled, or its callback threw
  GenerateResult result;
};

struct Totals {
  int64_t rounds = 0, results = 0, cut_short = 0;
  EngineStatistics engine;
};

void add(EngineStatistics& sum, const EngineStatistics& one) {
  sum.steps += one.steps;
  sum.generated_tokens += one.generated_tokens;
  sum.cached_tokens += one.cached_tokens;
  sum.drafted_tokens += one.drafted_tokens;
  sum.accepted_tokens += one.accepted_tokens;
  sum.preemptions += one.preemptions;
  sum.evicted_pages += one.evicted_pages;
}

// One engine, two threads that give it work, this one that steps.
class Round {
 public:
  Round(RequestMix& mix, uint64_t seed, KvType kv)
      : mix_(mix), seed_(seed), engine_(mix.model(), mix.tokenizer(), mix.engine_options(seed, kv)) {}

  std::vector<Outcome> run() {
    std::thread first([&] { submit_all(seed_ * 2); }), second([&] { submit_all(seed_ * 2 + 1); });
    while (submitting_ > 0) {
      engine_.wait_for_work(std::chrono::milliseconds(1));
      engine_.step();
    }
    engine_.run_until_idle();
    first.join();
    second.join();
    return std::move(outcomes_);
  }

  EngineStatistics statistics() const { return engine_.statistics(); }

 private:
  void submit_all(uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < kPerRound; ++i) {
      const RequestId id = submit_one(random);
      if (random() % 8 == 0) engine_.cancel(id);
      if (random() % 8 == 0) engine_.cancel(random() % (id + 1));
      if (random() % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
    }
    --submitting_;
  }

  RequestId submit_one(std::mt19937_64& random) {
    const uint64_t index = random() % kMix;
    Request request = mix_.request(index);
    if (random() % 8 == 0) {
      request.on_text = [calls = random() % 20](std::string_view) mutable {
        if (calls-- == 0) throw std::runtime_error("a callback's own trouble");
        return true;
      };
    } else if (random() % 8 == 0) {
      request.on_token = [calls = random() % 20](const GeneratedToken&) mutable { return calls-- != 0; };
    }
    request.on_finish = [this, index](RequestId, GenerateResult result) {
      const bool cut_short = result.finish_reason == "cancelled" || result.finish_reason == "error";
      const std::lock_guard lock(mutex_);
      outcomes_.push_back({index, cut_short, std::move(result)});
    };
    return engine_.submit(std::move(request));
  }

  RequestMix& mix_;
  uint64_t seed_;
  std::atomic<int> submitting_ = 2;
  std::mutex mutex_;
  std::vector<Outcome> outcomes_;
  Engine engine_;
};

bool right(RequestMix& mix, const Outcome& outcome, KvType kv, uint64_t seed) {
  const GenerateResult& expected = mix.expected(outcome.index, kv);
  const std::string wrong =
      outcome.cut_short ? difference_as_beginning(outcome.result, expected) : difference(outcome.result, expected);
  if (wrong.empty()) return true;
  fmt::print("round {}, request {}, keys and values in {}: {}\n", seed, outcome.index, name_of(kv), wrong);
  return false;
}

bool run_round(RequestMix& mix, uint64_t seed, Totals& totals) {
  const KvType kv = kKvTypes[seed % std::size(kKvTypes)];
  Round round(mix, seed, kv);
  const std::vector<Outcome> outcomes = round.run();
  bool good = std::ssize(outcomes) == 2 * kPerRound;
  if (!good) fmt::print("round {}: {} results of {} requests\n", seed, outcomes.size(), 2 * kPerRound);
  for (const Outcome& outcome : outcomes) {
    good = right(mix, outcome, kv, seed) && good;
    totals.cut_short += outcome.cut_short ? 1 : 0;
  }
  const EngineStatistics statistics = round.statistics();
  if (statistics.free_pages + statistics.cached_pages != statistics.pages) {
    fmt::print("round {}: {} pages free and {} cached of {}\n", seed, statistics.free_pages, statistics.cached_pages,
               statistics.pages);
    good = false;
  }
  ++totals.rounds;
  totals.results += std::ssize(outcomes);
  add(totals.engine, statistics);
  return good;
}

void report(double seconds, const Totals& totals) {
  const EngineStatistics& e = totals.engine;
  fmt::print(
      "{:7.1f} s  {:7.1f} MB  rounds {}  results {} ({} cut short)  tokens {}  cached {}  guessed {} right {}  "
      "preempted {}  evicted {}\n",
      seconds, resident_megabytes(), totals.rounds, totals.results, totals.cut_short, e.generated_tokens,
      e.cached_tokens, e.drafted_tokens, e.accepted_tokens, e.preemptions, e.evicted_pages);
  std::fflush(stdout);
}

int soak(const Options& options) {
  RequestMix mix(options.threads);
  Totals totals;
  const Clock::time_point start = Clock::now();
  const auto passed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  const double interval = options.seconds / 20;
  double next_report = interval;
  for (uint64_t seed = options.seed; totals.rounds == 0 || passed() < options.seconds; ++seed) {
    if (!run_round(mix, seed, totals)) return 1;
    if (passed() >= next_report) {
      report(passed(), totals);
      next_report = passed() + interval;
    }
  }
  report(passed(), totals);
  return 0;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--seconds") options.seconds = std::atof(argv[i + 1]);
    if (name == "--seed") options.seed = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--threads") options.threads = std::atoi(argv[i + 1]);
  }
  return options;
}

}  // namespace
}  // namespace tern::testing

int main(int argc, char** argv) { return tern::testing::soak(tern::testing::parse(argc, argv)); }
