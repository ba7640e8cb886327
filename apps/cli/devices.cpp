// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include <memory>

#include "common.h"
#include "output.h"
#include "tern/device.h"
#include "verbs.h"

namespace tern::cli {
namespace {

int list_devices(const CommonOptions& options) {
  Json devices = Json::array();
  for (const std::string& name : Device::names()) {
    const Device device = Device::open(name, {options.threads, {}});
    Json entry = {{"name", name}, {"description", device.description()}, {"threads", device.threads()}};
    if (name == "cpu") {
      entry["isa"] = device.isa();
      entry["isas"] = Device::cpu_isas();
    }
    devices.push_back(std::move(entry));
  }
  if (options.json) {
    print_json({{"devices", devices}});
    return 0;
  }
  for (const Json& device : devices) {
    print_out("{}\n", device["description"].get<std::string>());
    if (device.contains("isas")) print_out("  instruction sets: {}\n", fmt::join(Device::cpu_isas(), ", "));
  }
  return 0;
}

}  // namespace

Action add_devices(CLI::App& verb) {
  auto options = std::make_shared<CommonOptions>();
  add_common(verb, *options);
  add_json(verb, *options, "devices, a list of name, description, threads and, of a CPU, isa (active) and isas.");
  return [options] { return list_devices(*options); };
}

}  // namespace tern::cli
