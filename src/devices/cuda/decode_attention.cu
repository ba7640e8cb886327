// SPDX-License-Identifier: Apache-2.0
// Attention of a decoding step, one query token of each of a few sequences, over f16 keys and values in pages. The
// arithmetic of attention_tile.cuh, step for step, so that the bits are the same; what differs is who waits for what,
// since nothing but the time from the last product to the next counts here.
//
// The panels of a key head of a sequence are dealt out to the blocks of a cluster. Before the product that makes q, k
// and v is done, a block has its first panels in shared memory but for the new key and value, and its angles in
// registers. Results are not fetched but sent: each block owns some columns of the result, whose sums all blocks put
// into its shared memory, by stores that its barrier counts; so the blocks meet once, while they wait for the product.
//
// What is not finite is rare: a block with such a result does the tile again, by attention_tile.cuh.
//
// What lost, by the time of a layer of 2B-4T after 511 tokens (H200), 19.7 us: clusters of 16 blocks, 20.6, though 1023
// tokens gain where nothing else is on the way (3.3 us for 3.7); the first keys and values in registers while the
// queries are on their way, 20.4; all addresses in shared memory found before, 19.7. Scores, weights and sums take 0.2
// to 0.3 us each, from barrier to barrier, even where all is at hand.
#include "devices/cuda/decode_attention.h"

#include <cmath>
#include <type_traits>

#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/mbarrier.cuh"
#include "devices/cuda/paged_pass.cuh"

namespace tern::cuda {
namespace {

using HalfKeys = PagedKeys<KvType::f16>;
using HalfPass = PagedPass<KvType::f16>;

constexpr int kMostRows = 8;   // heads that share keys
constexpr int kAtOnce = 2;     // panels that a block goes through together
constexpr int kHeldEach = 4;   // panels of each block of a cluster that are merged at once
constexpr int kMostShift = 3;  // clusters have at most 2^this blocks

constexpr int kDecodeWarps = 8, kDecodeThreads = kDecodeWarps * kWarp;

// What a launch has in common.
struct DecodePlan {
  Divisor page_tokens, kv_heads;
  int64_t block_bytes;         // keys or values of a head in a page
  int rows, row_shift, shift;  // heads that share keys, of 2^row_shift rows; clusters have 2^shift blocks
};

// Behind it, of panels at once: weights, high and low, of values; scores, of high and of low halves of queries, then
// weights. And of panels that a cluster merges at once: each row's maximum and sum; sums of this block's columns.
template <int kDim>
struct DecodeMemory {
  alignas(128) __half panels[kAtOnce][2][kPanelRows * kDim];  // keys, values
  __half queries[2][kMostRows * kDim];                        // high, low
  float query_units[kMostRows];
  float2 ends[kAtOnce][kMostRows];  // maximum and sum of a row, where a block is alone
  Barrier arrived;
};

// Floats of a row of scores, of 8 rows and of 8 keys in different banks.
constexpr int kScoreRow = kPanelRows + 4;

template <int kDim>
constexpr size_t decode_bytes(const DecodePlan& plan) {
  constexpr size_t kWeights = kAtOnce * 2 * kPanelRows * sizeof(__half),
                   kScores = kAtOnce * 2 * kScoreRow * sizeof(float);
  const size_t received =
      plan.shift == 0 ? 0 : kHeldEach * static_cast<size_t>(kDim + (2 << plan.shift)) * sizeof(float);
  return sizeof(DecodeMemory<kDim>) + ((kWeights + kScores + received) << plan.row_shift);
}

// kAlone: clusters of one block, which keeps the totals of its panels in registers.
template <int kDim, bool kAlone>
class DecodeBlock {
 public:
  using Memory = DecodeMemory<kDim>;

  __device__ DecodeBlock(Memory& memory, const PagedAttentionArgs& args, const DecodePlan& plan)
      : memory_(memory), args_(args), plan_(plan) {
    const auto tile = static_cast<uint32_t>(blockIdx.x >> plan.shift);
    rank_ = static_cast<int>(blockIdx.x) & (blocks() - 1);
    sequence_ = static_cast<int>(plan.kv_heads.small_quotient(tile));
    kv_head_ = static_cast<int>(tile) - sequence_ * static_cast<int>(plan.kv_heads.divisor());
    const PagedSequence& sequence = args.batch.sequence[sequence_];
    last_key_ = static_cast<int>(sequence.length);
    pages_ = args.batch.pages + sequence.table;
    panels_ = last_key_ / kPanelRows + 1;
  }

