// SPDX-License-Identifier: Apache-2.0
// Splitting work among the threads of an Exec.

constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t unit) { return ceil_div(a, unit) * unit; }

// Items of one range when `count` items of about `cost` element operations each are to be split: everything below twice
// 16k operations, a quarter of a thread's share above, at least 16k, and as many ranges for each thread; a multiple of
// `unit`.
int64_t grain_of(const Exec& exec, int64_t count, int64_t cost, int64_t unit) {
  constexpr int64_t kSmallest = 16384;
  const int64_t least = kSmallest / (cost > 0 ? cost : 1) + 1;
  const int64_t most = count / least, threads = exec.threads;
  if (threads == 1 || most < 2) return round_up(count > 0 ? count : 1, unit);
  const int64_t ranges = smaller(most < threads ? most : most - most % threads, threads * 4);
  return round_up(ceil_div(count, ranges), unit);
}

// What each thread has of `count` items, about.
inline int64_t share_of(const Exec& exec, int64_t count) { return ceil_div(count, exec.threads); }

// Calls body(begin, end) on ranges of at most `grain` that cover [0, count), from the threads of exec. A single range
// is the caller's own affair: it does not wait for its turn with the threads.
template <class Body>
void parallel_in_ranges(const Exec& exec, int64_t count, int64_t grain, const Body& body) {
  if (count <= grain) {
    if (count > 0) body(int64_t{0}, count);
    return;
  }
  const Body* target = &body;
  const Exec::Body call = [](void* arg, int, int64_t begin, int64_t end) {
    (**static_cast<const Body**>(arg))(begin, end);
  };
  exec.parallel(exec.backend, count, grain, call, &target);
}

// The same with ranges for items of about `cost` element operations each; they start at multiples of `unit`.
template <class Body>
void parallel_for(const Exec& exec, int64_t count, int64_t cost, int64_t unit, const Body& body) {
  parallel_in_ranges(exec, count, grain_of(exec, count, cost, unit), body);
}

// Calls body(row) for every row, in parallel; a row costs `cost` element operations.
template <class Body>
void for_rows(const Exec& exec, int64_t rows, int64_t cost, const Body& body) {
  parallel_for(exec, rows, cost, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row);
  });
}

// The same with body(scratch, begin, end), scratch being the kScratchBytes of the worker.
template <class Body>
void parallel_with_scratch(const Exec& exec, int64_t count, int64_t cost, const Body& body) {
  struct Target {
    const Exec& exec;
    const Body& body;
  } target = {exec, body};
  const Exec::Body call = [](void* arg, int worker, int64_t begin, int64_t end) {
    const Target& t = *static_cast<const Target*>(arg);
    t.body(t.exec.scratch(t.exec.backend, t.exec.first_worker + worker), begin, end);
  };
  exec.parallel(exec.backend, count, grain_of(exec, count, cost, 1), call, &target);
}
