// SPDX-License-Identifier: Apache-2.0
#include "figures.h"

#include "common.h"
#include "machine.h"

namespace tern::cli {
namespace {

double rate(double amount, double seconds) { return amount > 0 && seconds > 0 ? amount / seconds : 0; }

}  // namespace

double bytes_per_token(const Model& model, KvType kv, double length) {
  const ModelInfo info = model.info();
  const int64_t cached = model.kv_bytes_per_token({.type = kv});
  return static_cast<double>(info.ternary_bytes + info.head_bytes + info.norm_bytes) +
         static_cast<double>(cached) * length;
}

void Figures::add(const Model& model, KvType kv, const GenerateResult& result) {
  prompt_tokens += result.prompt_tokens;
  cached_tokens += result.cached_tokens;
  tokens += std::ssize(result.ids);
  prefill_seconds += result.prefill_seconds;
  decode_seconds += result.decode_seconds;
  const int64_t more = std::ssize(result.ids) - 1;
  if (more <= 0) return;
  decoded += more;
  const double length = static_cast<double>(result.prompt_tokens) + static_cast<double>(more + 1) / 2;
  read_bytes += static_cast<double>(more) * cli::bytes_per_token(model, kv, length);
}

double Figures::prefill_tokens_per_s() const {
  return rate(static_cast<double>(prompt_tokens - cached_tokens), prefill_seconds);
}
double Figures::decode_tokens_per_s() const { return rate(static_cast<double>(decoded), decode_seconds); }
double Figures::bytes_per_token() const { return decoded > 0 ? read_bytes / static_cast<double>(decoded) : 0; }
double Figures::decode_gb_per_s() const { return rate(read_bytes, decode_seconds) * 1e-9; }

Json Figures::to_json() const {
  return {{"load_s", load_s},
          {"prompt_tokens", prompt_tokens},
          {"cached_tokens", cached_tokens},
          {"tokens", tokens},
          {"prefill_seconds", prefill_seconds},
          {"decode_seconds", decode_seconds},
          {"prefill_tokens_per_s", prefill_tokens_per_s()},
          {"decode_tokens_per_s", decode_tokens_per_s()},
          {"bytes_per_token", bytes_per_token()},
          {"decode_gb_per_s", decode_gb_per_s()},
          {"resident_mb", static_cast<double>(resident_bytes()) * 1e-6}};
}

std::string Figures::to_text() const {
  std::string text = fmt::format("loaded in {:.2f} s; prefill {} tokens, {} tok/s; decode {} tokens, {} tok/s", load_s,
                                 prompt_tokens - cached_tokens, human_count(prefill_tokens_per_s()), tokens,
                                 human_count(decode_tokens_per_s()));
  if (decoded > 0) {
    text += fmt::format(", {} a token, {:.1f} GB/s", human_bytes(static_cast<int64_t>(bytes_per_token())),
                        decode_gb_per_s());
  }
  if (cached_tokens > 0) text += fmt::format("; {} prompt tokens found in the cache", cached_tokens);
  return text + fmt::format("; {} resident", human_bytes(resident_bytes()));
}

}  // namespace tern::cli
