// SPDX-License-Identifier: Apache-2.0
// A device that looks through scores itself: the test device where it does, else the CPU with the kernels of that
// family as kernels.h describes them.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "device/backend.h"
#include "support/test_device.h"
#include "support/wrapped_cpu.h"

namespace tern::testing {

namespace searching {

inline bool bit(const uint64_t* bits, int64_t first, int64_t i, bool otherwise) {
  return first < 0 ? otherwise : (bits[first + i / 64] >> (i % 64) & 1) != 0;
}

inline double score(const ScoreQuery& query, const uint64_t* bits, float value, int64_t i) {
  if (!bit(bits, query.allowed, i, true)) return -std::numeric_limits<double>::infinity();
  const auto x = static_cast<double>(value);
  if (!bit(bits, query.penalized, i, false)) return x;
  return x > 0 ? x / query.penalty : x * query.penalty;
}

inline void leading_scores(const Exec&, const LeadingScoresArgs& args) noexcept {
  for (int64_t row = 0; row < args.rows; ++row) {
    const ScoreQuery& query = args.query[row];
    const float* const low = args.low + row * args.n;
    std::vector<std::pair<double, int64_t>> best;
    for (int64_t i = 0; i < args.n; ++i) {
      const double s = score(query, args.bits, low[i], i);
      if (s > -std::numeric_limits<double>::infinity()) best.emplace_back(-s, i);
    }
    std::sort(best.begin(), best.end());
    for (int64_t i = 0; i < query.leaders; ++i) {
      FoundScore& to = args.found[query.first_leader + i];
      to = {static_cast<int32_t>(row), -1, 0.0f};
      if (i >= std::ssize(best)) continue;
      to.id = static_cast<int32_t>(best[static_cast<size_t>(i)].second);
      to.value = low[to.id];
    }
  }
}

// By linear_rows, which gives the bits of linear.
inline const Kernels*& plain_kernels() {
  static const Kernels* kernels = nullptr;
  return kernels;
}

inline void linear_pairs(const Exec& exec, const LinearPairsArgs& args) noexcept {
  const int64_t count = args.count == nullptr ? args.most : *args.count;
  for (int64_t i = 0; i < count; ++i) {
    FoundScore& pair = args.pairs[i];
    if (pair.id < 0) continue;
    const int64_t id = pair.id;
    plain_kernels()->linear_rows(exec, {.count = 1,
                                        .k = args.k,
                                        .x = args.x + pair.row * args.k,
                                        .w = args.w,
                                        .w_dtype = args.w_dtype,
                                        .ids = &id,
                                        .y = &pair.value});
  }
}

inline void surviving_scores(const Exec&, const SurvivingScoresArgs& args) noexcept {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (int64_t row = 0; row < args.rows; ++row) {
    const ScoreQuery& query = args.query[row];
    ScoreSummary& summary = args.summary[row];
    double least = kInfinity;
    for (int64_t i = 0; i < query.leaders; ++i) {
      const FoundScore& leader = args.leaders[query.first_leader + i];
      const double s = leader.id < 0 ? -kInfinity : score(query, args.bits, leader.value, leader.id);
      if (!(s < kInfinity)) summary.spoiled = 1;
      least = std::min(least, s);
    }
    summary.least = static_cast<float>(least);
    if (static_cast<double>(summary.least) > least) summary.least = std::nextafter(summary.least, -HUGE_VALF);
    const double floor = static_cast<double>(summary.least) - query.drop;
    double* const rest = query.temperature > 0 ? args.rest + row * score_parts(args.n) : nullptr;
    if (rest != nullptr) std::fill_n(rest, score_parts(args.n), 0.0);
    for (int64_t i = 0; i < args.n; ++i) {
      const float value = args.high[row * args.n + i];
      if (!bit(args.bits, query.allowed, i, true)) continue;
      if (args.exact && !(static_cast<double>(value) < kInfinity)) summary.spoiled = 1;
      const double s = score(query, args.bits, value, i);
      if (s == -kInfinity) continue;
      if (s < floor) {
        if (rest != nullptr) {
          rest[i / kScorePart] += std::exp((s - static_cast<double>(summary.least)) / query.temperature);
        }
      } else if (++summary.survivors <= args.most) {
        args.found[(*args.count)++] = {static_cast<int32_t>(row), static_cast<int32_t>(i), value};
      }
    }
  }
}

// Leaders of slices of neighbours, as many as may be.
inline void coded_linear(const Exec& exec, const CodedLinearArgs& args) noexcept {
  plain_kernels()->coded_linear(exec, args);
  if (args.leaders == nullptr) return;
  const int64_t slice = (args.n + kLeadingBounds - 1) / kLeadingBounds;
  for (int64_t i = 0; i < args.rows * kLeadingBounds; ++i) {
    constexpr float kNone = -std::numeric_limits<float>::infinity();
    LeadingBound& leader = args.leaders[i];
    leader = {kNone, kNone, -1};
    const int64_t row = i / kLeadingBounds, first = i % kLeadingBounds * slice;
    for (int64_t j = first; j < std::min(first + slice, args.n); ++j) {
      const float low = args.low[row * args.n + j], high = args.high[row * args.n + j];
      if (low > leader.low) leader = {low, high, static_cast<int32_t>(j)};
    }
  }
}

inline void best_scores(const Exec& exec, const BestScoresArgs& args) noexcept {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (int64_t row = 0; row < args.rows; ++row) {
    constexpr ScoreQuery kAny = {-1, -1, 1, 0, 1, 0, 0, 0};
    const ScoreQuery query = args.query != nullptr ? args.query[row] : kAny;
    BestScore& best = args.best[row];
    best = {-1, 0, 0.0f};
    double greatest = -kInfinity;
    bool spoiled = false;
    const auto compute = [&](int64_t id) {
      float value = 0;
      plain_kernels()->linear_rows(exec, {.count = 1,
                                          .k = args.k,
                                          .x = args.x + row * args.k,
                                          .w = args.w,
                                          .w_dtype = args.w_dtype,
                                          .ids = &id,
                                          .y = &value});
      ++best.computed;
      spoiled |= !(static_cast<double>(value) < kInfinity);
      return value;
    };
    int64_t leader = -1;
    double most = -kInfinity;
    for (int64_t i = 0; i < args.n; ++i) {
      const double s = score(query, args.bits, args.low[row * args.n + i], i);
      if (s > most) leader = i, most = s;
    }
    args.ids[row] = 0;
    if (leader < 0) continue;
    const double floor = score(query, args.bits, compute(leader), leader);
    for (int64_t i = 0; i < args.n; ++i) {
      const double s = score(query, args.bits, args.high[row * args.n + i], i);
      if (s == -kInfinity || s < floor) continue;
      const float value = compute(i);
      if (!(score(query, args.bits, value, i) > greatest)) continue;
      greatest = score(query, args.bits, value, i);
      best.id = i;
      best.value = value;
    }
    if (spoiled) best.id = -1;
    args.ids[row] = std::max<int64_t>(best.id, 0);
  }
}

inline void drawn_scores(const Exec&, const DrawnScoresArgs& args) noexcept {
  for (int64_t row = 0; row < args.rows; ++row) {
    const ScoreQuery& query = args.query[row];
    const FoundScore& leader = args.leaders[query.first_leader];
    args.drawn[row] = {0, 0, 0, -1};
    if (leader.id < 0) continue;
    const double best = score(query, args.bits, leader.value, leader.id);
    const auto weight = [&](int64_t i) {
      return std::exp((score(query, args.bits, args.values[row * args.n + i], i) - best) / query.temperature);
    };
    DrawnScore& drawn = args.drawn[row];
    for (int64_t i = 0; i < args.n; ++i) drawn.total += weight(i);
    for (int64_t i = 0; i < args.n && drawn.id < 0; ++i) {
      drawn.through = drawn.before + weight(i);
      if (query.number * drawn.total < drawn.through) {
        drawn.id = i;
      } else {
        drawn.before = drawn.through;
      }
    }
  }
}

class SearchingBackend final : public WrappedCpu {
 public:
  explicit SearchingBackend(const Device& cpu) : WrappedCpu(cpu, "searches") {
    plain_kernels() = &cpu.backend().kernels();
    table().coded_linear = coded_linear;
    static_cast<ScoreKernels&>(table()) = {leading_scores, linear_pairs, surviving_scores, best_scores, drawn_scores};
  }
};

}  // namespace searching

inline Device searching_device(int threads = 0) {
  const Device device = test_device(threads);
  if (device.backend().kernels().leading_scores != nullptr) return device;
  return Device(std::make_shared<searching::SearchingBackend>(device));
}

}  // namespace tern::testing
