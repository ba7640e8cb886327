// SPDX-License-Identifier: Apache-2.0
// Every rendering of Jinja's that lies in tests/data/chat, byte for byte.
#include <gtest/gtest.h>

#include <ctime>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "jinja/template.h"
#include "support/fails_with.h"

namespace tern::jinja {
namespace {

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::string kData = std::string(TERN_TEST_DATA) + "/chat/";

// The time that make_cases.py gave to strftime_now: 2025-01-02 15:04:05, a Thursday.
std::tm cases_time() {
  std::tm time{};
  time.tm_year = 125;
  time.tm_mon = 0;
  time.tm_mday = 2;
  time.tm_hour = 15;
  time.tm_min = 4;
  time.tm_sec = 5;
  time.tm_wday = 4;
  time.tm_yday = 1;
  return time;
}

using Json = nlohmann::ordered_json;

Json load(const char* name) { return Json::parse(slurp(kData + name)); }

// Null stands for what Jinja refused to render.
void expect_rendering(const std::string& source, const std::string& variables, const Json& expected) {
  const std::string_view all[] = {variables};
  const auto render = [&] { return Template::parse(source, "case").render(all, cases_time()); };
  if (expected.is_null()) {
    EXPECT_TRUE(tern::testing::fails_with("[template] case:", render));
  } else {
    EXPECT_NO_THROW(EXPECT_EQ(render(), expected.get<std::string>()));
  }
}

TEST(TemplateCases, ExpressionsEqualJinja) {
  const Json cases = load("expressions.json");
  ASSERT_GE(cases.size(), 800u);
  for (const Json& one : cases) {
    SCOPED_TRACE(one.dump());
    expect_rendering(one["template"], one["variables"].dump(), one["expected"]);
  }
}

TEST(TemplateCases, ChatsEqualJinja) {
  const Json data = load("chats.json");
  ASSERT_GE(data["cases"].size(), 500u);
  for (const Json& one : data["cases"]) {
    const std::string file = one["file"], messages = one["messages"], settings = one["settings"];
    SCOPED_TRACE(file + " with " + messages + ", " + settings);
    Json variables = data["tokens"];
    variables["messages"] = data["messages"][messages];
    variables.update(data["settings"][settings]);
    expect_rendering(slurp(kData + "templates/" + file), variables.dump(), one["expected"]);
  }
}

}  // namespace
}  // namespace tern::jinja
