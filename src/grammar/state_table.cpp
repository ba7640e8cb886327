// SPDX-License-Identifier: Apache-2.0
#include "grammar/state_table.h"

#include <algorithm>

#include "base/check.h"

namespace tern {
namespace {

constexpr size_t kManySteps = size_t{1} << 22, kMostSteps = size_t{1} << 24;    // entries of next_
constexpr size_t kManyFrames = size_t{1} << 19, kMostFrames = size_t{1} << 22;  // of all states and stacks
constexpr size_t kMostUnions = size_t{1} << 18;                                 // remembered
constexpr size_t kMostWork = size_t{1} << 20;                                   // frames looked at for one step

}  // namespace

StateTable::StateTable(const Automaton& automaton) : automaton_(&automaton), slots_(automaton.node_count()) {
  intern_state({}, 0);
}

uint32_t StateTable::start() {
  begin();
  enter(automaton_->start, bottom(kBottom));
  if (automaton_->accepts_empty) collected_flags_ |= kCanEnd;
  return finish();
}

uint32_t StateTable::local_start(std::span<const uint32_t> nodes) {
  begin();
  // Only what the nodes read: what they call is in frames of its own.
  const uint32_t stack = bottom(kOpen);
  for (const uint32_t node : nodes) collected_.push_back({node, stack});
  return intern_state(collected_, 0);
}

uint32_t StateTable::after_return(uint32_t stack) {
  begin();
  end_rule(stack);
  return finish();
}

uint32_t StateTable::step(uint32_t state, std::string_view bytes) {
  for (const char byte : bytes) {
    if (state == kDead) break;
    state = step(state, static_cast<uint8_t>(byte));
  }
  return state;
}

uint32_t StateTable::make_step(uint32_t state, uint8_t byte) {
  begin();
  for (const Frame& frame : states_.frames(state)) {
    for (const Automaton::ByteEdge& edge : automaton_->byte_edges_of(frame.node)) {
      if (edge.first <= byte && byte <= edge.last) enter(edge.target, frame.stack);
    }
  }
  const uint32_t next = finish();
  next_[size_t{state} * automaton_->class_count + automaton_->byte_class[byte]] = next;
  return next;
}

void StateTable::begin() {
  for (const Frame& frame : collected_) slots_[frame.node] = 0;
  collected_.clear();
  pending_.clear();
  collected_flags_ = 0;
}

void StateTable::enter(uint32_t node, uint32_t stack) {
  if (slots_[node] == 0) {
    collected_.push_back({node, stack});
    slots_[node] = static_cast<uint32_t>(collected_.size());
  } else {
    uint32_t& known = collected_[slots_[node] - 1].stack;
    const uint32_t both = unite(known, stack);
    if (both == known) return;
    known = both;
  }
  pending_.push_back({node, stack});
}

void StateTable::end_rule(uint32_t stack) {
  if (stacks_.flags(stack) & kBottom) collected_flags_ |= kCanEnd;
  if (stacks_.flags(stack) & kOpen) collected_flags_ |= kReturns;
  const size_t count = stacks_.frames(stack).size();
  for (size_t i = 0; i < count; ++i) {
    const Frame frame = stacks_.frames(stack)[i];  // enter may move them
    enter(frame.node, frame.stack);
  }
}

void StateTable::call(const Automaton::Call& called, uint32_t stack) {
  if (called.next == Automaton::kTail) return enter(called.start, stack);
  const uint16_t depth = static_cast<uint16_t>(stacks_.depth(stack) + 1);
  if (depth > kDeepest) {
    collected_flags_ |= kCut;
    return;
  }
  const Frame next = {called.next, stack};
  enter(called.start, stacks_.intern({&next, 1}, 0, depth));
}

uint32_t StateTable::finish() {
  for (size_t work = 0; !pending_.empty(); ++work) {
    check(work < kMostWork && stacks_.frame_count() < kMostFrames, "grammar",
          "expected a grammar that reads a text in fewer ways, got more than there is memory for");
    const Frame frame = pending_.back();
    pending_.pop_back();
    if (automaton_->nodes[frame.node].accepts) end_rule(frame.stack);
    for (const Automaton::Call& called : automaton_->calls_of(frame.node)) call(called, frame.stack);
  }
  std::vector<Frame> frames;
  for (const Frame& frame : collected_) {
    if (!automaton_->byte_edges_of(frame.node).empty()) frames.push_back(frame);
  }
  std::sort(frames.begin(), frames.end());
  const bool is_dead = frames.empty() && (collected_flags_ & (kCanEnd | kReturns)) == 0;
  return is_dead ? kDead : intern_state(frames, collected_flags_);
}

uint32_t StateTable::intern_state(std::span<const Frame> frames, uint8_t flags) {
  uint16_t depth = 0;
  for (const Frame& frame : frames) depth = std::max(depth, stacks_.depth(frame.stack));
  const uint32_t state = states_.intern(frames, flags, depth);
  if (size_t{states_.count()} * automaton_->class_count > next_.size()) {
    check(next_.size() < kMostSteps && states_.frame_count() < kMostFrames, "grammar",
          "expected a grammar that reads a text in fewer ways, got more than there is memory for");
    next_.resize(next_.size() + automaton_->class_count, kUnknown);
  }
  return state;
}

uint32_t StateTable::unite(uint32_t a, uint32_t b) {
  if (a == b) return a;
  if (b < a) std::swap(a, b);
  const uint64_t key = uint64_t{a} << 32 | b;
  if (const auto found = unions_.find(key); found != unions_.end()) return found->second;
  const auto copy = [&](uint32_t stack) {
    const std::span<const Frame> frames = stacks_.frames(stack);
    return std::vector<Frame>(frames.begin(), frames.end());
  };
  const std::vector<Frame> left = copy(a), right = copy(b);  // interning moves them
  std::vector<Frame> frames;
  size_t i = 0, j = 0;
  while (i < left.size() || j < right.size()) {
    if (j == right.size() || (i < left.size() && left[i].node < right[j].node)) {
      frames.push_back(left[i++]);
    } else if (i == left.size() || right[j].node < left[i].node) {
      frames.push_back(right[j++]);
    } else {
      frames.push_back({left[i].node, unite(left[i].stack, right[j].stack)});
      ++i, ++j;
    }
  }
  check(stacks_.frame_count() < kMostFrames, "grammar",
        "expected a grammar that reads a text in fewer ways, got more than there is memory for");
  const uint32_t both =
      stacks_.intern(frames, stacks_.flags(a) | stacks_.flags(b), std::max(stacks_.depth(a), stacks_.depth(b)));
  if (unions_.size() >= kMostUnions) unions_.clear();
  unions_.emplace(key, both);
  return both;
}

bool StateTable::is_large() const {
  return next_.size() > kManySteps || states_.frame_count() + stacks_.frame_count() > kManyFrames;
}

uint32_t StateTable::import(const StateTable& other, uint32_t state) {
  std::unordered_map<uint32_t, uint32_t> known;
  std::vector<Frame> frames;
  for (const Frame& frame : other.states_.frames(state))
    frames.push_back({frame.node, import_stack(other, frame.stack, known)});
  return intern_state(frames, other.states_.flags(state));
}

uint32_t StateTable::import_stack(const StateTable& other, uint32_t stack,
                                  std::unordered_map<uint32_t, uint32_t>& known) {
  if (const auto found = known.find(stack); found != known.end()) return found->second;
  std::vector<Frame> frames;
  for (const Frame& frame : other.stacks_.frames(stack))
    frames.push_back({frame.node, import_stack(other, frame.stack, known)});
  const uint32_t copy = stacks_.intern(frames, other.stacks_.flags(stack), other.stacks_.depth(stack));
  known.emplace(stack, copy);
  return copy;
}

}  // namespace tern