  // Whether all results are finite.
  __device__ bool attend() {
    if constexpr (!kAlone) {
      if (thread() == 0) {
        memory_.arrived.init(1);
        publish_barriers();
        memory_.arrived.arrive_expecting(bytes_of(in_round(0)));
      }
      start_in_cluster();
    }
    start(0);
    take_inputs();
    return kAlone ? attend_alone() : attend_in_rounds();
  }

  __device__ int64_t sequence() const { return sequence_; }
  __device__ int64_t kv_head() const { return kv_head_; }
  __device__ void append_again() const {
    if (appends()) append(append_place(), kNoStage);
  }

 private:
  static constexpr int kHalf = kDim / 2, kRowLanes = kDim / 4, kQueryThreads = kMostRows * kRowLanes;
  static constexpr int kNoStage = -1;
  static constexpr int kSteps = kPanelRows / 16;
  static constexpr float kScale = 0x1p14f, kUnit = 0x1p-14f;  // for weights of which the greatest is 1
  static_assert(kQueryThreads <= kDecodeThreads && kMostRows == kDecodeWarps && kSteps * 2 == kDecodeWarps &&
                kDim / 16 <= kDecodeWarps);

  // Known not to be negative, which makes bits of divisions.
  __device__ static int thread() { return static_cast<int>(threadIdx.x & (kDecodeThreads - 1)); }
  __device__ static int lane() { return thread() % kWarp; }
  __device__ static int warp() { return thread() / kWarp; }

  __device__ int blocks() const { return 1 << plan_.shift; }
  __device__ int row_slots() const { return 1 << plan_.row_shift; }
  __device__ int in_round(int first) const { return min(panels_ - first, kHeldEach * blocks()); }
  // Columns of a block.
  __device__ int share_shift() const { return (kDim == 128 ? 7 : 6) - plan_.shift; }
  __device__ int share() const { return 1 << share_shift(); }
  __device__ unsigned bytes_of(int panels) const {
    return static_cast<unsigned>(panels * (share() + 2) << plan_.row_shift) * static_cast<unsigned>(sizeof(float));
  }
  // [row][key], of panels and high and low halves.
  __device__ __half* weights(int panel, int half) const {
    return reinterpret_cast<__half*>(&memory_ + 1) + ((panel * 2 + half) * kPanelRows << plan_.row_shift);
  }
  __device__ float* scores(int panel, int half) const {
    return reinterpret_cast<float*>(weights(kAtOnce, 0)) + ((panel * 2 + half) * kScoreRow << plan_.row_shift);
  }
  // [panel][row], and [panel][column][row] of this block's columns.
  __device__ float2* ends() const { return reinterpret_cast<float2*>(scores(kAtOnce, 0)); }
  __device__ float* sums() const {
    return reinterpret_cast<float*>(ends() + (kHeldEach * blocks() << plan_.row_shift));
  }

  __device__ int64_t to_values() const { return plan_.kv_heads.divisor() * plan_.block_bytes; }
  __device__ std::byte* row_of(int key) const {
    const int page = static_cast<int>(plan_.page_tokens.small_quotient(static_cast<uint32_t>(key)));
    const int slot = key - page * static_cast<int>(plan_.page_tokens.divisor());
    return args_.kv.data + pages_[page] * static_cast<int64_t>(args_.kv.page_stride) + kv_head_ * plan_.block_bytes +
           slot * (kDim * static_cast<int>(sizeof(__half)));
  }
  __device__ const float* angles(const float* of) const { return of + int64_t{last_key_} * kHalf; }

