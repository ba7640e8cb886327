// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "engine/draft_model.h"
#include "engine/pass.h"
#include "engine/scheduler.h"
#include "tern/engine.h"

namespace tern {
namespace {

constexpr int64_t kDefaultPoolBytes = int64_t{2} << 30;
constexpr int64_t kMostDraftTokens = 64;  // within what a grammar can take back

// Options in range, kv_tokens chosen and in full pages.
EngineOptions checked(EngineOptions options, const Model& model) {
  constexpr const char* op = "engine";
  const auto at_least = [](int64_t value, int64_t least, const char* name) {
    check(value >= least, op, "expected {} of at least {}, got {}", name, least, value);
  };
  at_least(options.page_tokens, 1, "page_tokens");
  at_least(options.kv_tokens, 0, "kv_tokens");
  at_least(options.max_sequences, 1, "max_sequences");
  at_least(options.prefill_chunk, 1, "prefill_chunk");
  const SpeculationOptions& speculation = options.speculation;
  check(speculation.max_draft >= 1 && speculation.max_draft <= kMostDraftTokens, op,
        "expected max_draft between 1 and {}, got {}", kMostDraftTokens, speculation.max_draft);
  if (speculation.kind == Speculation::draft_model) {
    const Model& draft = speculation.draft_model;
    check(draft.defined(), op, "expected a draft model, got none");
    check(draft.config().vocab_size == model.config().vocab_size, op,
          "expected a draft model with the model's vocabulary of {} tokens, got {}", model.config().vocab_size,
          draft.config().vocab_size);
  }
  if (options.kv_tokens == 0) {
    const int64_t window = model.config().max_position_embeddings;
    const int64_t bytes = model.kv_bytes_per_token({.type = options.kv, .page_tokens = options.page_tokens});
    const int64_t affordable = std::max(window, kDefaultPoolBytes / bytes);
    options.kv_tokens = std::min(affordable, options.max_sequences * window);
  }
  options.kv_tokens = (options.kv_tokens + options.page_tokens - 1) / options.page_tokens * options.page_tokens;
  return options;
}

KvPool make_pool(const Model& model, const EngineOptions& options) {
  return model.make_kv_pool(
      {.type = options.kv, .pages = options.kv_tokens / options.page_tokens, .page_tokens = options.page_tokens});
}

std::unique_ptr<DraftModel> make_draft_model(const EngineOptions& options) {
  if (options.speculation.kind != Speculation::draft_model) return nullptr;
  return std::make_unique<DraftModel>(options.speculation.draft_model, options.kv, options.page_tokens,
                                      options.kv_tokens, options.prefill_chunk);
}

}  // namespace

struct Engine::State {
  State(Model the_model, Tokenizer the_tokenizer, const EngineOptions& wanted)
      : model(std::move(the_model)),
        tokenizer(std::move(the_tokenizer)),
        options(checked(wanted, model)),
        scheduler(make_pool(model, options), options.reuse_prefixes, {options.max_sequences, options.prefill_chunk}),
        draft_model(make_draft_model(options)),
        pass(model, scheduler.keeper(), draft_model.get(), options.speculation.kind),
        kv_bytes(scheduler.keeper().pool().bytes()) {}

  // Any thread.
  std::shared_ptr<const TokenTrie> trie_for(const Request& request);
  void check_fits(int64_t prompt_tokens, int64_t max_tokens) const;

  // The stepping thread.
  void take_submitted();
  void end_cancelled();
  void run_pass();
  void advance(Sequence& sequence);
  void draw(Sequence& sequence);
  void hand_over_finished();
  void settle(Sequence& sequence, int64_t length);
  bool publish_statistics();

  const Model model;
  const Tokenizer tokenizer;
  const EngineOptions options;

  // The stepping thread's.
  std::mutex turn;
  std::atomic<std::thread::id> stepping = {};
  Scheduler scheduler;
  std::unique_ptr<DraftModel> draft_model;
  Pass pass;
  EngineStatistics sums;
  PickStatistics picks;

  // Everybody's, under `mutex`.
  std::mutex mutex;
  std::condition_variable submitted;
  RequestId last_id = 0;
  std::vector<std::shared_ptr<Sequence>> inbox;
  std::unordered_map<RequestId, std::shared_ptr<Sequence>> live;
  std::unordered_map<RequestId, GenerateResult> finished;
  EngineStatistics statistics;
  std::shared_ptr<const TokenTrie> trie;

