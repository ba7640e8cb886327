// SPDX-License-Identifier: Apache-2.0
// Many sequences in one pass: each gets the bits that it gets alone, whatever the others, the pages and the cuts.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/model.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::fails_with;
using Ids = std::vector<int32_t>;

constexpr KvType kTypes[] = {KvType::f32, KvType::f16, KvType::int8, KvType::int4};
constexpr int64_t kWindow = 61;

ModelConfig odd_config() {
  ModelConfig config;
  config.vocab_size = 67;
  config.hidden_size = 84;
  config.intermediate_size = 53;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 6;
  config.num_key_value_heads = 2;
  config.max_position_embeddings = kWindow;
  config.tie_word_embeddings = false;
  return config;
}

Model odd_model(const Device& device) { return Model::create(odd_config(), device, 11); }

Ids some_ids(size_t count, int32_t seed) {
  Ids ids;
  for (size_t i = 0; i < count; ++i) ids.push_back((static_cast<int32_t>(i) * 7 + seed * 13 + 5) % 67);
  return ids;
}

KvSequence with_pages(KvPool& pool, int64_t tokens) {
  KvSequence sequence;
  for (int64_t t = 0; t < tokens; t += pool.page_tokens()) sequence.pages.push_back(pool.acquire());
  return sequence;
}

// Hidden states of one sequence alone, cut into passes of `chunk`.
std::vector<float> alone(const Model& model, const Ids& ids, KvType type, size_t chunk, int64_t page_tokens) {
  KvPool pool = model.make_kv_pool({type, 64, page_tokens});
  KvSequence sequence = with_pages(pool, std::ssize(ids));
  std::vector<float> all;
  for (size_t begin = 0; begin < ids.size(); begin += chunk) {
    const auto part = std::span(ids).subspan(begin, std::min(chunk, ids.size() - begin));
    const SequenceStep step = {part, &sequence};
    const std::vector<float> rows = model.hidden_states({&step, 1}, pool).to_vector<float>();
    all.insert(all.end(), rows.begin(), rows.end());
  }
  EXPECT_EQ(sequence.length, std::ssize(ids));
  return all;
}

TEST(HiddenStates, InF32AreThoseOfOnePass) {
  const Model model = odd_model(testing::test_device());
  const Ids ids = some_ids(kWindow, 1);
  const std::vector<int64_t> wide(ids.begin(), ids.end());
  const std::vector<float> whole =
      model.logits(Tensor::from(wide, {1, std::ssize(wide)}, model.device())).to_vector<float>();
  KvPool pool = model.make_kv_pool({KvType::f32, 64, 8});
  KvSequence sequence = with_pages(pool, kWindow);
  const SequenceStep step = {ids, &sequence};
  EXPECT_EQ(model.head_logits(model.hidden_states({&step, 1}, pool)).to_vector<float>(), whole);
}

TEST(HiddenStates, DoNotDependOnHowAPromptIsCutNorOnThePages) {
  const Model model = odd_model(testing::test_device());
  const Ids ids = some_ids(kWindow, 2);
  for (const KvType type : kTypes) {
    const std::vector<float> whole = alone(model, ids, type, ids.size(), 32);
    for (const size_t chunk : {1u, 2u, 7u, 8u, 31u, 60u}) EXPECT_EQ(alone(model, ids, type, chunk, 8), whole) << chunk;
    for (const int64_t page : {1, 5, 16, 100}) EXPECT_EQ(alone(model, ids, type, 9, page), whole) << page;
  }
}

