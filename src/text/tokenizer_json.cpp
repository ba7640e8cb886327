// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/check.h"
#include "tern/text.h"

namespace tern {
namespace {

using Json = nlohmann::json;

constexpr const char* kOp = "tokenizer";
constexpr size_t kShownCharacters = 60;
constexpr int kMaxNesting = 8;

// A value for an error message: scalars as they are, the rest by its kind.
std::string show(const Json& value) {
  if (value.is_array()) return fmt::format("an array of {}", value.size());
  if (value.is_object()) return fmt::format("an object of {}", value.size());
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true);
  if (text.size() > kShownCharacters) text = text.substr(0, kShownCharacters) + "…";
  return text;
}

bool is_id(const Json& value) {
  return value.is_number_unsigned() && value.get<uint64_t>() < static_cast<uint64_t>(kMaxTokens);
}

// A value of the document and the way to it, which errors name.
class Field {
 public:
  Field(const Json& value, std::string path, const std::string& file)
      : value_(&value), path_(std::move(path)), file_(&file) {}

  // A member that must be there, and one that may be absent or null.
  Field at(const char* key) const {
    const Json* member = look_up(key);
    if (!member) fail(kOp, "expected {} to have the member \"{}\", got none in {}", path_, key, *file_);
    return Field(*member, join(key), *file_);
  }
  std::optional<Field> find(const char* key) const {
    const Json* member = look_up(key);
    if (!member || member->is_null()) return std::nullopt;
    return Field(*member, join(key), *file_);
  }
  bool flag(const char* key, bool otherwise) const {
    const std::optional<Field> member = find(key);
    return member ? member->boolean() : otherwise;
  }

  const Json& object() const {
    if (!value_->is_object()) wrong("an object");
    return *value_;
  }
  const Json& array() const {
    if (!value_->is_array()) wrong("an array");
    return *value_;
  }
  Field item(size_t i) const { return Field((*value_)[i], fmt::format("{}[{}]", path_, i), *file_); }
  const std::string& text() const {
    if (!value_->is_string()) wrong("a string");
    return value_->get_ref<const std::string&>();
  }
  bool boolean() const {
    if (!value_->is_boolean()) wrong("true or false");
    return value_->get<bool>();
  }
  int32_t id() const {
    if (!is_id(*value_)) wrong(fmt::format("an id from 0 to {}", kMaxTokens - 1));
    return value_->get<int32_t>();
  }
  const Json& value() const { return *value_; }
  const std::string& file() const { return *file_; }
  const std::string& path() const { return path_; }

  [[noreturn]] void wrong(std::string_view expected) const {
    fail(kOp, "expected {} to be {}, got {} in {}", path_, expected, show(*value_), *file_);
  }

 private:
  const Json* look_up(const char* key) const {
    const auto member = object().find(key);
    return member == value_->end() ? nullptr : &*member;
  }
  std::string join(const char* key) const { return path_ == "the document" ? key : fmt::format("{}.{}", path_, key); }

  const Json* value_;
  std::string path_;
  const std::string* file_;
};

Json parse_document(std::string_view json, const std::string& name) {
  try {
    return Json::parse(json);
  } catch (const Json::exception& error) {
    fail(kOp, "expected JSON in {}, got: {}", name, error.what());
  }
}

void read_vocab(const Field& vocab, TokenizerSpec& spec) {
  spec.ids.reserve(vocab.object().size());
  for (const auto& [token, value] : vocab.object().items()) {
    if (!is_id(value)) Field(value, fmt::format("{}[\"{}\"]", vocab.path(), token), vocab.file()).id();
    const auto id = value.get<int32_t>();
    if (static_cast<size_t>(id) >= spec.vocab.size()) spec.vocab.resize(static_cast<size_t>(id) + 1);
    std::string& slot = spec.vocab[static_cast<size_t>(id)];
    check(slot.empty(), kOp, "expected one token for id {} in {}, got \"{}\" and \"{}\" in {}", id, vocab.path(), slot,
          token, vocab.file());
    slot = token;
    if (!token.empty()) spec.ids.emplace(token, id);
  }
}

// The two tokens of a merge, written as ["a", "b"] or as "a b".
std::pair<std::string_view, std::string_view> merge_parts(const Field& merges, size_t i) {
  const Json& merge = merges.value()[i];
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>()};
  }
  if (merge.is_string()) {
    const std::string_view both = merge.get_ref<const std::string&>();
    const size_t space = both.find(' ');
    if (space != both.npos && both.find(' ', space + 1) == both.npos) {
      return {both.substr(0, space), both.substr(space + 1)};
    }
  }
  merges.item(i).wrong("two tokens, as a pair or with one space between");
}

