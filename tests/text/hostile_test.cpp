// SPDX-License-Identifier: Apache-2.0
// tokenizer.json as hostile input: every fault is an Error that names it, no file crashes the program.
#include <gtest/gtest.h>

#include "text/text_fixtures.h"

namespace tern::test {
namespace {

using Json = nlohmann::json;

std::string error_of(const std::string& document) {
  try {
    Tokenizer::parse(document, "file.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

struct Fault {
  const char* pointer;
  Json value;
  const char* expected;  // part of the message
};

const std::vector<Fault>& faults() {
  static const std::vector<Fault> list = {
      {"/model", 3, "model to be an object, got 3"},
      {"/model/type", "WordPiece", "model.type to be \"BPE\", got \"WordPiece\""},
      {"/model/type", nullptr, "model.type to be a string, got null"},
      {"/model/dropout", 0.1, "model.dropout to be null or 0, got 0.1"},
      {"/model/byte_fallback", true, "model.byte_fallback to be false, got true"},
      {"/model/ignore_merges", "yes", "model.ignore_merges to be true or false, got \"yes\""},
      {"/model/continuing_subword_prefix", "##", "model.continuing_subword_prefix to be null or empty, got \"##\""},
      {"/model/end_of_word_suffix", "</w>", "model.end_of_word_suffix to be null or empty"},
      {"/model/vocab", Json::array(), "model.vocab to be an object, got an array of 0"},
      {"/model/vocab/abc", -1, "model.vocab[\"abc\"] to be an id"},
      {"/model/vocab/abc", 1.5, "to be an id from 0 to 2097151, got 1.5"},
      {"/model/vocab/abc", 2097152, "got 2097152"},
      {"/model/vocab/abc", 18446744073709551615u, "to be an id"},
      {"/model/vocab/abc", 5, "expected one token for id 5"},
      {"/model/vocab/abc", "5", "to be an id"},
      {"/model/merges", "a b", "model.merges to be an array"},
      {"/model/merges/0", Json::array({"a"}), "model.merges[0] to be two tokens"},
      {"/model/merges/0", Json::array({"a", 1}), "model.merges[0] to be two tokens"},
      {"/model/merges/0", "a b c", "model.merges[0] to be two tokens"},
      {"/model/merges/0", "ab", "model.merges[0] to be two tokens"},
      {"/model/merges/0", Json::array({"a", "nothing"}), "got \"nothing\", which is none"},
      {"/model/merges/0", "z z", "got \"zz\", which is none"},
      {"/normalizer", {{"type", "NFC"}}, "normalizer.type to be absent: normalizers are not supported, got \"NFC\""},
      {"/normalizer", 1, "normalizer to be an object"},
      {"/decoder", nullptr, "decoder to be an object, got null"},
      {"/decoder/type", "WordPiece", "decoder.type to be \"ByteLevel\", got \"WordPiece\""},
      {"/pre_tokenizer", nullptr, "pre_tokenizer to be an object, got null"},
      {"/pre_tokenizer/type", "Metaspace", "pre_tokenizer.type to be \"Split\""},
      {"/pre_tokenizer/pretokenizers", Json::array(), "pre_tokenizer to be ByteLevel or to end in it"},
      {"/pre_tokenizer/pretokenizers/0/behavior", "MergedWithNext",
       "to be \"Isolated\" or \"Removed\", got \"MergedWithNext\""},
      {"/pre_tokenizer/pretokenizers/0/invert", 0, "pre_tokenizer.pretokenizers[0].invert to be true or false"},
      {"/pre_tokenizer/pretokenizers/0/pattern", {{"Regex", "("}}, "missing closing parenthesis"},
      {"/pre_tokenizer/pretokenizers/0/pattern", {{"String", ""}}, "pattern.String to be a string that is not empty"},
      {"/pre_tokenizer/pretokenizers/0/pattern", Json::object(), "have the member \"String\""},
      {"/pre_tokenizer/pretokenizers/1/add_prefix_space", nullptr, "add_prefix_space to be true or false"},
      {"/pre_tokenizer/pretokenizers/2", {{"type", "Split"}}, "nothing may follow ByteLevel"},
      {"/added_tokens", 1, "added_tokens to be an array, got 1"},
      {"/added_tokens/0", "x", "added_tokens[0] to be an object"},
      {"/added_tokens/0/id", -1, "added_tokens[0].id to be an id from 0 to 2097151, got -1"},
      {"/added_tokens/0/id", 1, "added_tokens[0].id to be an id that model.vocab does not give to"},
      {"/added_tokens/0/id", 9999, "added_tokens[0].id to be 0, as in model.vocab, got 9999"},
      {"/added_tokens/0/content", "", "added_tokens[0].content to be a string that is not empty"},
      {"/added_tokens/0/content", "other", "added_tokens[0].id to be an id that model.vocab does not give to"},
      {"/added_tokens/0/special", 1, "added_tokens[0].special to be true or false"},
      {"/added_tokens/1", {{"id", 0}, {"content", "<|begin_of_text|>"}}, "added_tokens[1].content to be unlike"},
      {"/added_tokens/2", {{"id", 0}, {"content", "new"}}, "to be an id that model.vocab does not give to"},
  };
  return list;
}

TEST(HostileTokenizer, NamesEveryFault) {
  const Json valid = Json::parse(small_document());
  ASSERT_EQ(error_of(valid.dump()), "none");
  for (const Fault& fault : faults()) {
    Json document = valid;
    document[Json::json_pointer(fault.pointer)] = fault.value;
    const std::string message = error_of(document.dump());
    EXPECT_NE(message.find(fault.expected), std::string::npos) << fault.pointer << ": " << message;
    EXPECT_NE(message.find("file.json"), std::string::npos) << message;
  }
}

TEST(HostileTokenizer, NamesEveryMissingMember) {
  const Json valid = Json::parse(small_document());
  for (const char* name :
       {"/model", "/model/type", "/model/vocab", "/model/merges", "/decoder", "/decoder/type", "/pre_tokenizer",
        "/pre_tokenizer/type", "/pre_tokenizer/pretokenizers", "/pre_tokenizer/pretokenizers/0/pattern",
        "/pre_tokenizer/pretokenizers/0/behavior", "/pre_tokenizer/pretokenizers/1/add_prefix_space",
        "/added_tokens/0/id", "/added_tokens/0/content"}) {
    Json document = valid;
    const Json::json_pointer pointer(name);
    document[pointer.parent_pointer()].erase(pointer.back());
    const std::string expected = "to have the member \"" + pointer.back() + "\", got none in file.json";
    const std::string message = error_of(document.dump());
    EXPECT_NE(message.find(expected), std::string::npos) << name << ": " << message;
  }
}

TEST(HostileTokenizer, RefusesWhatIsNoTokenizer) {
  for (const std::string& document :
       {std::string(), std::string("null"), std::string("[]"), std::string("{}"), std::string("{\"model\":"),
        std::string("\xFF\xFE"), std::string("{\"a\":\"\xFF\"}"), std::string(1 << 20, '['),
        std::string("{\"a\":\"\\ud800\"}"),
        "{\"decoder\":" + std::string(1 << 20, '[') + std::string(1 << 20, ']') + "}"}) {
    EXPECT_EQ(error_of(document).rfind("[tokenizer] expected ", 0), 0u) << error_of(document);
  }
}

TEST(HostileTokenizer, RefusesDeepNesting) {
  Json document = Json::parse(small_document());
  for (int depth = 0; depth < 20; ++depth) {
    document["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", Json::array({document["pre_tokenizer"]})}};
  }
  EXPECT_NE(error_of(document.dump()).find("nested at most 8 deep"), std::string::npos);
}

TEST(HostileTokenizer, AcceptsBothWaysToWriteMerges) {
  Json document = Json::parse(small_document());
  const Tokenizer pairs = Tokenizer::parse(document.dump(), "pairs");
  for (Json& merge : document["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  const Tokenizer strings = Tokenizer::parse(document.dump(), "strings");
  EXPECT_EQ(strings.encode("abcd the abc"), pairs.encode("abcd the abc"));
}

TEST(HostileTokenizer, NeedsATokenOnlyForBytesThatOccur) {
  Json document = Json::parse(small_document());
  document["model"]["vocab"].erase("~");
  const Tokenizer tokenizer = Tokenizer::parse(document.dump(), "small");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("abc")), "abc");
  EXPECT_THROW(tokenizer.encode("a~c"), Error);
  document["model"]["unk_token"] = "a";
  EXPECT_NE(error_of(document.dump()).find("unk_token"), std::string::npos);
}

// Uses a tokenizer that came out of a damaged file: only Errors may come of it.
void use(const std::string& document) {
  try {
    const Tokenizer tokenizer = Tokenizer::parse(document, "damaged");
    const std::vector<int32_t> ids = tokenizer.encode("abcd the <|end_of_text|> 12345  é\xFF\n");
    StreamDecoder decoder(tokenizer);
    std::string text;
    for (const int32_t id : ids) text += decoder.push(id);
    EXPECT_EQ(text + decoder.finish(), tokenizer.decode(ids));
  } catch (const Error&) {
  }
}

TEST(HostileTokenizer, SurvivesEveryMutation) {
  const std::string valid = Json::parse(small_document()).dump();
  std::mt19937 random(13);
  for (int i = 0; i < 4000; ++i) {
    std::string document = valid;
    for (size_t changes = 1 + random() % 3; changes > 0; --changes) {
      const size_t at = random() % document.size();
      switch (random() % 4) {
        case 0:
          document[at] = static_cast<char>(random() & 0xFF);
          break;
        case 1:
          document.erase(at, 1 + random() % 8);
          break;
        case 2:
          document.insert(at, 1, "\"[]{},:-0123456789eE\\ "[random() % 22]);
          break;
        default:
          document.insert(at, document.substr(random() % document.size(), random() % 40));
          break;
      }
    }
    use(document);
  }
}

TEST(HostileTokenizer, SurvivesEveryTruncation) {
  const std::string valid = Json::parse(small_document()).dump();
  for (size_t length = 0; length < valid.size(); ++length) use(valid.substr(0, length));
}

}  // namespace
}  // namespace tern::test