TEST(HiddenStates, DoNotDependOnTheOtherSequences) {
  const Model model = odd_model(testing::test_device());
  const size_t hidden = static_cast<size_t>(model.config().hidden_size);
  const size_t lengths[] = {1, 9, 33, 61, 2, 17, 8};
  for (const KvType type : kTypes) {
    KvPool pool = model.make_kv_pool({type, 64, 8});
    std::vector<Ids> ids;
    std::vector<KvSequence> sequences;
    std::vector<std::vector<float>> expected, got;
    for (const size_t length : lengths) {
      ids.push_back(some_ids(length, static_cast<int32_t>(length)));
      sequences.push_back(with_pages(pool, std::ssize(ids.back())));
      expected.push_back(alone(model, ids.back(), type, length, 32));
      got.emplace_back();
    }
    // Sequence i goes on by another number of tokens in each pass, some of them not at all, in a turning order.
    for (size_t pass = 0; pass < 100; ++pass) {
      std::vector<SequenceStep> steps;
      std::vector<size_t> who;
      for (size_t turn = 0; turn < sequences.size(); ++turn) {
        const size_t i = (turn + pass) % sequences.size(), done = static_cast<size_t>(sequences[i].length);
        const size_t count = std::min((pass * 5 + i * 3) % 11, ids[i].size() - done);
        if (count == 0) continue;
        steps.push_back({std::span(ids[i]).subspan(done, count), &sequences[i]});
        who.push_back(i);
      }
      if (steps.empty()) continue;
      const std::vector<float> rows = model.hidden_states(steps, pool).to_vector<float>();
      size_t at = 0;
      for (size_t s = 0; s < steps.size(); at += steps[s].ids.size() * hidden, ++s) {
        const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(at);
        got[who[s]].insert(got[who[s]].end(), begin,
                           begin + static_cast<std::ptrdiff_t>(steps[s].ids.size() * hidden));
      }
    }
    EXPECT_EQ(got, expected) << name_of(type);
  }
}

TEST(HiddenStates, AreTheSameOnEveryInstructionSetAndThreadCount) {
  const Ids a = some_ids(40, 1), b = some_ids(3, 2);
  for (const KvType type : kTypes) {
    std::vector<float> first;
    for (const std::string& isa : Device::cpu_isas()) {
      for (const int threads : {1, 2, 3}) {
        const Model model = odd_model(Device::open("cpu", {threads, isa}));
        KvPool pool = model.make_kv_pool({type, 8, 16});
        KvSequence sequence_a = with_pages(pool, 40), sequence_b = with_pages(pool, 3);
        const SequenceStep steps[] = {{a, &sequence_a}, {b, &sequence_b}};
        const std::vector<float> rows = model.hidden_states(steps, pool).to_vector<float>();
        if (first.empty()) first = rows;
        EXPECT_EQ(rows, first) << name_of(type) << " " << isa << " " << threads;
      }
    }
  }
}

// Steps of one token each, which a device may record, before and after the weights changed.
TEST(HiddenStates, FollowTheWeights) {
  Model model = odd_model(testing::test_device());
  const Ids ids = some_ids(9, 4);
  KvPool pool = model.make_kv_pool({KvType::f16, 8, 16});
  for (int round = 0; round < 2; ++round) {
    KvSequence sequence = with_pages(pool, std::ssize(ids));
    std::vector<float> all;
    for (const int32_t& id : ids) {
      const SequenceStep step = {{&id, 1}, &sequence};
      const std::vector<float> row = model.hidden_states({&step, 1}, pool).to_vector<float>();
      all.insert(all.end(), row.begin(), row.end());
    }
    EXPECT_EQ(all, alone(model, ids, KvType::f16, ids.size(), 16)) << round;
    for (const Parameter& parameter : model.parameters()) {
      assign(parameter.value.detach(), mul(parameter.value.detach(), 1.5));
    }
    model.requantize();
  }
}

TEST(HiddenStates, SequencesMayShareWholePagesAndCopyTheLast) {
  const Model model = odd_model(testing::test_device());
  for (const KvType type : kTypes) {
    KvPool pool = model.make_kv_pool({type, 16, 8});
    const Ids prompt = some_ids(21, 3);
    KvSequence first = with_pages(pool, kWindow);
    SequenceStep step = {prompt, &first};
    model.hidden_states({&step, 1}, pool);
    // The second goes on elsewhere after the same 21 tokens: two whole pages are shared, five tokens copied.
    KvSequence second;
    second.length = 21;
    for (size_t i = 0; i < 2; ++i) {
      pool.retain(first.pages[i]);
      second.pages.push_back(first.pages[i]);
    }
    second.pages.push_back(pool.acquire());
    pool.copy_page(first.pages[2], second.pages[2]);
    for (int i = 0; i < 3; ++i) second.pages.push_back(pool.acquire());
    const Ids one = some_ids(11, 4), other = some_ids(13, 5);
    const SequenceStep both[] = {{one, &first}, {other, &second}};
    const std::vector<float> rows = model.hidden_states(both, pool).to_vector<float>();
    const auto tail_of = [&](const Ids& more) {
      Ids all = prompt;
      all.insert(all.end(), more.begin(), more.end());
      const std::vector<float> whole = alone(model, all, type, 4, 32);
      return std::vector<float>(whole.end() - std::ssize(more) * model.config().hidden_size, whole.end());
    };
    std::vector<float> expected = tail_of(one);
    const std::vector<float> second_part = tail_of(other);
    expected.insert(expected.end(), second_part.begin(), second_part.end());
    EXPECT_EQ(rows, expected) << name_of(type);
  }
}

