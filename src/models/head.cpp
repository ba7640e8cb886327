// SPDX-License-Identifier: Apache-2.0
#include "models/head.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/named_enum.h"
#include "tern/ops.h"

namespace tern {
namespace {

// The bits of a screen, for a head of random normal weights 128256 x 2560 and normal hidden states, whose best logit is
// 4.4 deviations off (a trained model's is further): the bound that follows from the codes' measured error norms, the
// share of rows that it leaves above the exact logit of the best, and the bytes that a greedy token reads of 657 MB in
// bf16.
//   4 bits   a bound of 4.9 standard deviations of the logits leaves most; 169 MB and the whole head
//   6 bits   1.2, and 1.5 with activations in one plane: leaves 0.2 %; 251 + 2 MB
//   8 bits   0.3: leaves next to none; 333 MB
// Not tried: 5 bits, 2.4: leaves 2 %; 210 + 13 MB.
// 6 bits on a briefly trained model (2048 x 256, perplexity 147) and its own hidden states: 3.4 logits rescored a
// greedy token, none fell back of 500. A 4-bit plane first, with 2 more bits only for its survivors, reads 169 MB where
// the winner stands 9 deviations apart and 251 elsewhere, for two passes; not tried.
constexpr int kScreenBits = 6;

// A head below this many bytes lies in the caches of most machines.
constexpr int64_t kSmallHead = int64_t{16} << 20;

int bits_of(HeadType type) { return type == HeadType::int8 ? 8 : type == HeadType::int4 ? 4 : kScreenBits; }

void check_hidden(const char* op, const ModelConfig& config, const Tensor& hidden, int rank) {
  const std::string expected = fmt::format("f32 hidden states [{}{}]", rank == 1 ? "" : "rows, ", config.hidden_size);
  check(hidden.defined(), op, "expected {}, got none", expected);
  check(hidden.dtype() == DType::f32 && hidden.rank() == rank && hidden.shape().back() == config.hidden_size, op,
        "expected {}, got {} {}", expected, name_of(hidden.dtype()), to_string(hidden.shape()));
}

constexpr std::array<std::string_view, 4> kNames = {"full", "screened", "int8", "int4"};

}  // namespace

std::string_view name_of(HeadType type) { return kNames[static_cast<size_t>(type)]; }

HeadType head_type_from_name(std::string_view name) { return enum_from_name<HeadType>("head", kNames, name); }

HeadType default_head(const Architecture& model) {
  const Tensor& weight = model.head().get(false);
  const int64_t bytes = weight.numel() * static_cast<int64_t>(size_of(weight.dtype()));
  return model.weights == Weights::packed && bytes >= kSmallHead ? HeadType::screened : HeadType::full;
}

bool is_exact(HeadType type) { return type == HeadType::full || type == HeadType::screened; }

void set_head(Architecture& model, HeadType type) {
  model.coded_head = type == HeadType::full ? CodedWeight() : code_weight(model.head().get(false), bits_of(type));
  model.head_type = type;
}

Tensor head_logits(const Architecture& model, const Tensor& hidden) {
  if (!is_exact(model.head_type)) return coded_linear(hidden, model.coded_head);
  return linear(hidden, model.head().get(false));
}

HeadType Model::head() const { return architecture_->head_type; }

void Model::set_head(HeadType type) { tern::set_head(*architecture_, type); }

Tensor Model::head_logits(const Tensor& hidden) const {
  check_hidden("head_logits", config(), hidden, 2);
  return tern::head_logits(*architecture_, hidden);
}

Tensor Model::head_logits(const Tensor& hidden, std::span<const int64_t> ids) const {
  check_hidden("head_logits", config(), hidden, 1);
  check(is_exact(head()), "head_logits",
        "expected an exact head for logits of single tokens, got an approximate one");
  const Tensor rows =
      Tensor::from(std::vector<int64_t>(ids.begin(), ids.end()), {static_cast<int64_t>(ids.size())}, device());
  return linear_rows(hidden, architecture_->head().get(false), rows);
}

Tensor Model::head_weight() const { return architecture_->head().get(false); }

LogitBounds Model::head_bounds(const Tensor& hidden) const {
  check_hidden("head_bounds", config(), hidden, 2);
  check(head() == HeadType::screened, "head_bounds", "expected a screened head for bounds of its logits, got another");
  LinearBounds bounds = linear_bounds(hidden, architecture_->coded_head);
  return {std::move(bounds.low), std::move(bounds.high), std::move(bounds.leaders)};
}

}  // namespace tern