  const int64_t kv_bytes;
};

// ---------------------------------------------------------------- any thread

std::shared_ptr<const TokenTrie> Engine::State::trie_for(const Request& request) {
  if (!request.grammar) return nullptr;
  const std::lock_guard lock(mutex);
  if (!trie) {
    std::vector<int32_t> eos;
    for (const int64_t id : model.config().eos_token_ids) {
      if (id >= 0 && id < tokenizer.vocab_size()) eos.push_back(static_cast<int32_t>(id));
    }
    trie = std::make_shared<const TokenTrie>(tokenizer, eos);
  }
  return trie;
}

void Engine::State::check_fits(int64_t prompt_tokens, int64_t max_tokens) const {
  const int64_t window = model.config().max_position_embeddings;
  const int64_t fed = std::max<int64_t>(max_tokens - 1, 0);  // the last token is only drawn
  const int64_t needed = prompt_tokens < window && fed < window - prompt_tokens ? prompt_tokens + fed : window;
  check(needed <= options.kv_tokens, "generate", "expected at most kv_tokens = {} tokens of prompt and output, got {}",
        options.kv_tokens, needed);
}

Engine::Engine(Model model, Tokenizer tokenizer, const EngineOptions& options)
    : state_(std::make_unique<State>(std::move(model), std::move(tokenizer), options)) {}

Engine::~Engine() = default;

RequestId Engine::submit(Request request) {
  State& state = *state_;
  const ModelConfig& config = state.model.config();
  std::vector<int32_t> prompt = prompt_ids(request, config, state.tokenizer);
  state.check_fits(std::ssize(prompt), request.max_tokens);
  std::shared_ptr<const TokenTrie> trie = state.trie_for(request);
  const bool has_taker = !request.on_finish;
  RequestId id = 0;
  {
    const std::lock_guard lock(state.mutex);
    id = ++state.last_id;
  }
  Generation generation(id, std::move(request), std::move(prompt), config, state.tokenizer, std::move(trie));
  auto sequence = std::make_shared<Sequence>(std::move(generation), state.options.speculation.max_draft, has_taker);
  {
    const std::lock_guard lock(state.mutex);
    state.live.emplace(id, sequence);
    state.inbox.push_back(std::move(sequence));
    ++state.statistics.submitted;
  }
  state.submitted.notify_all();
  return id;
}

bool Engine::cancel(RequestId id) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->live.find(id);
  if (found == state_->live.end()) return false;
  found->second->cancelled = true;
  return true;
}

std::optional<GenerateResult> Engine::take(RequestId id) {
  const std::lock_guard lock(state_->mutex);
  if (const auto found = state_->finished.extract(id)) return std::move(found.mapped());
  const auto running = state_->live.find(id);
  check(running != state_->live.end() && running->second->has_taker, "engine",
        "expected a request whose result is kept, got {}", id);
  return std::nullopt;
}

bool Engine::wait_for_work(std::chrono::milliseconds timeout) {
  std::unique_lock lock(state_->mutex);
  return state_->submitted.wait_for(lock, timeout, [&] { return !state_->live.empty(); });
}

EngineStatistics Engine::statistics() const {
  const std::lock_guard lock(state_->mutex);
  return state_->statistics;
}

const EngineOptions& Engine::options() const { return state_->options; }

int64_t Engine::kv_bytes() const { return state_->kv_bytes; }

// ---------------------------------------------------------------- the stepping thread

namespace {

// Marks the thread that steps while it does.
class Stepping {
 public:
  Stepping(std::mutex& turn, std::atomic<std::thread::id>& stepping) : stepping_(stepping) {
    check(stepping_ != std::this_thread::get_id(), "engine", "expected a step from outside, got one from a callback");
    lock_ = std::unique_lock(turn);
    stepping_ = std::this_thread::get_id();
  }
  ~Stepping() { stepping_ = std::thread::id(); }
  Stepping(const Stepping&) = delete;
  Stepping& operator=(const Stepping&) = delete;

 private:
  std::atomic<std::thread::id>& stepping_;
  std::unique_lock<std::mutex> lock_;
};

}  // namespace

bool Engine::step() {
  State& state = *state_;
  const Stepping turn(state.turn, state.stepping);
  state.take_submitted();
  state.end_cancelled();
  state.run_pass();
  state.hand_over_finished();
  return state.publish_statistics();
}

void Engine::run_until_idle() {
  while (step()) {
  }
}

