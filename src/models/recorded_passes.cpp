// SPDX-License-Identifier: Apache-2.0
#include "models/recorded_passes.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "core/device_memory.h"
#include "ops/copy.h"

namespace tern {
namespace {

// An engine meets every number of sequences up to its limit; each takes some 100 KB.
constexpr size_t kMostPasses = 128;
// Room of a sequence, which doubles as it grows: each size is a recording of its own.
constexpr int64_t kFewestPages = 16;

int64_t page_room(std::span<const PagedRows> sequences) {
  int64_t most = kFewestPages;
  for (const PagedRows& s : sequences) most = std::max(most, std::ssize(s.pages));
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(most)));
}

// Where things lie in the one block that is uploaded for a pass.
struct InputLayout {
  int64_t sequences, pages_each;

  int64_t tables() const { return sequences * int64_t{sizeof(int64_t)}; }
  int64_t pages() const { return tables() + sequences * int64_t{sizeof(PagedSequence)}; }
  int64_t bytes() const { return pages() + sequences * pages_each * int64_t{sizeof(int32_t)}; }
};

Tensor part(const Tensor& inputs, int64_t at, const Shape& shape, DType dtype) {
  return Tensor::over(inputs.storage(), at, shape, contiguous_strides(shape), dtype);
}

// The block, without the ids.
std::vector<std::byte> input_bytes(const InputLayout& layout, std::span<const PagedRows> sequences) {
  std::vector<std::byte> bytes(static_cast<size_t>(layout.bytes()));
  std::byte* const tables = bytes.data() + layout.tables();
  std::byte* const pages = bytes.data() + layout.pages();
  for (int64_t i = 0; i < layout.sequences; ++i) {
    const PagedRows& s = sequences[static_cast<size_t>(i)];
    const PagedSequence table = {.row = i, .rows = 1, .length = s.length, .table = i * layout.pages_each};
    std::memcpy(tables + i * int64_t{sizeof table}, &table, sizeof table);
    std::memcpy(pages + table.table * int64_t{sizeof(int32_t)}, s.pages.data(), s.pages.size_bytes());
  }
  return bytes;
}

}  // namespace

Tensor RecordedPasses::run(const Architecture& model, const PagedKv& kv, std::span<const int64_t> ids,
                           std::span<const PagedRows> sequences) {
  Pass* const pass = find(model, kv, sequences);
  if (pass == nullptr) return {};
  std::vector<std::byte> bytes = input_bytes({std::ssize(sequences), page_room(sequences)}, sequences);
  std::memcpy(bytes.data(), ids.data(), ids.size_bytes());
  model.device().memory().copy_to_device(pass->inputs.raw(), bytes.data(), bytes.size());
  return replay(model, *pass);
}

Tensor RecordedPasses::run(const Architecture& model, const PagedKv& kv, const Tensor& ids,
                           std::span<const PagedRows> sequences) {
  Pass* const pass = find(model, kv, sequences);
  if (pass == nullptr) return {};
  const InputLayout layout = {std::ssize(sequences), page_room(sequences)};
  const std::vector<std::byte> bytes = input_bytes(layout, sequences);
  const auto tables = std::span(bytes).subspan(static_cast<size_t>(layout.tables()));
  const Tensor of_pass = dense(ids);
  const std::span there(static_cast<const std::byte*>(of_pass.raw()), static_cast<size_t>(layout.tables()));
  model.device().memory().join_to_device(pass->inputs.raw(), there, tables);
  return replay(model, *pass);
}

Tensor RecordedPasses::replay(const Architecture& model, const Pass& pass) {
  pass.recording->replay();
  return model.normalized(pass.residual);
}

RecordedPasses::Pass* RecordedPasses::find(const Architecture& model, const PagedKv& kv,
                                           std::span<const PagedRows> sequences) {
  if (!device_records_) return nullptr;
  if (std::any_of(sequences.begin(), sequences.end(), [](const PagedRows& s) { return s.rows != 1; })) return nullptr;
  if (weights_.lock() != model.weights_identity() || passes_.size() > kMostPasses) {
    passes_.clear();
    weights_ = model.weights_identity();
  }
  const Key key = {std::ssize(sequences), page_room(sequences)};
  const auto [at, is_new] = passes_.try_emplace(key);
  Pass& pass = at->second;
  if (is_new || (!pass.recording && !record(model, kv, key, pass))) return nullptr;
  return &pass;
}

bool RecordedPasses::record(const Architecture& model, const PagedKv& kv, const Key& key, Pass& pass) {
  const auto [sequences, pages_each] = key;
  const InputLayout layout = {sequences, pages_each};
  pass.inputs = Tensor::zeros({layout.bytes()}, DType::u8, model.device());
  const Tensor ids = part(pass.inputs, 0, {sequences}, DType::i64);
  PagedPass tables;
  tables.sequences = part(pass.inputs, layout.tables(), {sequences, 4}, DType::i64);
  tables.pages = part(pass.inputs, layout.pages(), {sequences * pages_each}, DType::i32);
  tables.rows = sequences;
  tables = model.paged_pass(std::move(tables));
  pass.recording = model.device().backend().record([&] { pass.residual = model.residual(ids, kv, tables); });
  device_records_ = pass.recording != nullptr;
  return device_records_;
}

}  // namespace tern
