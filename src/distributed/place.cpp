// SPDX-License-Identifier: Apache-2.0
// Where this process stands, by the variables that launchers set.
#include <charconv>
#include <climits>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/check.h"
#include "tern/distributed.h"

namespace tern {
namespace {

constexpr const char* kOwnHost = "127.0.0.1";
constexpr int kUsualPort = 29500;

// An empty variable is one that is not there.
std::optional<std::string_view> variable(const char* name) {
  const char* const text = std::getenv(name);
  if (text == nullptr || *text == '\0') return std::nullopt;
  return text;
}

int number(const char* name, int least, int most) {
  const std::optional<std::string_view> text = variable(name);
  check(text.has_value(), "distributed", "expected the environment variable {}, got none", name);
  int value = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, value);
  check(error == std::errc() && stop == end && value >= least && value <= most, "distributed",
        "{}: expected an integer in [{}, {}], got '{}'", name, least, most, *text);
  return value;
}

void take_address(ProcessPlace& place) {
  if (const auto address = variable("MASTER_ADDR")) place.address = *address;
  if (variable("MASTER_PORT")) place.port = number("MASTER_PORT", 1, 65535);
}

ProcessPlace place_by(const char* rank, const char* size, const char* local_rank) {
  ProcessPlace place;
  place.size = number(size, 1, INT_MAX);
  place.rank = number(rank, 0, place.size - 1);
  place.local_rank = number(local_rank, 0, place.size - 1);
  take_address(place);
  return place;
}

ProcessPlace place_by_environment() {
  ProcessPlace place = place_by("RANK", "WORLD_SIZE", "LOCAL_RANK");
  place.launcher = ProcessPlace::Launcher::environment;
  if (variable("TORCHELASTIC_USE_AGENT_STORE") == "True" && place.port > 0) ++place.port;
  return place;
}

ProcessPlace place_by_open_mpi() {
  ProcessPlace place = place_by("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK");
  place.launcher = ProcessPlace::Launcher::open_mpi;
  const bool one_machine =
      variable("OMPI_COMM_WORLD_LOCAL_SIZE") && number("OMPI_COMM_WORLD_LOCAL_SIZE", 1, place.size) == place.size;
  if (one_machine && place.address.empty()) place.address = kOwnHost;
  if (one_machine && place.port == 0) place.port = kUsualPort;
  return place;
}

}  // namespace

ProcessPlace process_place() {
  if (variable("RANK") || variable("WORLD_SIZE")) return place_by_environment();
  if (variable("OMPI_COMM_WORLD_SIZE")) return place_by_open_mpi();
  return {};
}

}  // namespace tern
