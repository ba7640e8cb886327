// SPDX-License-Identifier: Apache-2.0
// Where an answer ends: what a chat template puts between it and the next question.
#pragma once

#include "tern/chat.h"
#include "tern/engine.h"

namespace tern::cli {

// Makes generation end where the template ends an assistant's turn: at the special token it puts there, or at the text
// if there is none. Changes nothing for a template that refuses such a chat.
void end_turns_of(const ChatTemplate& chat_template, const Tokenizer& tokenizer, TextOptions& options);

}  // namespace tern::cli