TEST(HiddenStates, TakeTokensBack) {
  const Model model = odd_model(testing::test_device());
  const Ids ids = some_ids(30, 6), wrong = some_ids(9, 7);
  for (const KvType type : kTypes) {
    KvPool pool = model.make_kv_pool({type, 4, 16});
    KvSequence sequence = with_pages(pool, 40);
    SequenceStep step = {std::span(ids).first(20), &sequence};
    model.hidden_states({&step, 1}, pool);
    step.ids = wrong;
    model.hidden_states({&step, 1}, pool);
    sequence.length = 20;
    step.ids = std::span(ids).subspan(20);
    const std::vector<float> rows = model.hidden_states({&step, 1}, pool).to_vector<float>();
    const std::vector<float> whole = alone(model, ids, type, 30, 16);
    EXPECT_EQ(rows, std::vector<float>(whole.end() - std::ssize(rows), whole.end())) << name_of(type);
  }
}

// Each type gives other hidden states, near the exact ones: the norm of the difference shrinks with the bits.
TEST(HiddenStates, ComeNearerWithMoreBits) {
  const Model model = odd_model(testing::test_device());
  const Ids ids = some_ids(60, 8);
  const std::vector<float> exact = alone(model, ids, KvType::f32, 60, 32);
  double last = 1e30;
  for (const KvType type : {KvType::int4, KvType::int8, KvType::f16}) {
    const std::vector<float> rows = alone(model, ids, type, 60, 32);
    double difference = 0, size = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      difference += std::pow(static_cast<double>(rows[i]) - static_cast<double>(exact[i]), 2);
      size += std::pow(static_cast<double>(exact[i]), 2);
    }
    EXPECT_GT(difference, 0);
    EXPECT_LT(difference, last) << name_of(type);
    EXPECT_LT(difference, 0.05 * size) << name_of(type);
    last = difference;
  }
}

TEST(HiddenStates, RefuseWhatDoesNotFit) {
  const Model model = odd_model(testing::test_device());
  KvPool pool = model.make_kv_pool({KvType::f16, 8, 8});
  KvSequence a = with_pages(pool, 16), b = with_pages(pool, 16);
  const Ids ids = some_ids(17, 1);
  const auto run = [&](std::initializer_list<SequenceStep> steps) {
    model.hidden_states({steps.begin(), steps.size()}, pool);
  };
  const std::span<const int32_t> three = std::span(ids).first(3);
  const Ids high = {66, 67}, low = {-1};
  EXPECT_TRUE(fails_with("at least one sequence", [&] { run({}); }));
  EXPECT_TRUE(fails_with("at least one id", [&] { run({{{}, &a}}); }));
  EXPECT_TRUE(fails_with("a sequence", [&] { run({{three, nullptr}}); }));
  EXPECT_TRUE(fails_with("67", [&] { run({{three, &a}, {high, &b}}); }));
  EXPECT_TRUE(fails_with("-1", [&] { run({{low, &a}}); }));
  EXPECT_TRUE(fails_with("3 pages for 17 tokens", [&] { run({{ids, &a}}); }));
  EXPECT_TRUE(fails_with("each sequence once", [&] { run({{three, &a}, {three, &a}}); }));
  EXPECT_TRUE(fails_with("max_position_embeddings = 61", [&] {
    KvSequence late = a;
    late.length = 60;
    run({{three, &late}});
  }));
  EXPECT_TRUE(fails_with("in two", [&] {
    KvSequence same = a;
    run({{three, &a}, {three, &same}});
  }));
  EXPECT_TRUE(fails_with("one reference", [&] {
    pool.retain(a.pages[0]);
    run({{three, &a}});
  }));
  pool.release(a.pages[0]);
  EXPECT_TRUE(fails_with("in use, got 7", [&] {
    KvSequence freed;
    freed.pages = {7};
    run({{three, &freed}});
  }));
  EXPECT_TRUE(fails_with("in use, got 8", [&] {
    KvSequence beyond;
    beyond.pages = {8};
    run({{three, &beyond}});
  }));
  ModelConfig other = odd_config();
  other.num_hidden_layers = 1;
  KvPool of_other = Model::create(other, model.device(), 1).make_kv_pool({KvType::f16, 8, 8});
  KvPool none;
  const SequenceStep step = {three, &a};
  EXPECT_TRUE(fails_with("pool of this model", [&] { model.hidden_states({&step, 1}, of_other); }));
  EXPECT_TRUE(fails_with("got none", [&] { model.hidden_states({&step, 1}, none); }));
  EXPECT_EQ(a.length, 0);
  EXPECT_EQ(b.length, 0);
  run({{three, &a}, {std::span(ids).first(16), &b}});
  EXPECT_EQ(a.length, 3);
  EXPECT_EQ(b.length, 16);
  EXPECT_TRUE(fails_with("head_logits", [&] { model.head_logits(Tensor::zeros({2, 83}, DType::f32, model.device())); }));
  EXPECT_TRUE(fails_with("head_logits", [&] { model.head_logits(Tensor()); }));
}

