// SPDX-License-Identifier: Apache-2.0
// The group of one process.
#include "device/backend.h"
#include "distributed/join.h"

namespace tern {
namespace {

class Alone final : public Collectives {
 public:
  Alone() : Collectives(0, 1, {}) {}

  Ticket start(std::span<const Operation> operations) override {
    for (const auto& [kind, from, to, count] : operations) {
      if (from.raw() == to.raw()) continue;
      const Backend& backend = to.device().backend();
      const Dims flat{1, {count}}, step{1, {1}};
      backend.kernels().copy(backend.exec(), {flat, from.raw(), from.dtype(), step, to.raw(), to.dtype(), step});
    }
    return 0;
  }
  void wait(Ticket) override {}
  void all_reduce_sum(std::span<double>) override {}
  void fail(std::string_view) noexcept override {}
  void check_alive() override {}
};

}  // namespace

std::shared_ptr<Collectives> alone() { return std::make_shared<Alone>(); }

}  // namespace tern
