// SPDX-License-Identifier: Apache-2.0
// Collectives: what the processes of a group do together with tensors; one subclass per way of moving them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "tern/tensor.h"

namespace tern {

// Every process starts the same operations, of the same sizes, in the same order. start_… returns while the operation
// goes on; it sees what the device was asked to do before. Until wait() its tensors, contiguous and on the group's
// device, may not be touched; they are kept alive. All throw Error when a process of the group has failed.
class Collectives {
 public:
  using Ticket = uint64_t;
  enum class Kind : uint8_t { all_reduce_sum, reduce_scatter_sum, all_gather, broadcast };
  // As the functions below describe it.
  struct Operation {
    Kind kind;
    Tensor from, to;  // from is to where one of them is all there is
    int64_t count;    // elements for each process: of the shorter one

    size_t bytes() const { return static_cast<size_t>(count) * size_of(to.dtype()); }
  };

  virtual ~Collectives() = default;

  int rank() const { return rank_; }
  int size() const { return size_; }
  // Where the tensors are; none for a process alone.
  const Device& device() const { return device_; }

  // x becomes the sum of everyone's x, f32.
  Operation all_reduce_sum(const Tensor& x) const;
  // `to` [n] becomes the rank-th n-th of the sum of everyone's `from` [size · n], f32.
  Operation reduce_scatter_sum(const Tensor& from, const Tensor& to) const;
  // `to` [size · n] becomes everyone's `from` [n] by rank, any dtype; `from` may be this process's part of `to`.
  Operation all_gather(const Tensor& from, const Tensor& to) const;

  // Starts operations that do not touch each other's results: together, which is faster than one after the other.
  // With none of them, the ticket is that of the last one started.
  virtual Ticket start(std::span<const Operation> operations) = 0;
  Ticket start(const Operation& operation);
  // x becomes the x of rank 0, any dtype.
  Ticket start_broadcast(const Tensor& x);

  // What the device is asked to do from now on sees the results of that operation and of all before it. The host waits
  // only where operations do not run on the device.
  virtual void wait(Ticket ticket) = 0;

  // Every value becomes the sum of everyone's, on the host, which waits for nothing else of the device than the
  // operations started before.
  virtual void all_reduce_sum(std::span<double> values) = 0;

  // Tells the others that this process has failed: what they wait for ends, and their calls throw Error saying so.
  virtual void fail(std::string_view why) noexcept = 0;
  // Throws Error when another process has failed: to be asked before results that were waited for leave the process.
  virtual void check_alive() = 0;

 protected:
  Collectives(int rank, int size, Device device) : rank_(rank), size_(size), device_(std::move(device)) {}

 private:
  int rank_, size_;
  Device device_;
};

}  // namespace tern
