// SPDX-License-Identifier: Apache-2.0
// The memory of a CPU device beside malloc and mimalloc.
//
//   bench_memory [--threads N] [--isa NAME] [--batch N] [--tokens N] [--hidden N] [--generate-hidden N]
//                [--generate-layers N] [--generated N] [--steps N] [--skip-blocks] [--skip-models]
//
// 1. A block is allocated and released, in one thread and in two at once, which either keep to blocks of their own or
//    release each other's; and an empty tensor. Nanoseconds for one, of which each figure is the mean of 64: the clock
//    takes 20 by itself. p50 and p99 are over the means.
// 2. What training steps and a generation allocate is recorded, from the model's first weight on: what the pool holds
//    of the system's memory beyond what is live when most is live.
// 3. The same events are played again, each allocator in a process of its own: resident bytes at the peak, and time.
// 4. How much of what is free a trim gives back, in resident bytes.
//
// malloc is asked for multiples of 64 (aligned_alloc), which kernels need, and as it is. mimalloc is opened where the
// system has it (libmimalloc.so.2), beside malloc and not in its place.
#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <thread>

#include "memory/host_pool.h"
#include "memory_trace.h"
#include "tern/autograd.h"
#include "tern/train.h"
#include "timing.h"

namespace {

using namespace tern::benchmarks;
using tern::Device;
using tern::DType;
using tern::HostPool;
using tern::Tensor;

constexpr int kBatch = 64;  // pairs between two looks at the clock
constexpr int kRounds = 4000;
constexpr double kMiB = 1 << 20;

void keep(void* block) { asm volatile("" : : "r"(block) : "memory"); }

// ---- allocators

Allocator pool_allocator(HostPool& pool) {
  return {[](void* self, size_t bytes) { return static_cast<HostPool*>(self)->allocate(bytes); },
          [](void* self, void* block, size_t bytes) { static_cast<HostPool*>(self)->release(block, bytes); }, &pool};
}

Allocator plain_malloc() {
  return {[](void*, size_t bytes) { return std::malloc(bytes); }, [](void*, void* block, size_t) { std::free(block); }};
}

Allocator aligned_malloc() {
  return {[](void*, size_t bytes) { return std::aligned_alloc(64, std::max<size_t>((bytes + 63) / 64 * 64, 64)); },
          [](void*, void* block, size_t) { std::free(block); }};
}

struct Mimalloc {
  void* (*allocate)(size_t bytes, size_t alignment) = nullptr;
  void (*release)(void* block) = nullptr;

  Mimalloc() {
    void* const library = ::dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return;
    allocate = reinterpret_cast<void* (*)(size_t, size_t)>(::dlsym(library, "mi_malloc_aligned"));
    release = reinterpret_cast<void (*)(void*)>(::dlsym(library, "mi_free"));
  }
  bool exists() const { return allocate != nullptr && release != nullptr; }
  Allocator allocator() {
    return {[](void* self, size_t bytes) { return static_cast<Mimalloc*>(self)->allocate(bytes, 64); },
            [](void* self, void* block, size_t) { static_cast<Mimalloc*>(self)->release(block); }, this};
  }
};

// A new one each time, for as long as the process.
Allocator new_pool(size_t limit) { return pool_allocator(*new HostPool({.limit = limit})); }

struct Named {
  std::string name;
  std::function<Allocator()> make;
};

// ---- 1. blocks and tensors

struct Percentiles {
  double p50, p99;
};

Percentiles percentiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values[values.size() * 99 / 100]};
}

// Nanoseconds of one call, mean by mean.
template <class Call>
std::vector<double> time_calls(const Call& call) {
  for (int i = 0; i < 1000; ++i) call();
  std::vector<double> means;
  for (int round = 0; round < kRounds; ++round) {
    const double start = now();
    for (int i = 0; i < kBatch; ++i) call();
    means.push_back((now() - start) * 1e9 / kBatch);
  }
  return means;
}

std::vector<double> time_pairs(const Allocator& a, size_t bytes) {
  return time_calls([&] {
    void* const block = a.allocate(a.self, bytes);
    keep(block);
    a.release(a.self, block, bytes);
  });
}

