// SPDX-License-Identifier: Apache-2.0
#include "ops/scores.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

#include "ops/call.h"
#include "ops/checks.h"
#include "ops/copy.h"

namespace tern {
namespace {

constexpr const char* kOp = "search_scores";

// Of the tokens found in a row, so many come with the first copy, which then is mostly the only one.
constexpr int64_t kSpare = 24;

// The queries of all rows and the bits that they point to, in one copy.
class Queries {
 public:
  Queries(std::span<const ScoreSearch> searches, int64_t n) : words_(static_cast<size_t>((n + 63) / 64)) {
    for (const ScoreSearch& search : searches) {
      check(search.leaders >= 1 && search.leaders <= kMostLeaders, kOp, "expected 1 to {} leaders, got {}",
            kMostLeaders, search.leaders);
      check(search.allowed.empty() || search.allowed.size() == words_, kOp, "expected {} words of bits, got {}", words_,
            search.allowed.size());
      queries_.push_back({.allowed = add(search.allowed),
                          .penalized = add(search.penalized),
                          .penalty = search.penalty,
                          .first_leader = leaders_,
                          .leaders = search.leaders,
                          .drop = search.drop,
                          .temperature = search.temperature,
                          .number = search.number});
      leaders_ += search.leaders;
      weighs_ |= search.temperature > 0;
    }
  }

  // Whether a token is forbidden or penalized.
  bool restrict() const { return !bits_.empty(); }
  int64_t leaders() const { return leaders_; }
  bool weighs() const { return weighs_; }

  Tensor upload(const Device& device) const {
    const auto queries = std::as_bytes(std::span(queries_)), bits = std::as_bytes(std::span(bits_));
    std::vector<std::byte> all(queries.begin(), queries.end());
    all.insert(all.end(), bits.begin(), bits.end());
    return Tensor::from_bytes(all, {std::ssize(all)}, DType::u8, device);
  }
  const ScoreQuery* queries(const Tensor& uploaded) const { return static_cast<const ScoreQuery*>(uploaded.raw()); }
  const uint64_t* bits(const Tensor& uploaded) const {
    return reinterpret_cast<const uint64_t*>(queries(uploaded) + queries_.size());
  }

 private:
  int64_t add(std::span<const uint64_t> bits) {
    if (bits.empty()) return -1;
    const int64_t at = std::ssize(bits_);
    bits_.insert(bits_.end(), bits.begin(), bits.begin() + static_cast<std::ptrdiff_t>(std::min(bits.size(), words_)));
    bits_.resize(static_cast<size_t>(at) + words_);
    return at;
  }

  size_t words_;
  std::vector<ScoreQuery> queries_;
  std::vector<uint64_t> bits_;
  int64_t leaders_ = 0;
  bool weighs_ = false;
};
static_assert(std::is_trivially_copyable_v<ScoreQuery> && sizeof(ScoreQuery) % sizeof(uint64_t) == 0);

// What SurvivingScoresArgs gives, in one piece of memory: the count, summaries, rests, and the tokens found.
class Results {
 public:
  Results(const Device& device, int64_t rows, int64_t n, int64_t most, bool weighs)
      : rows_(static_cast<size_t>(rows)),
        parts_(weighs ? static_cast<size_t>(score_parts(n)) : 0),
        rests_at_(sizeof(int64_t) + rows_ * sizeof(ScoreSummary)),
        found_at_(rests_at_ + rows_ * parts_ * sizeof(double)),
        memory_(
            Tensor::empty({static_cast<int64_t>(found_at_ + rows_ * static_cast<size_t>(most) * sizeof(FoundScore))},
                          DType::u8, device)) {
    device.memory().zero(memory_.raw(), rests_at_);
  }

  int64_t* count() const { return at<int64_t>(0); }
  ScoreSummary* summaries() const { return at<ScoreSummary>(sizeof(int64_t)); }
  double* rests() const { return parts_ == 0 ? nullptr : at<double>(rests_at_); }
  FoundScore* found() const { return at<FoundScore>(found_at_); }

  // On the host; `expected` tokens in the first copy. Adds to `all` how many were found.
  std::vector<FoundScores> read(int64_t most, int64_t expected, int64_t& all) const {
    std::vector<std::byte> host(found_at_ + static_cast<size_t>(expected) * sizeof(FoundScore));
    DeviceMemory& memory = memory_.device().memory();
    host.resize(std::min(host.size(), static_cast<size_t>(memory_.numel())));
    memory.copy_to_host(host.data(), memory_.raw(), host.size());
    int64_t count = 0;
    std::memcpy(&count, host.data(), sizeof(count));
    const size_t size = found_at_ + static_cast<size_t>(count) * sizeof(FoundScore), have = host.size();
    if (size > have) {
      host.resize(size);
      memory.copy_to_host(host.data() + have, at<std::byte>(have), size - have);
    }
    all += count;
    return sorted(host, static_cast<size_t>(count), most);
  }