  // Asks for this block's panels number i to i + kAtOnce - 1, but for the new key and its value where i is 0.
  __device__ void start(int i) {
    constexpr int kChunks = kDim / 8, kRowsAtOnce = kDecodeThreads / kChunks;
    const int chunk = thread() % kChunks;
#pragma unroll
    for (int stage = 0; stage < kAtOnce; ++stage) {
      const int panel = rank_ + (i + stage) * blocks();
      if (panel >= panels_) break;
      const std::byte* from[kPanelRows / kRowsAtOnce];
#pragma unroll
      for (int j = 0; j < kPanelRows / kRowsAtOnce; ++j) {
        from[j] = row_of(min(panel * kPanelRows + j * kRowsAtOnce + thread() / kChunks, last_key_)) + chunk * 16;
      }
#pragma unroll
      for (int j = 0; j < kPanelRows / kRowsAtOnce; ++j) {
        const int in_panel = j * kRowsAtOnce + thread() / kChunks, key = panel * kPanelRows + in_panel;
        if (key == last_key_ && i == 0) continue;
        const int at = swizzled<kPanelRows>(in_panel, chunk * 8), bytes = key <= last_key_ ? 16 : 0;
        copy_beside<16>(memory_.panels[stage][0] + at, from[j], bytes);
        copy_beside<16>(memory_.panels[stage][1] + at, from[j] + to_values(), bytes);
      }
    }
    end_copies();
  }

  // Waits for the product before; then rotates the queries, and stores the new key and value if they are this block's.
  __device__ void take_inputs() {
    const int query = thread() / kRowLanes, column = thread() % kRowLanes * 4, turn = column % kHalf;
    const bool has_query = thread() / kWarp * kWarp / kRowLanes < plan_.rows;  // of all lanes of a warp the same
    const auto quad = [](const float* x) { return *reinterpret_cast<const float4*>(x); };
    const float4 cos = quad(angles(args_.batch.cos) + turn), sin = quad(angles(args_.batch.sin) + turn);
    const float* x = args_.q + (sequence_ * args_.heads + kv_head_ * plan_.rows + query) * kDim + turn;
    if (!has_query && thread() < kQueryThreads) put_queries({});
    // Of this block's panels: the new key's.
    const int before = panels_ - 1 - rank_, number = before >> plan_.shift;
    AppendPlace to = {};
    const bool is_appending = before >= 0 && (before & (blocks() - 1)) == 0 && appends();
    if (is_appending) to = append_place();
    have_ready(x);
    if constexpr (!kAlone) wait_for_cluster();
    wait_for_inputs();
    if (has_query) {
      float4 low = {}, high = {};
      if (query < plan_.rows) {
        low = quad(x);
        high = quad(x + kHalf);
      }
      const float4 front = {low.x * cos.x - high.x * sin.x, low.y * cos.y - high.y * sin.y,
                            low.z * cos.z - high.z * sin.z, low.w * cos.w - high.w * sin.w};
      const float4 back = {high.x * cos.x + low.x * sin.x, high.y * cos.y + low.y * sin.y,
                           high.z * cos.z + low.z * sin.z, high.w * cos.w + low.w * sin.w};
      put_queries(column < kHalf ? front : back);
    }
    if (is_appending) append(to, number < kAtOnce ? number : kNoStage);
  }

  // Each of the first threads a quad, of row thread() / kRowLanes.
  __device__ void put_queries(const float4& own) {
    SplitRows<kMostRows, kDim, kQueryThreads> split;
    split.load([](int) { return 0; }, [&](int, int, int) { return own; });
    split.template store<kMostRows>(0, memory_.queries[0], memory_.queries[1], memory_.query_units);
  }

  // A key, by the last warp but one, and its value, by the last: pairs 2·lane of either half.
  struct AppendPlace {
    const float* x;
    std::byte* to;
    float2 cos, sin;
  };
  __device__ static bool appends() { return warp() >= kDecodeWarps - 2 && lane() * 2 < kHalf; }
  __device__ static bool is_value() { return warp() == kDecodeWarps - 1; }
  __device__ static float2 pair_of(const float* x) { return *reinterpret_cast<const float2*>(x + lane() * 2); }

