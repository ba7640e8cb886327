// SPDX-License-Identifier: Apache-2.0
// Random numbers of arrays: the same ones on every platform, instruction set and number of threads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "tern/tensor.h"

namespace tern {

// A sequence of random numbers by Philox4x32-10 (Salmon and others, SC 2011). Its whole state is the seed and a
// counter: how many blocks of 128 bits were used. Every call takes whole blocks, four numbers each of up to 32 bits or
// two of more, so what it draws depends on the seed, the counter and the numbers asked for, and on nothing else. A
// cheap value; not to be used from several threads at once. Only + - * / and square roots in double stand behind its
// normal and exponential numbers, so they have the same bits everywhere. Results are contiguous; none is part of a
// graph. Devices without kernels for arrays throw Error.
class Generator {
 public:
  explicit Generator(uint64_t seed, uint64_t counter = 0) : seed_(seed), counter_(counter) {}

  uint64_t seed() const { return seed_; }
  uint64_t counter() const { return counter_; }

  // Even in [low, high), of a real float dtype: 24 random bits (53 in f64) between the two, rounded once, never to
  // high.
  Tensor uniform(const Shape& shape, DType dtype, const Device& device, double low = 0, double high = 1);
  // Normal, of a real float dtype; f16 and bf16 are rounded from f32. No number is beyond 6.8 deviations in f32, 8.7 in
  // f64.
  Tensor normal(const Shape& shape, DType dtype, const Device& device, double mean = 0, double deviation = 1);
  // Exponential of this mean, of a real float dtype.
  Tensor exponential(const Shape& shape, DType dtype, const Device& device, double mean = 1);
  // Each integer of [low, high) as likely as any other, exactly; high is at most one beyond the dtype's last.
  Tensor integers(int64_t low, int64_t high, const Shape& shape, DType dtype, const Device& device);
  // All bits of an integer dtype.
  Tensor bits(const Shape& shape, DType dtype, const Device& device);
  // bool, true with this probability in [0, 1], or with those of a float tensor, whose shape the result has. NaN:
  // false.
  Tensor bernoulli(double probability, const Shape& shape, const Device& device);
  Tensor bernoulli(const Tensor& probabilities);

  // 0 … count-1 in random order, i64; every order as likely as any other. Made on the host.
  Tensor permutation(int64_t count, const Device& device);
  // x with the elements of an axis in random order.
  Tensor shuffled(const Tensor& x, int axis = 0);
  // i64 numbers from [0, count): independent ones, or, without replacement, distinct ones in random order (then at most
  // `count`). With `probabilities`, a float tensor [count] that sums to 1, independent ones of these.
  Tensor choice(int64_t count, const Shape& shape, const Device& device, bool replace = true);
  Tensor choice(const Tensor& probabilities, const Shape& shape);

 private:
  // So many blocks of the counter, from the number that is returned on.
  uint64_t take_blocks(int64_t numbers, int64_t per_block);
  // A number below a bound, on the host.
  uint64_t below(uint64_t bound);

  uint64_t seed_, counter_;
};

}  // namespace tern