 private:
  template <class T>
  T* at(size_t offset) const {
    return reinterpret_cast<T*>(static_cast<std::byte*>(memory_.raw()) + offset);
  }

  std::vector<FoundScores> sorted(const std::vector<std::byte>& host, size_t count, int64_t most) const {
    std::vector<FoundScores> out(rows_);
    for (size_t i = 0; i < count; ++i) {
      FoundScore token;
      std::memcpy(&token, host.data() + found_at_ + i * sizeof(token), sizeof(token));
      out[static_cast<size_t>(token.row)].tokens.push_back(token);
    }
    for (size_t row = 0; row < rows_; ++row) {
      FoundScores& found = out[row];
      ScoreSummary summary;
      std::memcpy(&summary, host.data() + sizeof(int64_t) + row * sizeof(summary), sizeof(summary));
      found.decided = summary.spoiled == 0 && summary.survivors <= most;
      found.least = static_cast<double>(summary.least);
      std::sort(found.tokens.begin(), found.tokens.end(),
                [](const FoundScore& a, const FoundScore& b) { return a.id < b.id; });
      for (size_t part = 0; part < parts_; ++part) {
        double rest = 0;
        std::memcpy(&rest, host.data() + rests_at_ + (row * parts_ + part) * sizeof(rest), sizeof(rest));
        found.rest += rest;
      }
    }
    return out;
  }