  __device__ AppendPlace append_place() const {
    const float* const all = is_value() ? args_.v : args_.k;
    AppendPlace place = {all + (sequence_ * plan_.kv_heads.divisor() + kv_head_) * kDim,
                         row_of(last_key_) + (is_value() ? to_values() : 0), pair_of(angles(args_.batch.cos)),
                         pair_of(angles(args_.batch.sin))};
    have_ready(place.x);
    have_ready(place.to);
    return place;
  }
  __device__ void append(const AppendPlace& place, int stage) const {
    const float2 low = pair_of(place.x), high = pair_of(place.x + kHalf), cos = place.cos, sin = place.sin;
    const auto put = [&](int column, float x, float y) {
      const __half2 two = __floats2half2_rn(x, y);
      reinterpret_cast<__half2*>(place.to)[column / 2] = two;
      if (stage == kNoStage) return;
      const int at = swizzled<kPanelRows>(static_cast<int>(static_cast<unsigned>(last_key_) % kPanelRows), column);
      *reinterpret_cast<__half2*>(memory_.panels[stage][is_value()] + at) = two;
    };
    if (is_value()) {
      put(lane() * 2, low.x, low.y);
      put(lane() * 2 + kHalf, high.x, high.y);
    } else {
      put(lane() * 2, low.x * cos.x - high.x * sin.x, low.y * cos.y - high.y * sin.y);
      put(lane() * 2 + kHalf, high.x * cos.x + low.x * sin.x, high.y * cos.y + low.y * sin.y);
    }
  }

  __device__ bool attend_alone() {
    SoftmaxSum total[2];
    float totals[4] = {};
    for (int panel = 0; panel < panels_; panel += kAtOnce) {
      with_panels(panel + 1 < panels_, [&](auto panels) {
        float sums[panels()][4];
        SoftmaxSum of_tasks[panels()];
        attend_panels(panel, sums, of_tasks);
#pragma unroll
        for (int p = 0; p < panels(); ++p) {
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            const float2 end = memory_.ends[p][lane() % 4 * 2 + i];
            const MergeStep step = join(total[i], {end.x, end.y});
            totals[i] = merged(totals[i], step.kept, sums[p][i], step.added * kUnit);
            totals[i + 2] = merged(totals[i + 2], step.kept, sums[p][i + 2], step.added * kUnit);
          }
        }
      });
      start(panel + kAtOnce);
    }
    if (!has_columns()) return true;
    bool finite = true;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int head = lane() % 4 * 2 + i % 2, column = first_column() + i / 2 * 8 + lane() / 4;
      if (head >= plan_.rows) continue;
      const float result = totals[i] * (1.0f / total[i % 2].sum);
      out(head)[column] = result;
      finite = finite && isfinite(result);
    }
    return finite;
  }

  // A panel's sum joins a total.
  __device__ static MergeStep join(SoftmaxSum& total, const SoftmaxSum& panel) {
    const float most = fmaxf(total.maximum, panel.maximum);
    const MergeStep step = merge_step(total.maximum, panel.maximum, most);
    total = {most, merged(total.sum, step.kept, panel.sum, step.added)};
    return step;
  }

  __device__ bool attend_in_rounds() {
    int next = 0;  // of this block's panels
    for (int first = 0, round = 0; first < panels_; first += kHeldEach * blocks(), ++round) {
      const int count = in_round(first);
      if (first > 0 && rank_ >= count) wait_for_cluster();
      for (int slot = rank_; slot < count; slot += kAtOnce * blocks()) {
        with_panels(slot + blocks() < count, [&](auto panels) {
          float sums[panels()][4];
          SoftmaxSum ends[panels()];
          attend_panels(first + slot, sums, ends);
          if (first > 0 && slot == rank_) wait_for_cluster();
          send_sums(slot, sums, ends);
        });
        next += kAtOnce;
        start(next);
      }
      merge(count, round % 2);
      if (first + count < panels_) {
        if (thread() == 0) memory_.arrived.arrive_expecting(bytes_of(in_round(first + count)));
        arrive_at_cluster();
      }
    }
    return write();
  }

  template <class Act>
  __device__ static void with_panels(bool two, const Act& act) {
    static_assert(kAtOnce == 2);
    if (two) {
      act(std::integral_constant<int, 2>());
    } else {
      act(std::integral_constant<int, 1>());
    }
  }

  // Rows of panels, which warps weigh: of task i of a warp.
  template <int kPanels>
  __device__ bool has_task(int i) const {
    return warp() + i * kDecodeWarps < kPanels << plan_.row_shift;
  }
  __device__ int row_of_task(int i) const { return (warp() + i * kDecodeWarps) & (row_slots() - 1); }
  __device__ int panel_of_task(int i) const { return (warp() + i * kDecodeWarps) >> plan_.row_shift; }