// The means of both threads, which begin together.
std::vector<double> time_two_threads(const std::function<std::vector<double>()>& work) {
  std::atomic<int> ready = 0;
  std::vector<double> means[2];
  const auto run = [&](int which) {
    ++ready;
    while (ready < 2) {
    }
    means[which] = work();
  };
  std::thread other(run, 1);
  run(0);
  other.join();
  means[0].insert(means[0].end(), means[1].begin(), means[1].end());
  return means[0];
}

// One thread allocates kBatch blocks, the other releases them meanwhile: nanoseconds for one of both, as the slower of
// the two lets it.
std::vector<double> time_handed_over(const Allocator& a, size_t bytes) {
  constexpr int kSlots = 8;  // batches on their way
  std::vector<std::array<void*, kBatch>> slots(kSlots);
  std::atomic<int> given = 0, taken = 0;
  std::thread other([&] {
    for (int round = 0; round < kRounds; ++round) {
      while (given.load(std::memory_order_acquire) <= round) {
      }
      for (void* const block : slots[static_cast<size_t>(round % kSlots)]) a.release(a.self, block, bytes);
      taken.store(round + 1, std::memory_order_release);
    }
  });
  std::vector<double> means;
  double start = now();
  for (int round = 0; round < kRounds; ++round) {
    while (taken.load(std::memory_order_acquire) + kSlots <= round) {
    }
    for (void*& block : slots[static_cast<size_t>(round % kSlots)]) block = a.allocate(a.self, bytes);
    given.store(round + 1, std::memory_order_release);
    means.push_back((now() - start) * 1e9 / kBatch);
    start = now();
  }
  other.join();
  return means;
}

std::string cell(const std::vector<double>& means) {
  const Percentiles p = percentiles(means);
  return fmt::format("{:8.1f} {:8.1f}", p.p50, p.p99);
}

void measure_blocks(const std::vector<Named>& allocators) {
  fmt::print("block: allocated and released, ns       one thread       two threads        handed over\n");
  fmt::print("                                       p50      p99       p50      p99       p50      p99\n");
  for (const size_t bytes : {size_t{64}, size_t{1000}, size_t{16} << 10, size_t{128} << 10, size_t{2} << 20}) {
    for (const auto& [name, make] : allocators) {
      const Allocator a = make();
      fmt::print("{:>9} {:<22}  {}  {}  {}\n", bytes, name, cell(time_pairs(a, bytes)),
                 cell(time_two_threads([&] { return time_pairs(a, bytes); })), cell(time_handed_over(a, bytes)));
    }
  }
}

void measure_tensors(const Device& device) {
  fmt::print("\ntensor: made and gone, ns                one thread       two threads\n");
  const auto row = [&](const char* name, auto make) {
    const auto work = [&] {
      return time_calls([&] {
        Tensor tensor = make();
        keep(&tensor);
      });
    };
    fmt::print("{:<32}  {}  {}\n", name, cell(work()), cell(time_two_threads(work)));
  };
  row("empty []", [&] { return Tensor::empty({}, DType::f32, device); });
  row("empty [4]", [&] { return Tensor::empty({4}, DType::f32, device); });
  row("empty [2, 3, 4]", [&] { return Tensor::empty({2, 3, 4}, DType::f32, device); });
  const tern::Shape shape = {4, 1, 8, 2, 2, 8}, strides = contiguous_strides(shape);
  row("empty [4, 1, 8, 2, 2, 8]", [&] { return Tensor::empty(shape, DType::f32, device); });
  const tern::MemoryLabel label("labelled");
  row("empty [4] under a label", [&] { return Tensor::empty({4}, DType::f32, device); });
  const Tensor whole = Tensor::empty(shape, DType::f32, device);
  row("view", [&] { return whole.as_strided(shape, strides, 0); });
}

// ---- 2. traces

struct Options {
  int threads = 0, steps = 3;
  std::string isa;
  int64_t batch = 16, tokens = 128, hidden = 256, generate_hidden = 1024, generate_layers = 16, generated = 64;
  bool skip_blocks = false, skip_models = false;
};