  size_t rows_, parts_, rests_at_, found_at_;
  Tensor memory_;
};

void check_searches(const char* op, const Tensor& values, std::span<const ScoreSearch> searches) {
  check_rank(op, {"values", values}, 2);
  const int64_t rows = values.size(0), n = values.size(1);
  check(std::ssize(searches) == rows, op, "expected a search for each of {} rows, got {}", rows, searches.size());
  check(n >= 1 && n < INT32_MAX, op, "expected 1 to {} tokens, got {}", INT32_MAX - 1, n);
  check(searches_scores(values.device()), op, "expected a device that looks through scores itself, got {}",
        values.device().description());
}

// Of rows of values, contiguous.
Tensor leading_scores(const Tensor& values, const Queries& queries, const Tensor& uploaded) {
  const Device& device = values.device();
  Tensor leaders = Tensor::empty({queries.leaders() * int64_t{sizeof(FoundScore)}}, DType::u8, device);
  call(device, &Kernels::leading_scores,
       {.rows = values.size(0),
        .n = values.size(1),
        .low = values.data<float>(),
        .query = queries.queries(uploaded),
        .bits = queries.bits(uploaded),
        .found = static_cast<FoundScore*>(leaders.raw())});
  return leaders;
}

// Whether only the best of all tokens is asked for.
bool asks_for_best(const ScoreSearch& search) {
  return search.leaders == 1 && search.drop == 0 && search.temperature == 0;
}

// The best token of each row of values between these bounds.
std::vector<FoundScores> find_best(const LinearBounds& bounds, const ExactValues& exact, const Queries& queries,
                                   int64_t& computed, const WithBest& with_best) {
  const Tensor low = dense(bounds.low), high = dense(bounds.high), x = dense(exact.x), w = dense(exact.w);
  const Device& device = low.device();
  const Tensor uploaded = queries.restrict() ? queries.upload(device) : Tensor();
  const bool is_led = !queries.restrict() && bounds.leaders.defined();
  const int64_t rows = low.size(0);
  check_shape(kOp, {"x", x}, {rows, w.size(1)});
  std::vector<BestScore> best(static_cast<size_t>(rows));
  const auto bytes = std::as_writable_bytes(std::span(best));
  const Tensor results = Tensor::empty({std::ssize(bytes)}, DType::u8, device);
  const Tensor ids = Tensor::empty({rows}, DType::i64, device);
  call(device, &Kernels::best_scores,
       {.rows = rows,
        .n = low.size(1),
        .k = w.size(1),
        .low = low.data<float>(),
        .high = high.data<float>(),
        .x = x.data<float>(),
        .w = w.raw(),
        .w_dtype = w.dtype(),
        .query = queries.restrict() ? queries.queries(uploaded) : nullptr,
        .bits = queries.restrict() ? queries.bits(uploaded) : nullptr,
        .leaders = is_led ? static_cast<const LeadingBound*>(bounds.leaders.raw()) : nullptr,
        .best = static_cast<BestScore*>(results.raw()),
        .ids = ids.data<int64_t>()});
  const std::unique_ptr<HostCopy> copy = device.memory().start_copy_to_host(results.raw(), bytes.size());
  if (with_best) with_best(ids);
  std::ranges::copy(copy->wait(), bytes.begin());
  std::vector<FoundScores> found(best.size());
  for (size_t row = 0; row < found.size(); ++row) {
    computed += best[row].computed;
    if (best[row].id < 0) continue;
    found[row].decided = true;
    found[row].least = -std::numeric_limits<double>::infinity();
    found[row].tokens = {{static_cast<int32_t>(row), static_cast<int32_t>(best[row].id), best[row].value}};
  }
  return found;
}

std::vector<FoundScores> search(const LinearBounds& bounds, const std::optional<ExactValues>& exact,
                                std::span<const ScoreSearch> searches, int64_t most, int64_t& computed,
                                const WithBest& with_best) {
  const Tensor &low = bounds.low, &high = bounds.high;
  check_inputs(kOp, DType::f32, {{"low", low}, {"high", high}});
  check_searches(kOp, low, searches);
  check_shape(kOp, {"high", high}, low.shape());
  const Device& device = low.device();
  const int64_t rows = low.size(0), n = low.size(1);
  if (rows == 0) return {};
  const Queries queries(searches, n);
  if (exact && std::all_of(searches.begin(), searches.end(), asks_for_best)) {
    return find_best(bounds, *exact, queries, computed, with_best);
  }
  const Tensor uploaded = queries.upload(device), to = dense(high);
  const Tensor leaders = leading_scores(dense(low), queries, uploaded);
  const Results results(device, rows, n, most, queries.weighs());
  auto* const leading = static_cast<FoundScore*>(leaders.raw());
  Tensor x, w;
  if (exact) {
    x = dense(exact->x);
    w = dense(exact->w);
    check_shape(kOp, {"x", x}, {rows, w.size(1)});
  }
  const auto make_exact = [&](FoundScore* pairs, int64_t count_most, const int64_t* count) {
    if (!exact) return;
    call(device, &Kernels::linear_pairs,
         {.most = count_most,
          .k = w.size(1),
          .count = count,
          .x = x.data<float>(),
          .w = w.raw(),
          .w_dtype = w.dtype(),
          .pairs = pairs});
  };
  make_exact(leading, queries.leaders(), nullptr);
  call(device, &Kernels::surviving_scores,
       {.rows = rows,
        .n = n,
        .high = to.data<float>(),
        .exact = !exact,
        .query = queries.queries(uploaded),
        .bits = queries.bits(uploaded),
        .leaders = leading,
        .most = most,
        .summary = results.summaries(),
        .rest = results.rests(),
        .count = results.count(),
        .found = results.found()});
  make_exact(results.found(), rows * most, results.count());
  computed += queries.leaders();
  return results.read(most, queries.leaders() + rows * kSpare, computed);
}

}  // namespace

bool searches_scores(const Device& device) { return device.backend().kernels().leading_scores != nullptr; }

std::vector<FoundScores> search_scores(const Tensor& values, std::span<const ScoreSearch> searches, int64_t most) {
  int64_t ignored = 0;
  return search({values, values}, std::nullopt, searches, most, ignored, {});
}

std::vector<FoundScores> search_scores(const LinearBounds& bounds, const ExactValues& exact,
                                       std::span<const ScoreSearch> searches, int64_t most, int64_t& computed,
                                       const WithBest& with_best) {
  return search(bounds, exact, searches, most, computed, with_best);
}

std::vector<DrawnScore> draw_scores(const Tensor& values, std::span<const ScoreSearch> searches) {
  constexpr const char* op = "draw_scores";
  check_inputs(op, DType::f32, {{"values", values}});
  check_searches(op, values, searches);
  for (const ScoreSearch& search : searches) {
    check(search.leaders == 1, op, "expected one leader, got {}", search.leaders);
    check(search.temperature > 0, op, "expected a temperature above 0, got {}", search.temperature);
    check(search.number >= 0 && search.number < 1, op, "expected a number in [0, 1), got {}", search.number);
  }
  std::vector<DrawnScore> drawn(searches.size());
  if (drawn.empty()) return drawn;
  const Device& device = values.device();
  const Queries queries(searches, values.size(1));
  const Tensor uploaded = queries.upload(device), rows = dense(values);
  const Tensor leaders = leading_scores(rows, queries, uploaded);
  const auto bytes = std::as_writable_bytes(std::span(drawn));
  const Tensor results = Tensor::empty({std::ssize(bytes)}, DType::u8, device);
  call(device, &Kernels::drawn_scores,
       {.rows = rows.size(0),
        .n = rows.size(1),
        .values = rows.data<float>(),
        .query = queries.queries(uploaded),
        .bits = queries.bits(uploaded),
        .leaders = static_cast<const FoundScore*>(leaders.raw()),
        .drawn = static_cast<DrawnScore*>(results.raw())});
  device.memory().copy_to_host(bytes.data(), results.raw(), bytes.size());
  return drawn;
}

}  // namespace tern