TEST(KvPool, CountsReferences) {
  const Model model = odd_model(testing::test_device());
  KvPool pool = model.make_kv_pool({KvType::int8, 3, 8});
  EXPECT_EQ(pool.type(), KvType::int8);
  EXPECT_EQ(pool.page_tokens(), 8);
  EXPECT_EQ(pool.pages(), 3);
  EXPECT_EQ(pool.free_pages(), 3);
  // 2 layers · (k, v) · 2 heads · (8 · (16 + 4), in whole lines of 64).
  EXPECT_EQ(pool.bytes(), 3 * 8 * 192);
  EXPECT_EQ(pool.bytes_per_token(), 192);
  const int32_t a = pool.acquire(), b = pool.acquire(), c = pool.acquire();
  EXPECT_EQ(pool.free_pages(), 0);
  EXPECT_TRUE(fails_with("all 3 are in use", [&] { pool.acquire(); }));
  pool.retain(b);
  EXPECT_EQ(pool.references(b), 2);
  pool.release(b);
  EXPECT_EQ(pool.free_pages(), 0);
  pool.release(b);
  EXPECT_EQ(pool.references(b), 0);
  EXPECT_EQ(pool.free_pages(), 1);
  EXPECT_TRUE(fails_with("which is free", [&] { pool.release(b); }));
  EXPECT_TRUE(fails_with("which is free", [&] { pool.retain(b); }));
  EXPECT_TRUE(fails_with("which is free", [&] { pool.copy_page(a, b); }));
  EXPECT_TRUE(fails_with("in [0, 3)", [&] { pool.release(3); }));
  EXPECT_TRUE(fails_with("in [0, 3)", [&] { static_cast<void>(pool.references(-1)); }));
  pool.copy_page(a, c);
  pool.copy_page(a, a);
  EXPECT_EQ(pool.acquire(), b);
  const KvPool moved = std::move(pool);
  EXPECT_EQ(moved.references(b), 1);
  EXPECT_FALSE(pool.defined());
}

TEST(KvPool, RefusesSizesThatMakeNone) {
  const Model model = odd_model(testing::test_device());
  EXPECT_TRUE(fails_with("pages", [&] { model.make_kv_pool({KvType::f16, 0, 8}); }));
  EXPECT_TRUE(fails_with("pages", [&] { model.make_kv_pool({KvType::f16, -1, 8}); }));
  EXPECT_TRUE(fails_with("pages", [&] { model.make_kv_pool({KvType::f16, 8, 0}); }));
  EXPECT_TRUE(fails_with("tokens", [&] { model.make_kv_pool({KvType::f16, 8, int64_t{1} << 20}); }));
  EXPECT_TRUE(fails_with("", [&] { model.make_kv_pool({KvType::f32, INT32_MAX, 1 << 19}); }));
}

TEST(KvType, NamesGoBothWays) {
  for (const KvType type : kTypes) EXPECT_EQ(kv_type_from_name(name_of(type)), type);
  EXPECT_TRUE(fails_with("f32, f16, int8, int4", [] { kv_type_from_name("int3"); }));
}

}  // namespace
}  // namespace tern
