// SPDX-License-Identifier: Apache-2.0
// Random numbers of arrays, the CPU's bits: a thread draws the elements of one Philox block after the other.
#include "base/philox.h"
#include "base/random_numbers.h"
#include "devices/cuda/array_entries.h"
#include "devices/cuda/packs.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 256;

__host__ __device__ PhiloxBlock words_of(uint64_t seed, uint64_t block, uint32_t attempt) {
  return philox(philox_counter(block, attempt), seed);
}

// The number `at` of a block: a word of 32 bits, or two as one of 64.
template <class Word>
__host__ __device__ Word word_at(const PhiloxBlock& words, int at) {
  if constexpr (sizeof(Word) == 4) {
    return words.word[at];
  } else {
    return uint64_t{words.word[2 * at]} << 32 | words.word[2 * at + 1];
  }
}

template <class Word>
constexpr int kPerBlock = 16 / sizeof(Word);

// Elements that are made of one block. T: float or double, made of a word of its size each.
template <class T>
struct FloatElements {
  static constexpr int kCount = kPerBlock<T>;

  __host__ __device__ static double fraction(const PhiloxBlock& words, int at) {
    if constexpr (kCount == 4) {
      return fraction32(words.word[at]);
    } else {
      return fraction53(words.word[2 * at], words.word[2 * at + 1]);
    }
  }
  // In (0, 1].
  __host__ __device__ static double above_zero(const PhiloxBlock& words, int at) {
    return fraction(words, at) + (kCount == 4 ? 0x1p-32 : 0x1p-53);
  }

  __host__ __device__ Pack<T, kCount> uniform(const PhiloxBlock& words) const {
    Pack<T, kCount> y;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const double u = kCount == 4 ? fraction24(words.word[i]) : fraction(words, i);
      const double value = args.a + u * (args.b - args.a);
      y.at[i] = static_cast<T>(value < args.most ? value : args.most);
    }
    return y;
  }

  __host__ __device__ Pack<T, kCount> normal(const PhiloxBlock& words) const {
    Pack<T, kCount> y;
#pragma unroll
    for (int i = 0; i < kCount; i += 2) {
      double sine, cosine;
      sine_cosine(fraction(words, i + 1), sine, cosine);
      const double radius = sqrt(-2 * log_of(above_zero(words, i)));
      y.at[i] = static_cast<T>(args.a + args.b * (radius * cosine));
      y.at[i + 1] = static_cast<T>(args.a + args.b * (radius * sine));
    }
    return y;
  }

  __host__ __device__ Pack<T, kCount> exponential(const PhiloxBlock& words) const {
    Pack<T, kCount> y;
#pragma unroll
    for (int i = 0; i < kCount; ++i) y.at[i] = static_cast<T>(-args.a * log_of(above_zero(words, i)));
    return y;
  }

  __host__ __device__ Pack<T, kCount> of_block(int64_t block) const {
    const PhiloxBlock words = words_of(args.seed, args.counter + static_cast<uint64_t>(block), 0);
    switch (args.kind) {
      case RandomKind::uniform:
        return uniform(words);
      case RandomKind::normal:
        return normal(words);
      default:
        return exponential(words);
    }
  }

  RandomArgs args;
};

// T: the unsigned type of the elements' size.
template <class T, class Word>
struct IntegerElements {
  static constexpr int kCount = kPerBlock<Word>;

  __host__ __device__ Pack<T, kCount> of_block(int64_t block) const {
    const uint64_t counter = args.counter + static_cast<uint64_t>(block);
    const PhiloxBlock words = words_of(args.seed, counter, 0);
    Pack<T, kCount> y;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      bool again = false;
      Word value = scaled(word_at<Word>(words, i), args.range, threshold, again);
      for (uint32_t attempt = 1; again; ++attempt) {
        again = false;
        value = scaled(word_at<Word>(words_of(args.seed, counter, attempt), i), args.range, threshold, again);
      }
      y.at[i] = static_cast<T>(args.low + value);
    }
    return y;
  }

  RandomIntegersArgs args;
  uint64_t threshold;
};

struct ChanceElements {
  static constexpr int kCount = kPerBlock<uint64_t>;

  __host__ __device__ Pack<uint8_t, kCount> of_block(int64_t block) const {
    const PhiloxBlock words = words_of(args.seed, args.counter + static_cast<uint64_t>(block), 0);
    Pack<uint8_t, kCount> y = {};
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const int64_t element = block * kCount + i;
      if (element >= args.count) break;  // there is no probability
      const double u = fraction53(words.word[2 * i], words.word[2 * i + 1]);
      y.at[i] = u < args.p[element * args.p_stride] ? 1 : 0;
    }
    return y;
  }

  RandomChanceArgs args;
};

template <bool kPacks, class Elements, class T>
__global__ void __launch_bounds__(kThreads)
    draw_blocks(const __grid_constant__ Elements elements, int64_t count, T* y) {
  constexpr int kCount = Elements::kCount;
  for (int64_t block = thread_of_grid(); block * kCount < count; block += threads_of_grid()) {
    const Pack<T, kCount> drawn = elements.of_block(block);
    T* const to = y + block * kCount;
    if (kPacks && (block + 1) * kCount <= count) {
      store_pack(to, drawn);
      continue;
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      if (block * kCount + i < count) to[i] = drawn.at[i];
    }
  }
}

template <class T, class Elements>
void draw(const Exec& exec, const char* name, int64_t count, const Elements& elements, void* y) {
  if (count == 0) return;
  constexpr int kCount = Elements::kCount;
  T* const to = static_cast<T*>(y);
  const unsigned blocks = blocks_for(ceil_div(count, kCount), kThreads);
  if (hold_packs<kCount>(to)) {
    draw_blocks<true><<<blocks, kThreads, 0, stream_of(exec)>>>(elements, count, to);
  } else {
    draw_blocks<false><<<blocks, kThreads, 0, stream_of(exec)>>>(elements, count, to);
  }
  launched(exec, name);
}

template <class T>
void draw_integers(const Exec& exec, const RandomIntegersArgs& args) {
  const auto run = [&](auto word) {
    using Word = decltype(word);
    const IntegerElements<T, Word> elements = {args, range_threshold<Word>(args.range)};
    draw<T>(exec, "random_integers", args.count, elements, args.y);
  };
  const bool is_narrow = args.range != 0 && args.range <= uint64_t{1} << 32;
  is_narrow ? run(uint32_t{}) : run(uint64_t{});
}

}  // namespace

void array_random(const Exec& exec, const RandomArgs& args) noexcept {
  const auto run = [&](auto element) {
    using T = decltype(element);
    draw<T>(exec, "random", args.count, FloatElements<T>{args}, args.y);
  };
  args.dtype == DType::f64 ? run(double{}) : run(float{});
}

void array_random_integers(const Exec& exec, const RandomIntegersArgs& args) noexcept {
  switch (size_of(args.dtype)) {
    case 1:
      return draw_integers<uint8_t>(exec, args);
    case 2:
      return draw_integers<uint16_t>(exec, args);
    case 4:
      return draw_integers<uint32_t>(exec, args);
    default:
      return draw_integers<uint64_t>(exec, args);
  }
}

void array_random_chance(const Exec& exec, const RandomChanceArgs& args) noexcept {
  draw<uint8_t>(exec, "random_chance", args.count, ChanceElements{args}, args.y);
}

}  // namespace tern::cuda
