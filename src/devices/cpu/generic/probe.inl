// SPDX-License-Identifier: Apache-2.0
// Kernels that do nothing but keep the machine busy, to measure what it can do at best.
//
// The instruction set gives struct Product (isa/<name>_probe.cpp), one instruction of its ternary products and its sum:
//   kProducts       int8 products of it
//   kSums           how many of them are under way at once: enough to hide its latency, few enough for the registers
//   Sum, Operand    registers; operand(value) fills one
//   keep(u)         makes the compiler take u for another value
//   add(sum, u, q)  sum += u·q
//   some(sum)       something of it
// or, instead of that, a struct like ProductChain.

// Steps of kSums products each, in registers.
template <class P>
struct ProductChain {
  static constexpr int64_t kProducts = P::kSums * P::kProducts;

  static uint32_t run(int64_t steps) {
    typename P::Sum sums[P::kSums] = {};
    typename P::Operand u = P::operand(2);
    const typename P::Operand q = P::operand(3);
    for (int64_t step = 0; step < steps; ++step) {
      for (typename P::Sum& sum : sums) {
        P::keep(u);  // a value of its own for every product
        P::add(sum, u, q);
      }
    }
    uint32_t all = 0;
    for (const typename P::Sum& sum : sums) all += P::some(sum);
    return all;
  }
};

void read_words(const Exec& exec, const ReadWordsArgs& args) noexcept {
  *args.sum = 0;
  parallel_in_ranges(exec, args.count, int64_t{1} << 17, [&](int64_t begin, int64_t end) {
    uint64_t lanes[16] = {};  // enough sums under way for a vector unit to wait for nothing but memory
    int64_t i = begin;
    for (; i + 16 <= end; i += 16) {
      for (int64_t l = 0; l < 16; ++l) lanes[l] += args.words[i + l];
    }
    for (; i < end; ++i) lanes[0] += args.words[i];
    uint64_t sum = 0;
    for (const uint64_t lane : lanes) sum += lane;
    __atomic_fetch_add(args.sum, sum, __ATOMIC_RELAXED);
  });
}

template <class P>
void int8_peak(const Exec& exec, const Int8PeakArgs& args) noexcept {
  *args.sum = 0;
  parallel_in_ranges(exec, args.items, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      __atomic_fetch_add(args.sum, uint64_t{P::run(args.products / P::kProducts)}, __ATOMIC_RELAXED);
    }
  });
}

template <class P>
constexpr ProbeKernels probe_kernels() {
  ProbeKernels t = {};
  t.read_words = read_words;
  t.int8_peak = int8_peak<P>;
  return t;
}
