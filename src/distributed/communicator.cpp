// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <utility>

#include "base/check.h"
#include "distributed/join.h"
#include "tern/distributed.h"

namespace tern {
namespace {

constexpr size_t kStagedBytes = size_t{64} << 20;  // of the device at once, for bytes of the host

// The bytes of rank 0, by way of the device.
void broadcast_bytes(Collectives& group, std::span<char> bytes) {
  for (size_t begin = 0; begin < bytes.size(); begin += kStagedBytes) {
    const auto piece = std::as_writable_bytes(bytes.subspan(begin, std::min(kStagedBytes, bytes.size() - begin)));
    const Tensor staged = Tensor::from_bytes(piece, {std::ssize(piece)}, DType::u8, group.device());
    group.wait(group.start_broadcast(staged));
    staged.copy_to_host(piece);
  }
  group.check_alive();
}

}  // namespace

Communicator::Communicator() : Communicator(alone()) {}
Communicator::Communicator(std::shared_ptr<Collectives> collectives) : collectives_(std::move(collectives)) {}

Communicator Communicator::join(const ProcessPlace& place, const Device& device) {
  check(place.size >= 1 && place.rank >= 0 && place.rank < place.size, "distributed",
        "expected a rank in [0, {}), the number of processes, got {}", place.size, place.rank);
  if (place.size == 1) return {};
  const bool on_cpu = device.name() == "cpu";
  Communicator group(on_cpu ? join_over_mpi(place, device) : join_over_nccl(place, device));
  // Opens the connections, which would otherwise count as the first step's time.
  group.guard([&] { group.barrier(); });
  return group;
}

int Communicator::rank() const { return collectives_->rank(); }
int Communicator::size() const { return collectives_->size(); }

void Communicator::broadcast(std::string& bytes) const {
  if (size() == 1) return;
  std::array<char, sizeof(uint64_t)> length;
  const auto own = static_cast<uint64_t>(bytes.size());
  std::memcpy(length.data(), &own, sizeof own);
  broadcast_bytes(*collectives_, length);
  uint64_t first = 0;
  std::memcpy(&first, length.data(), sizeof first);
  bytes.resize(first);
  broadcast_bytes(*collectives_, bytes);
}

void Communicator::all_reduce_sum(std::span<double> values) const {
  if (!values.empty()) collectives_->all_reduce_sum(values);
}

void Communicator::barrier() const {
  double nothing = 0;
  all_reduce_sum({&nothing, 1});
}

void Communicator::guard(const std::function<void()>& f) const {
  try {
    f();
  } catch (const std::exception& error) {
    collectives_->fail(error.what());
    throw;
  } catch (...) {
    collectives_->fail("for no reason given");
    throw;
  }
}

}  // namespace tern
