// SPDX-License-Identifier: Apache-2.0
// Following a text through an automaton: states, made when they are first met, and the steps between them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/frame_sets.h"

namespace tern {

// A state is a set of frames: nodes that may read the next byte, each with the stacks under it. A stack is in turn a
// set of frames (where to go on, above which stacks), each node in it once, so that one id stands for many stacks that
// share their ends (as in Tomita's graph-structured stack, 1986), and equal states have equal ids.
class StateTable {
 public:
  // The state that nothing leads out of, not even the end.
  static constexpr uint32_t kDead = 0;

  // The automaton must live as long as the table.
  explicit StateTable(const Automaton& automaton);

  // At the beginning of a text.
  uint32_t start();
  // At these nodes, above a stack of which nothing is known.
  uint32_t local_start(std::span<const uint32_t> nodes);
  // Where the stack is one of these when a rule has just ended. Expects not the unknown one.
  uint32_t after_return(uint32_t stack);
  // The state after a byte. Throws Error when the table is full.
  uint32_t step(uint32_t state, uint8_t byte) {
    const uint32_t next = next_[size_t{state} * automaton_->class_count + automaton_->byte_class[byte]];
    return next != kUnknown ? next : make_step(state, byte);
  }
  uint32_t step(uint32_t state, std::string_view bytes);

  // The frames that can read a byte; valid until the next call that is not const.
  std::span<const Frame> frames(uint32_t state) const { return states_.frames(state); }
  uint16_t stack_depth(uint32_t stack) const { return stacks_.depth(stack); }
  // How deep the deepest stack is, frames on the way to the state's counted.
  uint16_t depth(uint32_t state) const { return states_.depth(state); }
  // The text may end here.
  bool can_end(uint32_t state) const { return (states_.flags(state) & kCanEnd) != 0; }
  // A rule may end here whose caller is unknown.
  bool returns(uint32_t state) const { return (states_.flags(state) & kReturns) != 0; }
  // Something was left out because it is nested too deep.
  bool is_cut(uint32_t state) const { return (states_.flags(state) & kCut) != 0; }

  // The table has grown so much that a new one should take its place; well before it is full.
  bool is_large() const;
  // The state here that is the same as one of another table for the same automaton.
  uint32_t import(const StateTable& other, uint32_t state);

  static constexpr uint16_t kDeepest = 1024;

 private:
  static constexpr uint32_t kUnknown = UINT32_MAX;
  enum StateFlags : uint8_t { kCanEnd = 1, kReturns = 2, kCut = 4 };
  enum StackFlags : uint8_t { kBottom = 1, kOpen = 2 };  // stacks that end here: the text's, the unknown one

  uint32_t make_step(uint32_t state, uint8_t byte);
  uint32_t bottom(StackFlags flag) { return stacks_.intern({}, flag, 0); }
  // The stacks of both.
  uint32_t unite(uint32_t a, uint32_t b);
  uint32_t import_stack(const StateTable& other, uint32_t stack, std::unordered_map<uint32_t, uint32_t>& known);

  // Collecting a state: begin, enter its frames and end rules, finish.
  void begin();
  void enter(uint32_t node, uint32_t stack);
  void end_rule(uint32_t stack);
  void call(const Automaton::Call& called, uint32_t stack);
  uint32_t finish();
  uint32_t intern_state(std::span<const Frame> frames, uint8_t flags);

  const Automaton* automaton_;
  FrameSets states_, stacks_;
  std::vector<uint32_t> next_;  // [state, byte class]: a state or kUnknown
  std::unordered_map<uint64_t, uint32_t> unions_;

  std::vector<uint32_t> slots_;  // by node: where it is in collected_, plus 1
  std::vector<Frame> collected_;
  std::vector<Frame> pending_;  // nodes with stacks under which they have not been looked at yet
  uint8_t collected_flags_ = 0;
};

}  // namespace tern