// A recording device, and what it is told to do.
template <class Work>
MemoryTrace record(const Options& options, const Work& work) {
  const auto backend =
      std::make_shared<RecordingBackend>(Device::open("cpu", {.threads = options.threads, .isa = options.isa}));
  work(Device(backend));
  return backend->trace();
}

MemoryTrace record_training(const Options& options) {
  return record(options, [&](const Device& device) {
    tern::ModelConfig config;
    config.hidden_size = options.hidden;
    config.intermediate_size = options.hidden * 11 / 4;
    config.vocab_size = 2048;
    tern::Model model = tern::Model::create(config, device, 1);
    tern::Adamw optimizer(model.parameters());
    tern::TokenBatch tokens{options.batch, {}, {}};
    for (int64_t i = 0; i < options.batch * options.tokens; ++i) {
      tokens.ids.push_back(i * 7919 % config.vocab_size);
      tokens.targets.push_back((i + 1) * 7919 % config.vocab_size);
    }
    for (int step = 0; step < options.steps; ++step) {
      model.requantize();
      tern::backward(model.loss(tokens));
      optimizer.step({}, 1.0 / std::max(1.0, optimizer.gradient_norm()));
    }
  });
}

MemoryTrace record_generation(const Options& options) {
  return record(options, [&](const Device& device) {
    tern::ModelConfig config;
    config.hidden_size = options.generate_hidden;
    config.intermediate_size = options.generate_hidden * 11 / 4 / 64 * 64;
    config.num_hidden_layers = options.generate_layers;
    config.vocab_size = 32'000;
    const tern::Model model = tern::Model::create_random_packed(config, device, 1);
    tern::KvPool pool = model.make_kv_pool({.pages = (options.tokens + options.generated) / 32 + 1});
    tern::KvSequence sequence;
    for (int64_t page = 0; page < pool.pages(); ++page) sequence.pages.push_back(pool.acquire());
    std::vector<int32_t> ids(static_cast<size_t>(options.tokens));
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i * 7919 % 32'000);
    for (int64_t made = 0; made <= options.generated; ++made) {
      const tern::SequenceStep step = {ids, &sequence};
      const Tensor hidden = model.hidden_states({&step, 1}, pool);
      const Tensor last = hidden.as_strided({1, config.hidden_size}, {config.hidden_size, 1},
                                            (hidden.size(0) - 1) * config.hidden_size);
      const std::vector<float> logits = model.head_logits(last).to_vector<float>();
      ids = {static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin())};
    }
  });
}

double over(size_t held, size_t live) {
  return 100 * (static_cast<double>(held) - static_cast<double>(live)) / static_cast<double>(live);
}

void print_trace(const char* name, const MemoryTrace& trace) {
  fmt::print("\n{}: {} blocks; at the peak {:.1f} MiB live, {:.1f} held, {:.2f} % more\n", name, trace.blocks,
             static_cast<double>(trace.peak) / kMiB, static_cast<double>(trace.peak_reserved) / kMiB,
             over(trace.peak_reserved, trace.peak));
}

// ---- 3. played again

