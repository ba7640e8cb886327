// SPDX-License-Identifier: Apache-2.0
// Random numbers, in groups of Philox blocks: every step is a loop over a group that compilers turn into vectors.

constexpr int64_t kGroupBlocks = 64;
constexpr int64_t kGroupWords = 4 * kGroupBlocks;

// Words of the group of blocks from `counter` on.
inline void random_words(uint64_t seed, uint64_t counter, uint32_t* words) {
  uint32_t c0[kGroupBlocks], c1[kGroupBlocks], c2[kGroupBlocks], c3[kGroupBlocks];
  for (int64_t i = 0; i < kGroupBlocks; ++i) {
    const uint64_t block = counter + static_cast<uint64_t>(i);
    c0[i] = static_cast<uint32_t>(block);
    c1[i] = static_cast<uint32_t>(block >> 32);
    c2[i] = c3[i] = 0;
  }
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    for (int64_t i = 0; i < kGroupBlocks; ++i) philox_round(c0[i], c1[i], c2[i], c3[i], k0, k1);
    k0 += kPhiloxSteps[0];
    k1 += kPhiloxSteps[1];
  }
  for (int64_t i = 0; i < kGroupBlocks; ++i) {
    words[4 * i] = c0[i];
    words[4 * i + 1] = c1[i];
    words[4 * i + 2] = c2[i];
    words[4 * i + 3] = c3[i];
  }
}

// The numbers of a group: u in [0, 1) each, four of a block or two.
template <bool wide>
inline void fractions(const uint32_t* words, double* u) {
  if constexpr (wide) {
    for (int64_t i = 0; i < kGroupWords / 2; ++i) u[i] = fraction53(words[2 * i], words[2 * i + 1]);
  } else {
    for (int64_t i = 0; i < kGroupWords; ++i) u[i] = fraction32(words[i]);
  }
}

template <class T>
inline void random_group(const RandomArgs& args, const uint32_t* words, T* y) {
  constexpr bool kWide = kSame<T, double>;
  constexpr int64_t kCount = kWide ? kGroupWords / 2 : kGroupWords;
  const double a = args.a, b = args.b, most = args.most;
  double u[kCount];
  fractions<kWide>(words, u);
  switch (args.kind) {
    case RandomKind::uniform:
      if constexpr (!kWide) {
        for (int64_t i = 0; i < kCount; ++i) u[i] = fraction24(words[i]);
      }
      for (int64_t i = 0; i < kCount; ++i) {
        const double value = a + u[i] * (b - a);
        y[i] = static_cast<T>(value < most ? value : most);
      }
      return;
    case RandomKind::normal:
      for (int64_t i = 0; i < kCount / 2; ++i) {
        double sine, cosine;
        sine_cosine(u[2 * i + 1], sine, cosine);
        const double radius = __builtin_sqrt(-2 * log_of(u[2 * i] + (kWide ? 0x1p-53 : 0x1p-32)));
        y[2 * i] = static_cast<T>(a + b * (radius * cosine));
        y[2 * i + 1] = static_cast<T>(a + b * (radius * sine));
      }
      return;
    case RandomKind::exponential:
      for (int64_t i = 0; i < kCount; ++i) y[i] = static_cast<T>(-a * log_of(u[i] + (kWide ? 0x1p-53 : 0x1p-32)));
      return;
  }
}

// Calls make(words, y) for every group, y being where the group's elements of type T go; `per_group` of them a group.
template <class T, class Make>
void for_groups(const Exec& exec, uint64_t seed, uint64_t counter, int64_t count, int64_t per_group, void* y,
                const Make& make) {
  for_rows(exec, ceil_div(count, per_group), per_group * 8, [&](int64_t group) {
    uint32_t words[kGroupWords];
    random_words(seed, counter + static_cast<uint64_t>(group * kGroupBlocks), words);
    T* const to = static_cast<T*>(y) + group * per_group;
    const int64_t left = count - group * per_group;
    if (left >= per_group) return make(words, to, group);
    T last[kGroupWords];
    make(words, last, group);
    memcpy(to, last, static_cast<size_t>(left) * sizeof(T));
  });
}

