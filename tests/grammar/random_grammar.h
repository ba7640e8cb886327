// SPDX-License-Identifier: Apache-2.0
// Random grammars over a and b, and the texts that they describe, found by nothing but set arithmetic.
#pragma once

#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace tern::testing {

using Texts = std::set<std::string>;

// Texts longer than this are left out; those up to it are complete.
inline constexpr size_t kLongest = 5;

struct Node {
  enum Kind { kText, kClass, kSequence, kChoice, kRepeat, kRule } kind = kText;
  std::string text;
  std::vector<Node> parts;
  int min = 0, max = 0;  // max < 0: no limit
  size_t rule = 0;
};

struct RandomGrammar {
  std::vector<Node> rules;  // the first is the root
};

inline Node random_node(std::mt19937& random, int depth, size_t rules) {
  Node node;
  switch (random() % (depth > 0 ? 8 : 4)) {
    case 0:
    case 1:
      node.text = std::string(random() % 3, 'a');
      for (char& c : node.text) c = "ab"[random() % 2];
      break;
    case 2:
      node.kind = Node::kClass;
      node.text = "ab";
      break;
    case 3:
      node.kind = Node::kRule;
      node.rule = random() % rules;
      break;
    case 4:
    case 5:
      node.kind = Node::kSequence;
      break;
    case 6:
      node.kind = Node::kChoice;
      break;
    default:
      node.kind = Node::kRepeat;
      node.min = static_cast<int>(random() % 3);
      node.max = random() % 2 ? -1 : node.min + static_cast<int>(random() % 3);
  }
  const size_t parts = node.kind == Node::kRepeat                                ? 1
                       : node.kind < Node::kSequence || node.kind == Node::kRule ? 0
                                                                                 : 2 + random() % 2;
  for (size_t i = 0; i < parts; ++i) node.parts.push_back(random_node(random, depth - 1, rules));
  return node;
}

inline RandomGrammar random_grammar(std::mt19937& random) {
  RandomGrammar grammar;
  const size_t rules = 1 + random() % 4;
  for (size_t i = 0; i < rules; ++i) grammar.rules.push_back(random_node(random, 3, rules));
  return grammar;
}

inline std::string rule_name(size_t rule) { return rule == 0 ? "root" : "r" + std::to_string(rule); }

inline std::string gbnf(const Node& node) {
  std::string text;
  switch (node.kind) {
    case Node::kText:
      return "\"" + node.text + "\"";
    case Node::kClass:
      return "[" + node.text + "]";
    case Node::kRule:
      return rule_name(node.rule);
    case Node::kSequence:
    case Node::kChoice:
      for (const Node& part : node.parts)
        text += (text.empty() ? "" : node.kind == Node::kChoice ? " | " : " ") + gbnf(part);
      return "(" + text + ")";
    case Node::kRepeat:
      return gbnf(node.parts[0]) + "{" + std::to_string(node.min) + "," +
             (node.max < 0 ? "" : std::to_string(node.max)) + "}";
  }
  return text;
}

inline std::string gbnf(const RandomGrammar& grammar) {
  std::string text;
  for (size_t i = 0; i < grammar.rules.size(); ++i) text += rule_name(i) + " ::= " + gbnf(grammar.rules[i]) + "\n";
  return text;
}

inline Texts joined(const Texts& a, const Texts& b) {
  Texts both;
  for (const std::string& left : a) {
    for (const std::string& right : b) {
      if (left.size() + right.size() <= kLongest) both.insert(left + right);
    }
  }
  return both;
}

inline Texts texts_of(const Node& node, const std::vector<Texts>& rules) {
  Texts texts;
  switch (node.kind) {
    case Node::kText:
      return {node.text};
    case Node::kClass:
      for (const char c : node.text) texts.insert(std::string(1, c));
      return texts;
    case Node::kRule:
      return rules[node.rule];
    case Node::kSequence:
      texts = {""};
      for (const Node& part : node.parts) texts = joined(texts, texts_of(part, rules));
      return texts;
    case Node::kChoice:
      for (const Node& part : node.parts) texts.merge(texts_of(part, rules));
      return texts;
    case Node::kRepeat: {
      const Texts once = texts_of(node.parts[0], rules);
      Texts power = {""};
      const int last = node.max < 0 ? node.min + static_cast<int>(kLongest) : node.max;
      for (int i = 0; i <= last; ++i) {
        if (i >= node.min) texts.insert(power.begin(), power.end());
        power = joined(power, once);
      }
      return texts;
    }
  }
  return texts;
}

// The root's texts: from no texts at all, what the rules make of the texts known so far, until nothing new comes.
inline Texts texts_of(const RandomGrammar& grammar) {
  std::vector<Texts> rules(grammar.rules.size());
  for (bool is_new = true; is_new;) {
    is_new = false;
    for (size_t i = 0; i < rules.size(); ++i) {
      Texts texts = texts_of(grammar.rules[i], rules);
      is_new |= texts != rules[i];
      rules[i] = std::move(texts);
    }
  }
  return rules[0];
}

inline std::vector<std::string> all_texts() {
  std::vector<std::string> texts = {""};
  for (size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].size() == kLongest) break;
    for (const char c : {'a', 'b'}) texts.push_back(texts[i] + c);
  }
  return texts;
}

}  // namespace tern::testing
