// SPDX-License-Identifier: Apache-2.0
// main() of tests that run in several processes: each joins the group, runs every test, and fails for itself.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>

#include "distributed/group.h"
#include "support/test_device.h"
#include "tern/error.h"

namespace tern::testing {
namespace {

constexpr int kSkipped = 77;  // SKIP_RETURN_CODE of the CTest entries

struct Joined {
  Device device;
  Communicator group;
};
std::unique_ptr<Joined> joined;

}  // namespace

const Device& group_device() { return joined->device; }
const Communicator& group() { return joined->group; }

int run() {
  const ProcessPlace place = process_place();
  Device device;
  try {
    device = test_device({.threads = 1, .ordinal = place.local_rank});
  } catch (const Error& error) {
    std::fprintf(stderr, "no device for rank %d: %s\n", place.rank, error.what());
    return kSkipped;
  }
  joined = std::make_unique<Joined>(Joined{device, Communicator::join(place, device)});
  const int result = RUN_ALL_TESTS();
  // A process that failed a test may have left others waiting: its end tells them.
  if (result == 0) joined.reset();
  return result;
}

}  // namespace tern::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  try {
    return tern::testing::run();
  } catch (const tern::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