  // `panel` and those of this block after it: the sums of this warp's columns, and what they are of, of its tasks.
  template <int kPanels>
  __device__ void attend_panels(int panel, float (&sums)[kPanels][4], SoftmaxSum (&ends)[kPanels]) {
    wait_for_copies<0>();
    __syncthreads();
    score<kPanels>();
    uint32_t of_values[kPanels][kSteps][4];
    load_values(of_values);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kPanels; ++i) {
      if (!has_task<kPanels>(i)) break;
      const int of = panel_of_task(i);
      ends[i].maximum = weigh(scores(of, 0), scores(of, 1), weights(of, 0), weights(of, 1), row_of_task(i),
                              last_key_ + 1 - (panel + of * blocks()) * kPanelRows);
      if constexpr (kAlone) {
        __syncwarp();
        ends[i].sum = sum_of_weights(i);
        if (lane() == 0) memory_.ends[of][row_of_task(i)] = {ends[i].maximum, ends[i].sum};
      }
    }
    __syncthreads();
    add_values(of_values, sums);
    if constexpr (!kAlone) {
#pragma unroll
      for (int i = 0; i < kPanels; ++i) {
        if (has_task<kPanels>(i)) ends[i].sum = sum_of_weights(i);
      }
    }
  }

  // A warp multiplies 16 keys by one half of all queries: the keys are the rows of the product, the queries its
  // columns.
  template <int kPanels>
  __device__ void score() {
    const int half = warp() / kSteps, first_key = warp() % kSteps * 16;
    const int query = swizzled<kMostRows>(lane() % 8, lane() / 8 * 8);
    const int key = swizzled<kPanelRows>(first_key + lane() % 16, lane() / 16 * 8);
    float sums[kPanels][4] = {};
#pragma unroll
    for (int column = 0; column < kDim; column += 32) {
      uint32_t of_queries[4], of_keys[2][kPanels][4];
      load_matrices(of_queries, memory_.queries[half] + columns_further<kMostRows>(query, column));
#pragma unroll
      for (int step = 0; step < 2; ++step) {
#pragma unroll
        for (int p = 0; p < kPanels; ++p) {
          load_matrices(of_keys[step][p], memory_.panels[p][0] + columns_further<kPanelRows>(key, column + step * 16));
        }
      }
#pragma unroll
      for (int step = 0; step < 2; ++step) {
#pragma unroll
        for (int p = 0; p < kPanels; ++p) {
          add_half_products(sums[p], of_keys[step][p], of_queries[2 * step], of_queries[2 * step + 1]);
        }
      }
    }
    const int row = lane() % 4 * 2;
    if (row >= row_slots()) return;
#pragma unroll
    for (int p = 0; p < kPanels; ++p) {
      float* const to = scores(p, half) + row * kScoreRow + first_key + lane() / 4;
#pragma unroll
      for (int i = 0; i < 4; ++i) to[i % 2 * kScoreRow + i / 2 * 8] = sums[p][i];
    }
  }

  // A row's scores to weights, by a warp; gives their maximum. Scores of keys from `left` on are -inf.
  __device__ float weigh(float* of_high, const float* of_low, __half* weights_high, __half* weights_low, int row,
                         int left) const {
    const int key = lane() * 2, at = swizzled<kMostRows>(row, key);
    const float unit = memory_.query_units[row] * args_.scale;
    float2* const place = reinterpret_cast<float2*>(of_high + row * kScoreRow + key);
    const float2 high = *place, low = *reinterpret_cast<const float2*>(of_low + row * kScoreRow + key);
    const float first = key < left ? (high.x + low.x) * unit : -INFINITY;
    const float second = key + 1 < left ? (high.y + low.y) * unit : -INFINITY;
    const float most = max_of_warp(fmaxf(fmaxf(-INFINITY, first), second));
    const float origin = origin_of(most);
    const float2 weights = {exponential(first - origin), exponential(second - origin)};
    const HalfPairs halves = split(weights.x * kScale, weights.y * kScale);
    *reinterpret_cast<uint32_t*>(weights_high + at) = halves.high;
    *reinterpret_cast<uint32_t*>(weights_low + at) = halves.low;
    *place = weights;
    return most;
  }

  // Of a task, in the order of AttentionTile::exponentiate.
  __device__ float sum_of_weights(int i) const {
    const float* const weights = scores(panel_of_task(i), 0) + row_of_task(i) * kScoreRow + lane() % 4 * 2;
    float sum = 0.0f;
#pragma unroll
    for (int key = 0; key < kPanelRows; key += 8) {
      const float2 two = *reinterpret_cast<const float2*>(weights + key);
      sum += two.x;
      sum += two.y;
    }
    return sum_of_lanes<4>(sum);
  }

  __device__ static int first_column() { return warp() * 16; }
  __device__ static bool has_columns() { return first_column() < kDim; }

  // 16 columns, the rows of a product, by all keys.
  template <int kPanels>
  __device__ void load_values(uint32_t (&to)[kPanels][kSteps][4]) const {
    if (!has_columns()) return;
    const int at = swizzled<kPanelRows>(lane() % 8 + lane() / 16 * 8, first_column() + lane() / 8 % 2 * 8);
#pragma unroll
    for (int p = 0; p < kPanels; ++p) {
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        load_turned_matrices(to[p][step], memory_.panels[p][1] + at + step * 16 * kBlockColumns);
      }
    }
  }

  // Values · weights.
  template <int kPanels>
  __device__ void add_values(const uint32_t (&values)[kPanels][kSteps][4], float (&sums)[kPanels][4]) const {
    float low[kPanels][4] = {};
    const int at = swizzled<kMostRows>(lane() % 8, lane() / 8 * 8);
#pragma unroll
    for (int p = 0; p < kPanels; ++p) {
#pragma unroll
      for (float& sum : sums[p]) sum = 0.0f;
    }
    if (!has_columns()) return;
#pragma unroll
    for (int step = 0; step < kSteps; step += 2) {
#pragma unroll
      for (int p = 0; p < kPanels; ++p) {
        uint32_t weights_high[4], weights_low[4];
        load_matrices(weights_high, weights(p, 0) + columns_further<kMostRows>(at, step * 16));
        load_matrices(weights_low, weights(p, 1) + columns_further<kMostRows>(at, step * 16));
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          add_half_products(sums[p], values[p][step + i], weights_high[2 * i], weights_high[2 * i + 1]);
          add_half_products(low[p], values[p][step + i], weights_low[2 * i], weights_low[2 * i + 1]);
        }
      }
    }
