// SPDX-License-Identifier: Apache-2.0
// Random numbers (array_kernels.h): element i of a result is a function of the seed, the counter and i, so it is the
// same from any number of threads. Numbers are drawn from the words of Philox blocks (base/philox.h), counted from
// `counter` on with attempt 0:
//   four elements a block, one word each: uniform in f32, exponential in f32, integers of a range up to 2^32;
//   two a block, two words each (the first the upper half): uniform in f64, exponential in f64, chance, other integers;
//   normals come in pairs, made of two numbers: two pairs a block in f32, one in f64.
// Logarithms, sines and cosines are our own series in double, of + - * / alone (base/random_numbers.h).
#pragma once

#include "device/kernels.h"

namespace tern {

enum class RandomKind : uint8_t {
  uniform,      // a + u·(b - a), u in [0, 1) of 24 bits in f32 and 53 in f64; at most `most`
  normal,       // a + b·z, by Box and Muller
  exponential,  // -a·log(u), u in (0, 1]
};

// Of f32 or f64, computed in double and rounded once; contiguous.
struct RandomArgs {
  RandomKind kind;
  DType dtype;
  uint64_t seed, counter;
  int64_t count;
  double a, b, most;
  void* y;
};

// y[i] = low + a number below `range` (2^64 for 0), each as likely, modulo 2^64, of which an integer dtype's low bits
// are taken. By Lemire's multiplication (arXiv 1805.10941): the upper half of word · range, drawn again, with the next
// attempt of the same words, where the lower half is below 2^bits mod range.
struct RandomIntegersArgs {
  DType dtype;
  uint64_t seed, counter;
  int64_t count;
  uint64_t low, range;
  void* y;
};

// y[i] = u < p[i] as bool bytes, u in [0, 1) of 53 bits; p contiguous, or one for all where p_stride is 0.
struct RandomChanceArgs {
  uint64_t seed, counter;
  int64_t count;
  const double* p;
  int64_t p_stride;
  uint8_t* y;
};

struct ArrayRandomKernels {
  Kernel<RandomArgs> random;
  Kernel<RandomIntegersArgs> random_integers;
  Kernel<RandomChanceArgs> random_chance;
};

constexpr bool complete(const ArrayRandomKernels& t) { return t.random && t.random_integers && t.random_chance; }

}  // namespace tern
