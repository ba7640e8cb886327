// SPDX-License-Identifier: Apache-2.0
// What a build without NCCL has to say of it.
#include "base/check.h"
#include "distributed/join.h"

namespace tern {

std::shared_ptr<Collectives> join_over_nccl(const ProcessPlace& place, const Device& device) {
  fail("distributed",
       "expected a build with NCCL (configure with -DTERN_CUDA=ON where nccl.h is) for {} processes on {}, this one is "
       "without",
       place.size, device.name());
}

}  // namespace tern
