// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <stdlib.h>

#include <initializer_list>
#include <map>
#include <string>
#include <utility>

#include "support/fails_with.h"
#include "tern/distributed.h"

namespace tern {
namespace {

using testing::fails_with;
using Launcher = ProcessPlace::Launcher;

// Every variable that is looked at, as a test wants it; as it was, afterwards.
class Variables {
 public:
  Variables(std::initializer_list<std::pair<const char*, const char*>> set) {
    for (const char* name :
         {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_USE_AGENT_STORE",
          "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"}) {
      if (const char* const value = ::getenv(name)) before_[name] = value;
      ::unsetenv(name);
      names_.push_back(name);
    }
    for (const auto& [name, value] : set) ::setenv(name, value, 1);
  }
  ~Variables() {
    for (const char* name : names_) {
      const auto found = before_.find(name);
      found == before_.end() ? ::unsetenv(name) : ::setenv(name, found->second.c_str(), 1);
    }
  }

 private:
  std::vector<const char*> names_;
  std::map<std::string, std::string> before_;
};

TEST(ProcessPlace, IsAloneWithoutALauncher) {
  const Variables none({{"MASTER_ADDR", "elsewhere"}, {"LOCAL_RANK", "3"}});
  const ProcessPlace place = process_place();
  EXPECT_EQ(place.rank, 0);
  EXPECT_EQ(place.size, 1);
  EXPECT_EQ(place.local_rank, 0);
  EXPECT_EQ(place.launcher, Launcher::none);
  EXPECT_EQ(Communicator::join(place, {}).size(), 1);
}

TEST(ProcessPlace, ReadsTorchrunsVariables) {
  const Variables set(
      {{"RANK", "5"}, {"WORLD_SIZE", "8"}, {"LOCAL_RANK", "1"}, {"MASTER_ADDR", "node-0"}, {"MASTER_PORT", "1234"}});
  const ProcessPlace place = process_place();
  EXPECT_EQ(place.rank, 5);
  EXPECT_EQ(place.size, 8);
  EXPECT_EQ(place.local_rank, 1);
  EXPECT_EQ(place.address, "node-0");
  EXPECT_EQ(place.port, 1234);
  EXPECT_EQ(place.launcher, Launcher::environment);
}

// Its agent listens on the port that it gives out.
TEST(ProcessPlace, KeepsOffThePortOfTorchrunsAgent) {
  const Variables set({{"RANK", "0"},
                       {"WORLD_SIZE", "2"},
                       {"LOCAL_RANK", "0"},
                       {"MASTER_ADDR", "a"},
                       {"MASTER_PORT", "1234"},
                       {"TORCHELASTIC_USE_AGENT_STORE", "True"}});
  EXPECT_EQ(process_place().port, 1235);
}

TEST(ProcessPlace, ReadsOpenMpisVariables) {
  const Variables set({{"OMPI_COMM_WORLD_RANK", "2"},
                       {"OMPI_COMM_WORLD_SIZE", "3"},
                       {"OMPI_COMM_WORLD_LOCAL_RANK", "2"},
                       {"OMPI_COMM_WORLD_LOCAL_SIZE", "3"}});
  const ProcessPlace place = process_place();
  EXPECT_EQ(place.rank, 2);
  EXPECT_EQ(place.size, 3);
  EXPECT_EQ(place.local_rank, 2);
  EXPECT_EQ(place.address, "127.0.0.1");
  EXPECT_EQ(place.port, 29500);
  EXPECT_EQ(place.launcher, Launcher::open_mpi);
}

TEST(ProcessPlace, KnowsNoAddressOfAnotherMachine) {
  const Variables set({{"OMPI_COMM_WORLD_RANK", "2"},
                       {"OMPI_COMM_WORLD_SIZE", "4"},
                       {"OMPI_COMM_WORLD_LOCAL_RANK", "0"},
                       {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}});
  EXPECT_EQ(process_place().address, "");
  EXPECT_EQ(process_place().port, 0);
}

TEST(ProcessPlace, NamesTheVariableAtFault) {
  const auto refused = [](std::initializer_list<std::pair<const char*, const char*>> set, const char* message) {
    const Variables variables(set);
    return fails_with(message, [] { process_place(); });
  };
  EXPECT_TRUE(refused({{"RANK", "0"}}, "variable WORLD_SIZE, got none"));
  EXPECT_TRUE(refused({{"WORLD_SIZE", "2"}}, "variable RANK, got none"));
  EXPECT_TRUE(refused({{"WORLD_SIZE", "2"}, {"RANK", "1"}}, "variable LOCAL_RANK, got none"));
  EXPECT_TRUE(refused({{"WORLD_SIZE", "0"}, {"RANK", "0"}}, "WORLD_SIZE: expected an integer in [1, "));
  EXPECT_TRUE(refused({{"WORLD_SIZE", "2"}, {"RANK", "2"}}, "RANK: expected an integer in [0, 1], got '2'"));
  EXPECT_TRUE(refused({{"WORLD_SIZE", "2"}, {"RANK", "-1"}}, "RANK: expected an integer in [0, 1], got '-1'"));
  EXPECT_TRUE(refused({{"WORLD_SIZE", "2"}, {"RANK", "1x"}}, "got '1x'"));
  EXPECT_TRUE(refused({{"WORLD_SIZE", "2"}, {"RANK", "1"}, {"LOCAL_RANK", "1"}, {"MASTER_PORT", "70000"}},
                      "MASTER_PORT: expected an integer in [1, 65535], got '70000'"));
  EXPECT_TRUE(refused({{"OMPI_COMM_WORLD_SIZE", "2"}}, "variable OMPI_COMM_WORLD_RANK, got none"));
}

}  // namespace
}  // namespace tern
