// SPDX-License-Identifier: Apache-2.0
// Several processes that work on one model, each with a device of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "tern/device.h"

namespace tern {

class Collectives;

// Where this process stands among those that were started together.
struct ProcessPlace {
  enum class Launcher : uint8_t { none, environment, open_mpi };

  int rank = 0, size = 1;
  int local_rank = 0;   // among the processes of this machine: the ordinal of its GPU
  std::string address;  // host name or IP address of rank 0, which listens there while the group forms; may be empty
  int port = 0;
  Launcher launcher = Launcher::none;
};

// From the environment: RANK, WORLD_SIZE and LOCAL_RANK, MASTER_ADDR and MASTER_PORT (torchrun sets them all); else
// what Open MPI's mpirun sets, with MASTER_ADDR and MASTER_PORT, 127.0.0.1 and 29500 where all processes are on one
// machine; else alone. Under torchrun's own agent, which listens on MASTER_PORT itself, the port is the next one.
// Throws Error naming the variable that is missing or cannot be.
ProcessPlace process_place();

// A group of processes, numbered by rank. A cheap value: copies are the same group. Every process of a group makes the
// same calls in the same order, one at a time. A call throws Error when another process has failed.
class Communicator {
 public:
  // This process alone.
  Communicator();
  // Waits, for five minutes at most, until all processes of the place are here: over NCCL where the device is a GPU,
  // over MPI where it is a CPU. Once in a process. Throws Error when this build lacks what is needed, when rank 0
  // cannot be reached, or listen, and when not everyone comes or they disagree on how many they are.
  static Communicator join(const ProcessPlace& place, const Device& device);

  int rank() const;
  int size() const;

  // Everyone gets the bytes of rank 0.
  void broadcast(std::string& bytes) const;
  // Every value becomes the sum of all processes' values, in an order that depends on the group's size alone.
  void all_reduce_sum(std::span<double> values) const;
  // Returns when everyone has called it.
  void barrier() const;

  // Calls f. When that throws, tells the other processes why, so that they do not wait for this one, and goes on
  // throwing. Over MPI they are told when they wait the next time; the program is to end then: its group is done for.
  void guard(const std::function<void()>& f) const;

  // The implementation (src/distributed/collectives.h); not for users.
  Collectives& collectives() const { return *collectives_; }

 private:
  explicit Communicator(std::shared_ptr<Collectives> collectives);

  std::shared_ptr<Collectives> collectives_;
};

}  // namespace tern
