// SPDX-License-Identifier: Apache-2.0
// Looking through rows of scores for the few tokens that can matter, on devices that do so (kernels.h, "scores").
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "device/kernels.h"
#include "ops/coded.h"
#include "tern/tensor.h"

namespace tern {

// Whether the device looks through scores itself, which spares copying them to the host.
bool searches_scores(const Device& device);

// What is asked of a row: ScoreQuery in terms of the host.
struct ScoreSearch {
  std::span<const uint64_t> allowed = {};    // a bit for each token, bit i % 64 of word i / 64; empty: all
  std::span<const uint64_t> penalized = {};  // the same; words that are missing are 0
  double penalty = 1;
  int64_t leaders = 1;
  double drop = 0, temperature = 0;
  double number = 0;
};

// The tokens of a row that can matter.
struct FoundScores {
  bool decided = false;  // else there are too many, or one that is allowed is NaN or +Inf, and the rest means nothing
  double least = 0;      // of the leaders' scores, or a little below
  std::vector<FoundScore> tokens;  // in ascending order of ids; values before penalties
  double rest = 0;                 // Σ exp((score - least) / temperature) of the others, if asked for
};

// Where values come from that are known by bounds: x [rows, k] · w [n, k]ᵀ.
struct ExactValues {
  Tensor x, w;
};

// Called with the best token of each row, i64 [rows] on the device, before anybody waits for it: more work may follow
// for which they are all that is missing. Of a row that turns out not to be decided it is any token.
using WithBest = std::function<void(const Tensor& ids)>;

// For each row of values f32 [rows, n]; or of values between bounds, some of which are then computed: how many is added
// to `computed`. A row with more than `most` tokens is not decided. Waits for the device. Where no search asks
// for more than the best token, `with_best` is called, if there is one, and nothing else is found.
std::vector<FoundScores> search_scores(const Tensor& values, std::span<const ScoreSearch> searches, int64_t most);
std::vector<FoundScores> search_scores(const LinearBounds& bounds, const ExactValues& exact,
                                       std::span<const ScoreSearch> searches, int64_t most, int64_t& computed,
                                       const WithBest& with_best = {});

// For each row of values f32 [rows, n], with one leader asked for: where its number falls among the weights of all
// tokens. Waits for the device.
std::vector<DrawnScore> draw_scores(const Tensor& values, std::span<const ScoreSearch> searches);

}  // namespace tern
