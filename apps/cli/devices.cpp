// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include <memory>

#include "common.h"
#include "output.h"
#include "tern/device.h"
#include "tern/error.h"
#include "verbs.h"

namespace tern::cli {
namespace {

Json describe(const std::string& name, const CommonOptions& options) {
  try {
    const Device device = Device::open(name, {options.threads, {}});
    Json entry = {
        {"name", name}, {"description", device.description()}, {"threads", device.threads()}, {"isa", device.isa()}};
    if (name == "cpu") entry["isas"] = Device::cpu_isas();
    return entry;
  } catch (const Error& error) {
    if (name == "cpu") throw;  // what is wrong is an option
    return {{"name", name}, {"unavailable", error.what()}};
  }
}

int list_devices(const CommonOptions& options) {
  Json devices = Json::array();
  for (const std::string& name : Device::names()) {
    devices.push_back(describe(name, options));
  }
  if (options.json) {
    print_json({{"devices", devices}});
    return 0;
  }
  for (const Json& device : devices) {
    if (device.contains("unavailable")) {
      print_out("no {}: {}\n", device["name"].get<std::string>(), device["unavailable"].get<std::string>());
      continue;
    }
    print_out("{}\n", device["description"].get<std::string>());
    if (device.contains("isas")) print_out("  instruction sets: {}\n", fmt::join(Device::cpu_isas(), ", "));
  }
  return 0;
}

}  // namespace

Action add_devices(CLI::App& verb) {
  auto options = std::make_shared<CommonOptions>();
  add_common(verb, *options);
  add_json(verb, *options,
           "devices, a list of name, description, threads, isa (active) and, of a CPU, isas; or of name and "
           "unavailable: why.");
  return [options] { return list_devices(*options); };
}

}  // namespace tern::cli
