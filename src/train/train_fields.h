// SPDX-License-Identifier: Apache-2.0
// The fields of TrainConfig, listed once: command line, JSON, printing and resume derive from this list.
#pragma once

#include <cstdint>

#include "tern/train.h"

namespace tern {

// Whether a field may be changed when a run is resumed.
enum class OnResume : uint8_t { same, free };

// Calls visit(name, member, help, on_resume) for every field in the order of the struct; Config is TrainConfig or const
// TrainConfig. Members are of type int64_t, uint64_t, double, bool, std::string or std::vector<int64_t>.
template <class Config, class Visitor>
void visit_fields(Config& config, Visitor&& visit) {
  auto& model = config.model;
  const auto fixed = [&visit](const char* name, auto& member, const char* help) {
    visit(name, member, help, OnResume::same);
  };
  const auto free = [&visit](const char* name, auto& member, const char* help) {
    visit(name, member, help, OnResume::free);
  };
  fixed("architecture", model.architecture, "model family, as in Hugging Face's config.json");
  fixed("vocab_size", model.vocab_size, "rows of the embedding; at least the tokenizer's size");
  fixed("hidden_size", model.hidden_size, "width of the residual stream");
  fixed("intermediate_size", model.intermediate_size, "width of the feed-forward block");
  fixed("num_hidden_layers", model.num_hidden_layers, "transformer layers");
  fixed("num_attention_heads", model.num_attention_heads, "query heads");
  fixed("num_key_value_heads", model.num_key_value_heads, "key and value heads; divides the query heads");
  fixed("max_position_embeddings", model.max_position_embeddings, "longest sequence the model takes, in tokens");
  fixed("rope_theta", model.rope_theta, "base of the rotary embedding's frequencies");
  fixed("rms_norm_eps", model.rms_norm_eps, "epsilon of the norms");
  fixed("initializer_range", model.initializer_range, "standard deviation of fresh weights");
  fixed("tie_word_embeddings", model.tie_word_embeddings, "the output head is the embedding");
  fixed("hidden_act", model.hidden_act, "activation of the feed-forward block");
  fixed("bos_token_id", model.bos_token_id, "token that begins a text");
  fixed("eos_token_ids", model.eos_token_ids, "tokens that end a text");

  fixed("sequence_length", config.sequence_length, "tokens per training sequence");
  fixed("batch_size", config.batch_size, "sequences per micro-batch");
  fixed("accumulate", config.accumulate, "micro-batches per step");
  free("recompute", config.recompute, "run each layer again for its gradient: less memory, more time, the same bits");
  fixed("steps", config.steps, "optimizer steps of the whole run");
  fixed("lr", config.lr, "peak learning rate");
  fixed("warmup_steps", config.warmup_steps, "steps until the peak learning rate");
  fixed("stage_split", config.stage_split, "share of the steps in the first stage");
  fixed("stage1_end", config.stage1_end, "learning rate at the end of the first stage, relative to lr");
  fixed("stage2_begin", config.stage2_begin, "learning rate at the start of the second stage, relative to lr");
  fixed("weight_decay", config.weight_decay, "AdamW's weight decay, in the first stage");
  fixed("beta1", config.beta1, "AdamW's decay of the first moment");
  fixed("beta2", config.beta2, "AdamW's decay of the second moment");
  fixed("eps", config.eps, "AdamW's epsilon");
  fixed("clip", config.clip, "largest global norm of the gradients; 0 does not clip");
  fixed("seed", config.seed, "of the fresh weights and of the order of the data");
  fixed("validation_share", config.validation_share,
        "share of the text, its end, kept for validation where no validation text is given");
  free("eval_every", config.eval_every, "steps between validations; 0 validates only at the end");
  free("eval_tokens", config.eval_tokens, "most validation tokens to take each time");
  free("checkpoint_every", config.checkpoint_every, "steps between checkpoints; 0 writes one only at the end");
  free("keep_checkpoints", config.keep_checkpoints, "newest checkpoints to keep");
}

}  // namespace tern
