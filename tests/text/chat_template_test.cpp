// SPDX-License-Identifier: Apache-2.0
// Where a model's chat template is found, which variables it gets, and what it makes of messages. What the language
// does is tested in tests/jinja.
#include "tern/chat.h"

#include <gtest/gtest.h>

#include <regex>
#include <vector>

#include "support/fails_with.h"
#include "support/temporary_directory.h"

namespace tern {
namespace {

using testing::fails_with;
using testing::TemporaryDirectory;

const std::vector<ChatMessage> kChat = {{"system", " Be brief. "}, {"user", "Hi"}};

// The published format of BitNet b1.58 2B4T.
TEST(ChatTemplate, RendersBitNet) {
  const TemporaryDirectory model;
  const std::string source = std::string(TERN_TEST_DATA) + "/chat/templates/bitnet-2b4t.jinja";
  model.write("tokenizer_config.json", R"({"bos_token": "<|begin_of_text|>"})");
  const ChatTemplate chat = ChatTemplate::load(model.path(), source);
  EXPECT_EQ(chat.render(kChat, true), "<|begin_of_text|>System: Be brief.<|eot_id|>\nUser: Hi<|eot_id|>\nAssistant: ");
  const std::vector<ChatMessage> turns = {{"user", "1 + 1?"}, {"assistant", "2"}};
  EXPECT_EQ(chat.render(turns, false), "<|begin_of_text|>User: 1 + 1?<|eot_id|>\nAssistant: 2<|eot_id|>");
  EXPECT_EQ(chat.render({}, true), "\nAssistant: ");
}

TEST(ChatTemplate, FindsTheTemplate) {
  const TemporaryDirectory model;
  EXPECT_TRUE(fails_with(model.path() + ": expected chat_template.jinja or a chat_template in tokenizer_config.json",
                         [&] { ChatTemplate::load(model.path()); }));
  EXPECT_TRUE(fails_with("--chat-template FILE", [&] { ChatTemplate::load(model.path()); }));
  model.write("tokenizer_config.json", R"({"bos_token": null})");
  EXPECT_TRUE(fails_with("got neither", [&] { ChatTemplate::load(model.path()); }));
  model.write("tokenizer_config.json", R"({"chat_template": "config"})");
  EXPECT_EQ(ChatTemplate::load(model.path()).render(kChat, false), "config");
  model.write(
      "tokenizer_config.json",
      R"({"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "named"}]})");
  EXPECT_EQ(ChatTemplate::load(model.path()).render(kChat, false), "named");
  model.write("chat_template.jinja", "file\n");
  EXPECT_EQ(ChatTemplate::load(model.path()).render(kChat, false), "file");
  const std::string given = model.write("given.jinja", "given");
  EXPECT_EQ(ChatTemplate::load(model.path(), given).render(kChat, false), "given");
  EXPECT_TRUE(fails_with("absent.jinja", [&] { ChatTemplate::load(model.path(), model.file("absent.jinja")); }));
}

TEST(ChatTemplate, NamesFaultsOfFiles) {
  const TemporaryDirectory model;
  const auto load = [&] { ChatTemplate::load(model.path()); };
  const std::string config = model.write("tokenizer_config.json", "{");
  EXPECT_TRUE(fails_with("expected JSON in " + config, load));
  model.write("tokenizer_config.json", "[]");
  EXPECT_TRUE(fails_with(config + ": expected an object, got array", load));
  model.write("tokenizer_config.json", R"({"chat_template": 3})");
  EXPECT_TRUE(fails_with("expected chat_template to be a string or a list, got number", load));
  model.write("tokenizer_config.json", R"({"chat_template": [{"name": "default"}]})");
  EXPECT_TRUE(fails_with("a name and a template", load));
  model.write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": ""}]})");
  EXPECT_TRUE(fails_with("with the name \"default\", got 1 others", load));
  model.write("tokenizer_config.json", R"({"chat_template": "\n{% if %}"})");
  EXPECT_TRUE(fails_with("tokenizer_config.json: chat_template:2: expected an expression, got %}", load));
  const std::string file = model.write("chat_template.jinja", "ab\xFF");
  EXPECT_TRUE(fails_with(file + ": expected UTF-8, got byte 2 that is none", load));
}

TEST(ChatTemplate, GivesSpecialTokens) {
  const TemporaryDirectory model;
  model.write("tokenizer_config.json",
              R"({"bos_token": "<s>", "eos_token": {"content": "</s>", "special": true}, "pad_token": null,
                  "image_token": "<i>", "add_bos_token": true, "model_max_length": 4096})");
  model.write(
      "chat_template.jinja",
      "{{ bos_token }}{{ eos_token }}{{ image_token }}{{ pad_token is defined }}{{ add_bos_token is defined }}");
  EXPECT_EQ(ChatTemplate::load(model.path()).render(kChat, false), "<s></s><i>FalseFalse");
}

TEST(ChatTemplate, GivesTheVariablesOfTransformers) {
  const ChatTemplate chat = ChatTemplate::parse(
      "{{ messages }}{{ add_generation_prompt }}{{ tools }}{{ documents }}{{ bos_token }}", {{"bos_token", "<s>"}});
  EXPECT_EQ(chat.render({}, true), "[]TrueNoneNone<s>");
  EXPECT_EQ(chat.render(kChat, false),
            "[{'role': 'system', 'content': ' Be brief. '}, {'role': 'user', 'content': 'Hi'}]FalseNoneNone<s>");
  EXPECT_EQ(chat.render_json(R"({"messages": [{"b": 1, "a": [2.0]}], "tools": [], "bos_token": ""})"),
            "[{'b': 1, 'a': [2.0]}]False[]None");
  EXPECT_TRUE(fails_with("variables of chat template: expected a JSON object", [&] { chat.render_json("[]"); }));
}

TEST(ChatTemplate, MendsWhatIsNotUtf8) {
  const std::vector<ChatMessage> messages = {{"us\xFF"
                                              "er",
                                              "a\xC3"},
                                             {"r", std::string("\0\x01\"", 3)}};
  const ChatTemplate chat = ChatTemplate::parse("{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}");
  EXPECT_EQ(chat.render(messages, false), std::string("us\uFFFD"
                                                      "er:a\uFFFD;r:\0\x01\";",
                                                      19));
}

TEST(ChatTemplate, TellsWhyATemplateRefuses) {
  const ChatTemplate chat = ChatTemplate::parse("\n{{ raise_exception('roles must alternate') }}", {}, "model.jinja");
  EXPECT_TRUE(fails_with("[template] model.jinja:2: the template refuses: roles must alternate",
                         [&] { chat.render(kChat, true); }));
}

TEST(ChatTemplate, TellsTheTime) {
  const std::string today = ChatTemplate::parse("{{ strftime_now('%d %b %Y') }}").render({}, false);
  EXPECT_TRUE(std::regex_match(today, std::regex("\\d\\d [A-Z][a-z]{2} 20\\d\\d"))) << today;
}

}  // namespace
}  // namespace tern