void Engine::State::take_submitted() {
  const std::lock_guard lock(mutex);
  for (auto& sequence : inbox) scheduler.add(std::move(sequence));
  inbox.clear();
}

void Engine::State::end_cancelled() {
  scheduler.for_each([](Sequence& sequence) {
    if (sequence.cancelled) sequence.generation.finish("cancelled");
  });
  hand_over_finished();
}

void Engine::State::run_pass() {
  const std::vector<std::shared_ptr<Sequence>> planned = scheduler.plan();
  if (planned.empty()) return;
  const Clock::time_point begin = Clock::now();
  pass.run(planned, picks);
  const Clock::time_point end = Clock::now();
  for (const auto& sequence : planned) {
    GenerateResult& result = sequence->generation.result();
    if (!std::exchange(sequence->started, true)) result.queue_seconds = seconds_between(sequence->submitted, begin);
    (result.ids.empty() ? result.prefill_seconds : result.decode_seconds) += seconds_between(begin, end);
  }
  for (const auto& sequence : planned) {
    if (!sequence->generation.finished()) advance(*sequence);
  }
  ++sums.steps;
}

// Takes what a pass brought: tokens of the prompt, or tokens drawn.
void Engine::State::advance(Sequence& sequence) {
  Generation& generation = sequence.generation;
  if (generation.generated() == 0 || sequence.planned > 1) sums.prompt_tokens += sequence.planned;
  generation.prompt_taken(sequence.kept.kv.length);
  if (sequence.draws && !generation.finished()) return draw(sequence);
  // Guesses behind the context have run, too, where a callback ends the request as its prompt is complete.
  settle(sequence, std::min(sequence.kept.kv.length, std::ssize(generation.context())));
}

// Each draw counts up to the first that a guess did not foresee.
void Engine::State::draw(Sequence& sequence) {
  Generation& generation = sequence.generation;
  const std::vector<int32_t>& draft = sequence.draft;
  const int64_t slides = generation.slides();
  const int64_t known = std::ssize(generation.context());
  int64_t drawn = 0, accepted = 0;
  for (Pick& pick : sequence.picks) {
    const int32_t id = pick.id;
    generation.push(std::move(pick));
    const bool foreseen = drawn < std::ssize(draft) && draft[static_cast<size_t>(drawn)] == id;
    ++drawn;
    accepted += foreseen ? 1 : 0;
    if (!foreseen || generation.finished()) break;
  }
  sequence.draft_length.update(std::ssize(draft), accepted);
  generation.result().drafted_tokens += std::ssize(draft);
  generation.result().accepted_tokens += accepted;
  sums.drafted_tokens += std::ssize(draft);
  sums.accepted_tokens += accepted;
  sums.generated_tokens += drawn;
  if (generation.slides() == slides) return settle(sequence, known + drawn - 1);
  scheduler.keeper().release(sequence.kept);
  if (draft_model) draft_model->truncate(sequence.draft_kv, 0);
}

void Engine::State::settle(Sequence& sequence, int64_t length) {
  scheduler.keeper().settle(sequence.kept, length, sequence.generation.context());
  if (draft_model) draft_model->truncate(sequence.draft_kv, length);
}

void Engine::State::hand_over_finished() {
  for (const auto& sequence : scheduler.remove_finished()) {
    if (draft_model) draft_model->truncate(sequence->draft_kv, 0);
    const bool delivered = sequence->generation.deliver();
    const RequestId id = sequence->generation.id();
    const std::lock_guard lock(mutex);
    if (!delivered) finished.emplace(id, std::move(sequence->generation.result()));
    live.erase(id);
    ++sums.finished;
  }
}

// True when there is more to do.
bool Engine::State::publish_statistics() {
  const PageKeeper& keeper = scheduler.keeper();
  sums.early_steps = pass.early();
  sums.cached_tokens = scheduler.cached_tokens();
  sums.preemptions = scheduler.preemptions();
  sums.evicted_pages = keeper.evicted_pages();
  sums.screened_rows = picks.screened;
  sums.fallback_rows = picks.fallbacks;
  sums.running = scheduler.running();
  sums.pages = keeper.pool().pages();
  sums.free_pages = keeper.pool().free_pages();
  sums.cached_pages = keeper.cached_pages();
  const std::lock_guard lock(mutex);
  sums.submitted = statistics.submitted;
  sums.waiting = scheduler.waiting() + std::ssize(inbox);
  statistics = sums;
  return !live.empty();
}

}  // namespace tern