void random(const Exec& exec, const RandomArgs& args) noexcept {
  const auto run = [&]<class T>(T, int64_t per_group) {
    for_groups<T>(exec, args.seed, args.counter, args.count, per_group, args.y,
                  [&](const uint32_t* words, T* y, int64_t) { random_group<T>(args, words, y); });
  };
  args.dtype == DType::f64 ? run(double{}, kGroupWords / 2) : run(float{}, kGroupWords);
}

// Word `at` of a block at its attempts from 1 on, until one will do. In Words of 32 bits, or of 64.
template <class Word>
Word drawn_again(const RandomIntegersArgs& args, uint64_t block, int64_t at, uint64_t threshold) {
  for (uint32_t attempt = 1;; ++attempt) {
    const PhiloxBlock words = philox(philox_counter(block, attempt), args.seed);
    bool again = false;
    Word word;
    if constexpr (sizeof(Word) == 4) {
      word = words.word[at];
    } else {
      word = uint64_t{words.word[2 * at]} << 32 | words.word[2 * at + 1];
    }
    const Word value = scaled(word, args.range, threshold, again);
    if (!again) return value;
  }
}

template <class T, class Word>
void integers_group(const RandomIntegersArgs& args, const uint32_t* words, uint64_t threshold, uint64_t counter, T* y) {
  constexpr int64_t kCount = kGroupWords * 4 / static_cast<int64_t>(sizeof(Word));
  constexpr int64_t kPerBlock = kCount / kGroupBlocks;
  bool any = false, again[kCount];
  for (int64_t i = 0; i < kCount; ++i) {
    Word word;
    if constexpr (sizeof(Word) == 4) {
      word = words[i];
    } else {
      word = uint64_t{words[2 * i]} << 32 | words[2 * i + 1];
    }
    bool repeat = false;
    y[i] = static_cast<T>(args.low + scaled(word, args.range, threshold, repeat));
    again[i] = repeat;
    any |= repeat;
  }
  for (int64_t i = 0; any && i < kCount; ++i) {
    if (!again[i]) continue;
    const uint64_t block = counter + static_cast<uint64_t>(i / kPerBlock);
    y[i] = static_cast<T>(args.low + drawn_again<Word>(args, block, i % kPerBlock, threshold));
  }
}

template <class T, class Word>
void integers(const Exec& exec, const RandomIntegersArgs& args) {
  constexpr int64_t kCount = kGroupWords * 4 / static_cast<int64_t>(sizeof(Word));
  const uint64_t threshold = range_threshold<Word>(args.range);
  for_groups<T>(exec, args.seed, args.counter, args.count, kCount, args.y,
                [&](const uint32_t* words, T* y, int64_t group) {
                  const uint64_t counter = args.counter + static_cast<uint64_t>(group * kGroupBlocks);
                  integers_group<T, Word>(args, words, threshold, counter, y);
                });
}

void random_integers(const Exec& exec, const RandomIntegersArgs& args) noexcept {
  const bool narrow = args.range != 0 && args.range <= uint64_t{1} << 32;
  const auto run = [&]<class T>(T) { narrow ? integers<T, uint32_t>(exec, args) : integers<T, uint64_t>(exec, args); };
  switch (size_of(args.dtype)) {
    case 1:
      return run(uint8_t{});
    case 2:
      return run(uint16_t{});
    case 4:
      return run(uint32_t{});
    default:
      return run(uint64_t{});
  }
}

void random_chance(const Exec& exec, const RandomChanceArgs& args) noexcept {
  constexpr int64_t kCount = kGroupWords / 2;
  for_groups<uint8_t>(exec, args.seed, args.counter, args.count, kCount, args.y,
                      [&](const uint32_t* words, uint8_t* y, int64_t group) {
                        double u[kCount];
                        fractions<true>(words, u);
                        const double* const p = args.p + group * kCount * args.p_stride;
                        const int64_t count = smaller(kCount, args.count - group * kCount);
                        for (int64_t i = 0; i < count; ++i) y[i] = u[i] < p[i * args.p_stride];
                      });
}