void read_merges(const Field& merges, TokenizerSpec& spec) {
  const size_t count = merges.array().size();
  spec.merges.reserve(count);
  std::string merged;
  for (size_t i = 0; i < count; ++i) {
    const auto [left, right] = merge_parts(merges, i);
    const auto id = [&, at = i](std::string_view token) {
      const auto found = spec.ids.find(token);
      check(found != spec.ids.end(), kOp,
            "expected {}[{}] to name tokens of model.vocab, got \"{}\", which is none, in {}", merges.path(), at, token,
            merges.file());
      return found->second;
    };
    merged.assign(left).append(right);
    spec.merges.push_back({id(left), id(right), id(merged)});
  }
}

void expect_absent(const Field& model, const char* key) {
  const std::optional<Field> field = model.find(key);
  if (field && !(field->value().is_string() && field->text().empty())) field->wrong("null or empty");
}

void read_model(const Field& model, TokenizerSpec& spec) {
  if (model.at("type").text() != "BPE") model.at("type").wrong("\"BPE\"");
  const std::optional<Field> dropout = model.find("dropout");
  if (dropout && dropout->value() != 0.0) dropout->wrong("null or 0");
  expect_absent(model, "continuing_subword_prefix");
  expect_absent(model, "end_of_word_suffix");
  if (model.flag("byte_fallback", false)) model.at("byte_fallback").wrong("false");
  if (const std::optional<Field> unknown = model.find("unk_token")) spec.has_unknown_token = !unknown->text().empty();
  spec.ignore_merges = model.flag("ignore_merges", false);
  read_vocab(model.at("vocab"), spec);
  read_merges(model.at("merges"), spec);
}

Regex read_pattern(const Field& pattern) {
  const std::string where = fmt::format("{} of {}", pattern.path(), pattern.file());
  if (const std::optional<Field> regex = pattern.find("Regex")) {
    return Regex(regex->text(), Regex::Syntax::kPattern, where);
  }
  const Field literal = pattern.at("String");
  if (literal.text().empty()) literal.wrong("a string that is not empty");
  return Regex(literal.text(), Regex::Syntax::kLiteral, where);
}

SplitStep read_split(const Field& split) {
  SplitStep step;
  step.pattern = read_pattern(split.at("pattern"));
  const Field behavior = split.at("behavior");
  const bool invert = split.flag("invert", false);
  if (behavior.text() == "Removed") {
    step.keep_matches = invert;
    step.keep_gaps = !invert;
  } else if (behavior.text() != "Isolated") {
    behavior.wrong("\"Isolated\" or \"Removed\"");
  }
  return step;
}

SplitStep read_byte_level(const Field& byte_level) {
  SplitStep step;
  step.prefix_space = byte_level.at("add_prefix_space").boolean();
  if (byte_level.flag("use_regex", true)) step.pattern = Regex(kGpt2Split, Regex::Syntax::kPattern, "the GPT-2 split");
  return step;
}

// Appends the steps of a pre_tokenizer; `bytes` tells whether ByteLevel has been met, after which text is text no more.
void read_steps(const Field& field, int nesting, bool& bytes, std::vector<SplitStep>& steps) {
  const Field type = field.at("type");
  if (bytes) type.wrong("absent, since nothing may follow ByteLevel");
  if (type.text() == "Sequence") {
    if (nesting == kMaxNesting) field.wrong(fmt::format("nested at most {} deep", kMaxNesting));
    const Field parts = field.at("pretokenizers");
    for (size_t i = 0; i < parts.array().size(); ++i) read_steps(parts.item(i), nesting + 1, bytes, steps);
  } else if (type.text() == "Split") {
    steps.push_back(read_split(field));
  } else if (type.text() == "ByteLevel") {
    steps.push_back(read_byte_level(field));
    bytes = true;
  } else {
    type.wrong("\"Split\", \"ByteLevel\" or \"Sequence\"");
  }
}

void read_pre_tokenizer(const Field& field, TokenizerSpec& spec) {
  bool bytes = false;
  read_steps(field, 0, bytes, spec.steps);
  if (!bytes) field.wrong("ByteLevel or to end in it");
}