size_t resident_bytes() {
  size_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

struct Replayed {
  size_t resident = 0;     // more than before, at the peak
  double seconds = 0;      // of all events, pages touched
  double nanoseconds = 0;  // of a pair, of all events again and again without a touch
};

// In a process of its own.
template <class Work>
Replayed in_child(Work work) {
  int ends[2];
  Replayed result;
  if (::pipe(ends) != 0) return result;
  const pid_t child = ::fork();
  if (child == 0) {
    result = work();
    ::_exit(::write(ends[1], &result, sizeof result) == sizeof result ? 0 : 1);
  }
  ::close(ends[1]);
  if (::read(ends[0], &result, sizeof result) != sizeof result) result = {};
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return result;
}

Replayed replayed(const MemoryTrace& trace, const std::function<Allocator()>& make) {
  return in_child([&] {
    Replayed out;
    const Allocator allocator = make();
    const size_t before = resident_bytes();
    const double start = now();
    replay(trace, allocator, true, [&] { out.resident = resident_bytes() - before; });
    const double end = now();
    out.seconds = end - start;
    int rounds = 0;
    for (; rounds < 20 || now() - end < 0.5; ++rounds) replay(trace, allocator, false, [] {});
    out.nanoseconds = (now() - end) * 1e9 / rounds / trace.blocks;
    return out;
  });
}

void play_again(const MemoryTrace& trace, const std::vector<Named>& allocators) {
  fmt::print("{:<24} {:>12} {:>8} {:>14} {:>14}\n", "  played again", "MiB resident", "% more", "touched, ms",
             "ns for a pair");
  for (const auto& [name, make] : allocators) {
    const Replayed r = replayed(trace, make);
    fmt::print("  {:<22} {:>12.1f} {:>8.2f} {:>14.2f} {:>14.1f}\n", name, static_cast<double>(r.resident) / kMiB,
               over(r.resident, trace.peak), r.seconds * 1e3, r.nanoseconds);
  }
}

// ---- 4. trim

// Blocks of all sizes, of which one in 20 stays.
void measure_trim() {
  HostPool pool;
  std::mt19937 random(1);
  std::vector<std::pair<void*, size_t>> gone, kept;
  for (int i = 0; i < 20'000; ++i) {
    const size_t bytes = random() % 100 == 0  ? random() % (8 << 20)
                         : random() % 50 == 0 ? random() % 300'000
                                              : random() % 8'000;
    void* const block = pool.allocate(bytes);
    std::memset(block, 1, bytes);
    (i % 20 == 0 ? kept : gone).emplace_back(block, bytes);
  }
  size_t live = 0;
  for (const auto& [block, bytes] : kept) live += bytes;
  for (const auto& [block, bytes] : gone) pool.release(block, bytes);
  const size_t free = pool.statistics().reserved - live, before = resident_bytes();
  const double start = now();
  pool.trim();
  const double seconds = now() - start;
  const size_t given = before - resident_bytes();
  fmt::print(
      "\ntrim: {:.1f} MiB of {:.1f} free ones given back ({:.1f} %) in {:.1f} ms; {:.1f} MiB live, {:.1f} held\n",
      static_cast<double>(given) / kMiB, static_cast<double>(free) / kMiB,
      100 * static_cast<double>(given) / static_cast<double>(free), seconds * 1e3, static_cast<double>(live) / kMiB,
      static_cast<double>(pool.statistics().reserved) / kMiB);
  for (const auto& [block, bytes] : kept) pool.release(block, bytes);
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("the memory of a CPU device");
  Options options;
  app.add_option("--threads", options.threads, "0: all cores");
  app.add_option("--isa", options.isa);
  app.add_option("--batch", options.batch, "sequences of a training step")->capture_default_str();
  app.add_option("--tokens", options.tokens, "of a sequence, and of the prompt")->capture_default_str();
  app.add_option("--hidden", options.hidden, "size of the model that is trained")->capture_default_str();
  app.add_option("--steps", options.steps, "of training")->capture_default_str();
  app.add_option("--generate-hidden", options.generate_hidden, "size of the model that generates")
      ->capture_default_str();
  app.add_option("--generate-layers", options.generate_layers)->capture_default_str();
  app.add_option("--generated", options.generated, "tokens")->capture_default_str();
  app.add_flag("--skip-blocks", options.skip_blocks, "without 1");
  app.add_flag("--skip-models", options.skip_models, "without 2 and 3");
  CLI11_PARSE(app, argc, argv);

  Mimalloc mimalloc;
  std::vector<Named> allocators = {{"pool", [] { return new_pool(0); }},
                                   {"pool with a limit", [] { return new_pool(size_t{1} << 50); }},
                                   {"malloc", plain_malloc},
                                   {"malloc, aligned", aligned_malloc}};
  if (mimalloc.exists()) allocators.push_back({"mimalloc, aligned", [&] { return mimalloc.allocator(); }});
  if (!options.skip_blocks) {
    measure_blocks(allocators);
    measure_tensors(Device::open("cpu", {.threads = 1}));
  }
  if (!options.skip_models) {
    const std::pair<const char*, MemoryTrace> traces[] = {{"training", record_training(options)},
                                                          {"generation", record_generation(options)}};
    for (const auto& [name, trace] : traces) {
      print_trace(name, trace);
      play_again(trace, allocators);
    }
  }
  measure_trim();
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "bench_memory: {}\n", error.what());
  return 1;
}
