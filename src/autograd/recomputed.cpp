// SPDX-License-Identifier: Apache-2.0
// Memory for time: a part of a graph that is built again when its gradient is wanted.
#include <utility>

#include "autograd/tape.h"
#include "base/check.h"
#include "tern/autograd.h"

namespace tern {

Tensor recomputed(const Tensor& x, std::function<Tensor(const Tensor& x, bool with_grad)> fn) {
  check(x.defined() && x.requires_grad(), "recomputed", "expected x to require a gradient, got {}",
        x.defined() ? "one that does not" : "an undefined tensor");
  const Tensor y = fn(x.detach(), false).detach();
  record(y, "recomputed", {x}, [x = x.detach(), fn = std::move(fn)](const Tensor& dy) {
    Tensor leaf = x.detach();
    leaf.set_requires_grad();
    backward(fn(leaf, true), dy);
    Tensor dx = leaf.grad();
    leaf.set_grad({});  // so that it is the caller's alone
    return std::vector<Tensor>{std::move(dx)};
  });
  return y;
}

}  // namespace tern
