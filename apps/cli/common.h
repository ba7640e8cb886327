// SPDX-License-Identifier: Apache-2.0
// What several verbs share: common options and how figures are printed.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "tern/device.h"
#include "tern/model.h"

namespace tern::cli {

struct CommonOptions {
  int threads = 0;
  std::string device = "cpu";
  int ordinal = 0;  // of several GPUs; no option of its own
  std::string precision = "f32";  // of the device's dense products
  uint64_t seed = 0;
  bool json = false;
  std::string progress = "auto";  // of loading: auto, bar or none
};

// One option each.
void add_device(CLI::App& verb, CommonOptions& options);
void add_seed(CLI::App& verb, CommonOptions& options);
void add_precision(CLI::App& verb, CommonOptions& options);
void add_progress(CLI::App& verb, CommonOptions& options);
// --threads and --device.
void add_machine(CLI::App& verb, CommonOptions& options);
// The same and --seed.
void add_common(CLI::App& verb, CommonOptions& options);
// --json; `fields` is a line on what the object holds, for the end of the help.
void add_json(CLI::App& verb, CommonOptions& options, const std::string& fields);
// The argument MODEL and --progress.
void add_model(CLI::App& verb, std::string& model, CommonOptions& options);

// --kv and --head, for running a model.
void add_kv(CLI::App& verb, std::string& kv);
void add_head(CLI::App& verb, std::string& head);
// What --head says; empty is no wish.
LoadOptions load_options(const std::string& head);

Device open_device(const CommonOptions& options, bool tune = false);
// The model of a directory, to be run: a large one on a device that has measured itself first (DeviceOptions::tune).
Model load_model(const std::string& directory, const CommonOptions& options, const LoadOptions& load);
// The same on any device. With a bar on standard error if that takes long enough to wonder.
Model load_model(const std::string& directory, const Device& device, const CommonOptions& options,
                 const LoadOptions& load = {});

// "1.50 MB"; powers of 1000.
std::string human_bytes(int64_t bytes);
// "2.41 G", "12.3 k", "977": a count or a rate.
std::string human_count(double count);
// "1:02:03", "2:03".
std::string human_duration(double seconds);

}  // namespace tern::cli
