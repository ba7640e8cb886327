// SPDX-License-Identifier: Apache-2.0
// The output head of a model as it is set: exact, or by codes.
#pragma once

#include "models/architecture.h"

namespace tern {

// The type that a model without a wish gets. `screened` where it pays: it costs a copy of the head in 6 bits and the
// time to make it, and saves reading a head that lies in memory; a small one lies in the cache. Never with masters:
// each optimizer step would code anew.
HeadType default_head(const Architecture& model);

// Whether its logits are those of all the weights.
bool is_exact(HeadType type);

// Makes the codes that the type needs, of the head as it is now.
void set_head(Architecture& model, HeadType type);

// Logits f32 [..., vocab] of f32 hidden states [..., hidden]: by the codes of int8 and int4, else exact.
Tensor head_logits(const Architecture& model, const Tensor& hidden);

}  // namespace tern