AddedToken read_added_token(const Field& field) {
  AddedToken token;
  token.id = field.at("id").id();
  token.content = field.at("content").text();
  if (token.content.empty()) field.at("content").wrong("a string that is not empty");
  token.special = field.flag("special", false);
  token.normalized = field.flag("normalized", false);
  token.lstrip = field.flag("lstrip", false);
  token.rstrip = field.flag("rstrip", false);
  token.single_word = field.flag("single_word", false);
  return token;
}

void check_added_token(const Field& field, const AddedToken& token, const TokenizerSpec& spec) {
  const auto id = static_cast<size_t>(token.id);
  const bool taken = id < spec.vocab.size() && !spec.vocab[id].empty() && spec.vocab[id] != token.content;
  if (taken) field.at("id").wrong(fmt::format("an id that model.vocab does not give to \"{}\"", spec.vocab[id]));
  const auto known = spec.ids.find(token.content);
  if (known != spec.ids.end() && known->second != token.id) {
    field.at("id").wrong(fmt::format("{}, as in model.vocab", known->second));
  }
}

void read_added_tokens(const Field& field, TokenizerSpec& spec) {
  StringMap<int32_t> contents;
  std::unordered_map<int32_t, size_t> ids;
  for (size_t i = 0; i < field.array().size(); ++i) {
    const Field item = field.item(i);
    AddedToken token = read_added_token(item);
    check_added_token(item, token, spec);
    if (!contents.emplace(token.content, token.id).second) item.at("content").wrong("unlike those before it");
    if (!ids.emplace(token.id, i).second) item.at("id").wrong("unlike those before it");
    spec.added.push_back(std::move(token));
  }
}

}  // namespace

TokenizerSpec parse_tokenizer_json(std::string_view json, const std::string& name) {
  const Json root = parse_document(json, name);
  const Field document(root, "the document", name);
  document.object();
  TokenizerSpec spec;
  if (const std::optional<Field> normalizer = document.find("normalizer")) {
    const std::optional<Field> type = normalizer->find("type");
    (type ? *type : *normalizer).wrong("absent: normalizers are not supported");
  }
  const Field decoder = document.at("decoder");
  if (decoder.at("type").text() != "ByteLevel") decoder.at("type").wrong("\"ByteLevel\"");
  read_pre_tokenizer(document.at("pre_tokenizer"), spec);
  read_model(document.at("model"), spec);
  if (const std::optional<Field> added = document.find("added_tokens")) read_added_tokens(*added, spec);
  return spec;
}

std::string write_tokenizer_json(const std::string& split, std::span<const std::string> vocab, size_t special_count,
                                 std::span<const std::pair<int32_t, int32_t>> merges) {
  using Ordered = nlohmann::ordered_json;
  const auto byte_level = [](bool prefix_space, bool use_regex) {
    return Ordered{
        {"type", "ByteLevel"}, {"add_prefix_space", prefix_space}, {"trim_offsets", true}, {"use_regex", use_regex}};
  };
  const Ordered pattern = {
      {"type", "Split"}, {"pattern", {{"Regex", split}}}, {"behavior", "Isolated"}, {"invert", false}};

  Ordered added = Ordered::array();
  for (size_t id = 0; id < special_count; ++id) {
    added.push_back({{"id", id},
                     {"content", vocab[id]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  // ordered_json looks for a key before it inserts: fill the members directly, they are known to be distinct.
  Ordered ids = Ordered::object();
  auto& members = ids.get_ref<Ordered::object_t&>();
  for (size_t id = 0; id < vocab.size(); ++id) members.Ordered::object_t::Container::emplace_back(vocab[id], id);
  Ordered pairs = Ordered::array();
  for (const auto& [left, right] : merges) {
    pairs.push_back(Ordered::array({vocab[static_cast<size_t>(left)], vocab[static_cast<size_t>(right)]}));
  }

  const Ordered document = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", std::move(added)},
      {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", Ordered::array({pattern, byte_level(false, false)})}}},
      {"post_processor", nullptr},
      {"decoder", byte_level(true, true)},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", nullptr},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"ignore_merges", false},
        {"vocab", std::move(ids)},
        {"merges", std::move(pairs)}}},
  };
  return document.dump(2) + "\n";
}

}  // namespace tern
