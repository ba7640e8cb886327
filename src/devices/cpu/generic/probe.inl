// SPDX-License-Identifier: Apache-2.0
// Kernels that do nothing but keep the machine busy, to measure what it can do at best.
//
// The instruction set gives struct Int8Peak (isa/<name>_probe.cpp):
//   kProducts       int8 products of one step
//   run(steps)      that many steps with the instructions of its ternary products, in registers; returns something of it

// Calls body(begin, end) on ranges of `grain`: small ones, so that no thread waits long for another.
template <class Body>
void for_ranges(const Exec& exec, int64_t count, int64_t grain, const Body& body) {
  const Body* target = &body;
  const Exec::Body call = [](void* arg, int, int64_t begin, int64_t end) {
    (**static_cast<const Body**>(arg))(begin, end);
  };
  exec.parallel(exec.backend, count, grain, call, &target);
}

void read_words(const Exec& exec, const ReadWordsArgs& args) noexcept {
  *args.sum = 0;
  for_ranges(exec, args.count, int64_t{1} << 17, [&](int64_t begin, int64_t end) {
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
  for_ranges(exec, args.items, 1, [&](int64_t begin, int64_t end) {
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
