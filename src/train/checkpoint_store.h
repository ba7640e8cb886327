// SPDX-License-Identifier: Apache-2.0
// Directories that are complete or absent: what training can be resumed from.
//
//   <root>/step-000200/             finished; trainer.json lists the other files with size and XXH3-64
//   <root>/step-000200.tmp-<pid>/   being written, or left behind by a process that died
//   <root>/step-000200.damaged/     was step-000200 when a run came to that step again and found it damaged
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace tern {

class CheckpointStore {
 public:
  // The directory need not exist before the first write. One process at a time may write.
  explicit CheckpointStore(std::string root) : root_(std::move(root)) {}

  // Steps that have a finished directory, damaged or not, the newest first.
  std::vector<int64_t> steps() const;
  std::string path(int64_t step) const;

  // Makes the directory of a step in one step: `fill` writes files into a directory it is given; they, and a
  // trainer.json with `state` and the checksums, are flushed to the disk before the directory takes its name. When
  // anything throws, nothing remains of it and the other directories are as they were.
  void write(int64_t step, const nlohmann::json& state, const std::function<void(const std::string&)>& fill) const;

  // The state of a step, once every file has been found as it was written. Throws Error saying what is damaged.
  nlohmann::json verified_state(int64_t step) const;

  // Removes what processes that died were writing.
  void remove_leftovers() const;
  // Removes the directories of all steps up to `newest` but its last `keep`; later steps are not touched.
  void prune(int64_t newest, int64_t keep) const;

 private:
  std::string root_;
};

}  // namespace tern