#pragma unroll
    for (int p = 0; p < kPanels; ++p) {
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[p][i] += low[p][i];
    }
  }

  // To the blocks whose columns they are; to all, a row's maximum and sum.
  template <int kPanels>
  __device__ void send_sums(int slot, const float (&sums_of)[kPanels][4], const SoftmaxSum (&ends_of)[kPanels]) const {
    const uint32_t barrier = memory_.arrived.address();
    const int row = lane() % 4 * 2;
    if (has_columns() && row < row_slots()) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int column = first_column() + i * 8 + lane() / 4, within = column & (share() - 1);
        const auto block = static_cast<unsigned>(column >> share_shift());
        const float* const to = sums() + (((slot << share_shift()) + within) << plan_.row_shift) + row;
        const uint32_t its = address_in_block(shared_address(to), block),
                       its_barrier = address_in_block(barrier, block);
#pragma unroll
        for (int p = 0; p < kPanels; ++p) {
          const auto further = static_cast<uint32_t>(p * blocks() * results()) * static_cast<uint32_t>(sizeof(float));
          send_to_block(its + further, sums_of[p][2 * i], sums_of[p][2 * i + 1], its_barrier);
        }
      }
    }
    if (lane() >= blocks()) return;
    const auto block = static_cast<unsigned>(lane());
