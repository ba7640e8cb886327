// SPDX-License-Identifier: Apache-2.0
// Decoding steps of a model as recordings of its device (device/backend.h): a step of so many sequences is some hundred
// small kernels, which a GPU runs faster than a host launches them.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <utility>

#include "device/backend.h"
#include "models/architecture.h"

namespace tern {

// Of one pool of keys and values.
class RecordedPasses {
 public:
  // Architecture::hidden of checked ids and sequences by a recording; undefined where that is not to be had: a sequence
  // has several rows, the device records nothing, or so many sequences are met for the first time.
  Tensor run(const Architecture& model, const PagedKv& kv, std::span<const int64_t> ids,
             std::span<const PagedRows> sequences);
  // The same of ids i64 [sequences] on the device.
  Tensor run(const Architecture& model, const PagedKv& kv, const Tensor& ids, std::span<const PagedRows> sequences);

 private:
  struct Pass {
    std::unique_ptr<Recording> recording;  // null: not yet
    Tensor inputs;                         // u8: ids, then the tables
    Tensor residual;                       // Architecture::residual, the recording's: each replay overwrites it
  };
  // Sequences, and pages that each has room for.
  using Key = std::pair<int64_t, int64_t>;

  // The hidden states of its inputs, for good.
  static Tensor replay(const Architecture& model, const Pass& pass);
  // The recording for these sequences; null where there is none to be had.
  Pass* find(const Architecture& model, const PagedKv& kv, std::span<const PagedRows> sequences);
  // Whether `pass` holds a recording now.
  bool record(const Architecture& model, const PagedKv& kv, const Key& key, Pass& pass);

  bool device_records_ = true;         // as far as is known
  std::weak_ptr<const void> weights_;  // of the recordings
  std::map<Key, Pass> passes_;
};

}  // namespace tern