#pragma unroll
    for (int i = 0; i < kPanels; ++i) {
      if (!has_task<kPanels>(i)) break;
      const float2* const to = ends() + ((slot + panel_of_task(i) * blocks()) << plan_.row_shift) + row_of_task(i);
      send_to_block(address_in_block(shared_address(to), block), ends_of[i].maximum, ends_of[i].sum,
                    address_in_block(barrier, block));
    }
  }

  // Of this block: the first threads have one each, by columns.
  __device__ int results() const { return share() << plan_.row_shift; }
  __device__ int result_row() const { return thread() & (row_slots() - 1); }

  // Merges the first `count` panels that were sent.
  __device__ void merge(int count, int parity) {
    if (thread() >= results()) return;
    const float2* end = ends() + result_row();
    const float* value = sums() + thread();
    memory_.arrived.wait(static_cast<unsigned>(parity));
#pragma unroll 8
    for (int panel = 0; panel < count; ++panel, end += row_slots(), value += results()) {
      const MergeStep step = join(total_, {end->x, end->y});
      result_ = merged(result_, step.kept, *value, step.added * kUnit);
    }
  }

  __device__ float* out(int head) const {
    return args_.out + (sequence_ * args_.heads + kv_head_ * plan_.rows + head) * kDim;
  }

  __device__ bool write() const {
    const int head = result_row(), column = (rank_ << share_shift()) + (thread() >> plan_.row_shift);
    if (thread() >= results() || head >= plan_.rows) return true;
    const float result = result_ * (1.0f / total_.sum);
    out(head)[column] = result;
    return isfinite(result);
  }

  Memory& memory_;
  const PagedAttentionArgs& args_;
  const DecodePlan& plan_;
  const int32_t* pages_;
  int rank_, sequence_, kv_head_, last_key_, panels_;
  SoftmaxSum total_;
  float result_ = 0.0f;
};

template <int kDim, bool kAlone>
__global__ void __launch_bounds__(kDecodeThreads, 3)
    decode(const __grid_constant__ HalfPass pass, const __grid_constant__ DecodePlan plan) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ __align__(1024) uint4 shared_memory[];
  let_next_start();
  DecodeBlock<kDim, kAlone> block(*reinterpret_cast<DecodeMemory<kDim>*>(shared_memory), pass.args, plan);
  if (!__syncthreads_or(!block.attend())) return;

  using Shape = NarrowShape<kDim, true>;
  static_assert(Shape::kThreads <= kDecodeThreads && sizeof(TileMemory<Shape, HalfKeys>) <= sizeof(DecodeMemory<kDim>));
  auto& memory = *reinterpret_cast<TileMemory<Shape, HalfKeys>*>(shared_memory);
  block.append_again();  // which another block has done, unseen by this one
  if (threadIdx.x == 0) memory.task = pass.narrow_tile(block.sequence(), kNarrowRows, block.kv_head());
  __syncthreads();
  if (threadIdx.x < Shape::kThreads) attend_with_care<Shape, HalfKeys>(memory, 0);
#endif
}

template <int kDim>
void launch(const Exec& exec, const HalfPass& pass, const DecodePlan& plan) {
  constexpr const char* kName = "paged_attention";
  const auto kernel = plan.shift == 0 ? decode<kDim, true> : decode<kDim, false>;
  const size_t bytes = decode_bytes<kDim>(plan);
  allow_shared(exec, kernel, bytes, kName);
  launch_in_clusters(exec, kName, kernel,
                     static_cast<unsigned>(pass.args.batch.sequences * pass.kv_heads() << plan.shift), 1u << plan.shift,
                     kDecodeThreads, bytes, pass, plan);
}

}  // namespace

bool decode_attention(const Exec& exec, const PagedAttentionArgs& args) noexcept {
  const KvPages& kv = args.kv;
  const PagedBatch& batch = args.batch;
  const int64_t group = args.heads / kv.kv_heads, tiles = batch.sequences * kv.kv_heads;
  if (!is_hopper(exec) || kv.type != KvType::f16 || args.k == nullptr || batch.rows != batch.sequences ||
      (kv.dim != 64 && kv.dim != 128) || group > kMostRows ||
      !in_quads(kv.dim / 2, 0, args.q, args.k, args.v, batch.cos, batch.sin)) {
    return false;
  }
  DecodePlan plan = {Divisor(kv.page_tokens),
                     Divisor(kv.kv_heads),
                     KvBlock{kv.type, kv.page_tokens, kv.dim}.bytes(),
                     static_cast<int>(group),
                     1,
                     0};
  while (1 << plan.row_shift < group) ++plan.row_shift;
  while (plan.shift < kMostShift && tiles << (plan.shift + 1) <= 2 * multiprocessors(exec)) ++plan.shift;
  if (kv.dim << plan.row_shift >> plan.shift > kDecodeThreads) plan.shift = 0;  // a result for each thread
  const HalfPass pass = {args, plan.page_tokens, Divisor(group), Divisor(1), true, true, HalfPass::kNone};
  if (kv.dim == 128) launch<128>(exec, pass, plan);
  if (kv.dim == 64) launch<64>(exec, pass, plan);
  return true;
}

}  // namespace tern::cuda
