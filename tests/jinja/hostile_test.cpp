// SPDX-License-Identifier: Apache-2.0
// Templates as hostile input: each fault is an Error that says where, and none crashes, hangs or fills the memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "jinja/template.h"
#include "support/fails_with.h"

namespace tern::jinja {
namespace {

using tern::testing::fails_with;

constexpr std::string_view kVariables =
    R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":" é\nq"},{"role":"assistant","content":"a"}],)"
    R"("tools":[{"function":{"name":"f","parameters":{"type":"object","properties":{"x":{"type":"string"}}}}}],)"
    R"("bos_token":"<s>","eos_token":"</s>","add_generation_prompt":true})";

std::string render(const std::string& source, const Limits& limits = {}) {
  const std::string_view all[] = {kVariables};
  return Template::parse(source, "t").render(all, std::tm{}, limits);
}

std::string repeated(std::string_view text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

struct Wrong {
  const char* source;
  const char* message;
};

TEST(HostileTemplate, NamesEveryFaultAndItsLine) {
  static const Wrong kWrong[] = {
      {"\n\n{{ x.y }}", "[template] t:3: expected a value, got \"x\", which is undefined"},
      {"{{ messages[9].role }}", "t:1: expected an index within 3 elements, got 9"},
      {"{{ messages[0].a.b }}", "expected dict object to have \"a\", got none"},
      {"{{ raise_exception('no ' ~ 1) }}", "t:1: the template refuses: no 1"},
      {"a\n{% if true %}\n{{ 1 | nothing }}{% endif %}", "t:3: expected a filter, got \"nothing\", which is none"},
      {"{{ 1 is nothing }}", "expected a test, got \"nothing\""},
      {"{{ 1 + 'a' }}", "expected operands that + takes, got int and str"},
      {"{{ 1 < 'a' }}", "expected operands that < takes, got int and str"},
      {"{{ 1 // 0 }}", "expected a divisor, got 0"},
      {"{{ 9223372036854775807 + 1 }}", "expected an integer of 64 bits"},
      {"{{ -9223372036854775807 - 2 }}", "expected an integer of 64 bits"},
      {"{{ 2 ** 64 }}", "expected an integer of 64 bits"},
      {"{{ 9223372036854775808 }}", "t:1: expected an integer of 64 bits, got 9223372036854775808"},
      {"{% set messages.x = 1 %}", "expected a namespace to set \"x\" of, got a list"},
      {"{% set a, b = 1, 2, 3 %}", "expected 2 values to unpack, got 3"},
      {"{{ messages.append(1) }}", "got append() of a list"},
      {"{{ messages[0].update({}) }}", "got update() of a dict"},
      {"{{ 3() }}", "expected a function to call, got a int"},
      {"{{ namespace() }}", "expected a value with a text, got a namespace"},
      {"{{ range }}", "expected a value with a text, got a function"},
      {"{{ {[]: 1} }}", "expected a key that does not change, got a list"},
      {"{{ 'a'.split('') }}", "got an empty string"},
      {"{{ '%d' % 'a' }}", "expected a number for %d, got a str"},
      {"{{ '%s %s' % 'a' }}", "expected a value for each conversion"},
      {"{{ '{x}'.format() }}", "expected an argument for {x}"},
      {"{{ '{0.__class__}'.format(1) }}", "expected an argument for {0.__class__}"},
      {"{{ messages.__class__ }}{{ messages.__class__.x }}", "expected list to have \"__class__\", got none"},
      {"{{ 'a' | trim(1) }}", "expected trim with a string \"chars\", got a int"},
      {"{{ 'a' | trim('b', 'c') }}", "expected trim with at most 1 arguments, got 2"},
      {"{{ 'a' | trim(x=1) }}", "expected trim without an argument \"x\""},
      {"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "expected m() with at most 1 arguments, got 2"},
      {"{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "expected m() without an argument \"b\""},
      {"{{ strftime_now('%Q') }}", "expected a known directive in a time's format, got %Q"},
      {"{{ range(1, 10, 0) }}", "expected a step for range, got 0"},
      {"{{ range(100001) }}", "expected a range of at most 100000 numbers"},
      {"{{ range(100000) | tojson | length }}{{ range(10**9) }}", "expected a range of at most 100000 numbers"},
      {"{{ messages | map('upper', 1) | list }}", "expected a filter of letters with at most 0 arguments"},
      // Mistakes of syntax.
      {"{{ }}", "t:1: expected an expression, got }}"},
      {"{{ 1", "expected }}, got the end of the template"},
      {"\n{% if 1 %}", "t:2: expected {% endif %}, got the end of the template"},
      {"{% for x in y %}{% endif %}",
       "expected a tag that templates of chats may use or else or endfor, got \"endif\""},
      {"{% include 'x' %}", "expected a tag that templates of chats may use, got \"include\""},
      {"{% for x in y recursive %}{% endfor %}", "expected a loop that does not call itself"},
      {"{% break %}", "expected {% break %} within a loop"},
      {"{# ", "expected #} at the end of a comment"},
      {"{% raw %} {% endra %}", "expected {% endraw %}"},
      {"{{ 'abc }}", "expected ' at the end of a string"},
      {"{{ '\\xZZ' }}", "expected 2 hexadecimal digits after \\x"},
      {"{{ a ? b }}", "expected an expression, got \"?\""},
      {"{{ (1] }}", "expected ), got ]"},
      {"{{ 1 ] }}", "expected no closing bracket, got ]"},
      {"{{ a is b is c }}", "expected one test"},
      {"{{ f(a=1, 2) }}", "expected arguments in the order"},
      {"{% set 1 = 2 %}", "expected a name to assign to"},
      {"{% set true = 2 %}", "expected a name to assign to"},
      {"{% macro m(a=1, b) %}{% endmacro %}", "expected parameters without a default before"},
      {"{% call 1 %}{% endcall %}", "expected a call"},
  };
  for (const Wrong& wrong : kWrong) {
    SCOPED_TRACE(wrong.source);
    EXPECT_TRUE(fails_with(wrong.message, [&] { render(wrong.source); }));
  }
}

TEST(HostileTemplate, RefusesVariablesThatAreNoObject) {
  const Template one = Template::parse("x", "t");
  for (const std::string_view json :
       {"", "{", "[]", "null", "{\"a\":\"\xFF\"}", "{}x", "{\"a\":18446744073709551615}"}) {
    const std::string_view all[] = {json};
    EXPECT_TRUE(fails_with("variables of t: expected ", [&] { one.render(all, std::tm{}); })) << json;
  }
  const std::string deep = "{\"a\":" + repeated("[", 100000) + repeated("]", 100000) + "}";
  const std::string_view all[] = {deep};
  EXPECT_TRUE(fails_with("expected JSON less deep", [&] { one.render(all, std::tm{}); }));
}

TEST(HostileTemplate, StopsWhatDoesNotEnd) {
  static const char* const kSteps = "got more steps than the limit allows";
  static const char* const kMemory = "got more than the limit allows";
  static const char* const kNesting = "got more levels than the limit allows";
  static const Wrong kEndless[] = {
      {"{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "than the limit allows"},
      {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", kNesting},
      {"{% macro m(c) %}{% call m() %}{% endcall %}{{ caller() }}{% endmacro %}{{ m(1) }}", "t:1: expected"},
      {"{% set ns = namespace(s='xxxxxxxx') %}{% for a in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
       kMemory},
      {"{% set ns = namespace(s=[1]) %}{% for a in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", kMemory},
      {"{% set ns = namespace(s=[]) %}{% for a in range(100) %}{% set ns.s = [ns.s] %}{% endfor %}",
       "levels deep, got more"},
      {"{% set ns = namespace(s=[]) %}{% for a in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
       "than the limit allows"},
      {"{% set ns = namespace(s=[]) %}{% for a in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s | "
       "tojson }}",
       "than the limit allows"},
      {"{% set ns = namespace(s=[], t=[]) %}{% for a in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% set ns.t = [ns.t, "
       "ns.t] %}{% endfor %}{{ ns.s == ns.t }}",
       kSteps},
      {"{{ 'x' * 9223372036854775807 }}", "expected fewer repetitions"},
      {"{{ 'x' * 1000000000 }}", kMemory},
      {"{{ [1] * 1000000000 }}", kMemory},
      {"{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{% if (s ~ 'b') in s %}{% endif %}{% endfor %}",
       "than the limit allows"},
      {"{% set s = 'a' * 1000000 %}{% set t = 'a' * 500000 + 'b' %}{% for i in range(9) %}{{ t in s }}{% endfor %}",
       kSteps},
      {"{% set s = 'a' * 1000000 %}{{ s.strip(s) }}", kSteps},
      {"{% set s = 'a' * 1000000 %}{{ s | replace('', s) }}", kMemory},
      {"{{ ('x' * 1000000) | center(100000000) }}", "expected a smaller width"},
      {"{{ '%999999999d' % 1 }}", "expected a width of at most 4096"},
      {"{{ ('%4096d' * 1000000) % 1 }}", "expected a value for each conversion"},
      {"{{ ([[1]] * 1000) | map('tojson', indent='x' * 100000) | join }}", "than the limit allows"},
      {"{% set l = range(100000) %}{% for i in l %}{{ l | sort | length }}{% endfor %}", "than the limit allows"},
      {"{% set l = range(100000) %}{{ l | unique | list | length }}", kSteps},
  };
  for (const Wrong& endless : kEndless) {
    SCOPED_TRACE(endless.source);
    EXPECT_TRUE(fails_with(endless.message, [&] { render(endless.source); }));
  }
}

TEST(HostileTemplate, StopsAtTheLimitsItIsGiven) {
  EXPECT_EQ(render("{% for i in range(10) %}{{ i }}{% endfor %}", {100, 10000}), "0123456789");
  EXPECT_TRUE(fails_with("steps", [] { render("{% for i in range(10) %}{{ i }}{% endfor %}", {20, 10000}); }));
  EXPECT_TRUE(fails_with("memory", [] { render("{% for i in range(10) %}{{ i }}{% endfor %}", {100, 100}); }));
}

TEST(HostileTemplate, RefusesWhatIsTooDeepOrTooLong) {
  const std::string inner = "1";
  for (const auto& [open, close] : std::vector<std::pair<std::string, std::string>>{
           {"{{ " + repeated("(", 50000), repeated(")", 50000) + " }}"},
           {"{{ " + repeated("[", 50000), repeated("]", 50000) + " }}"},
           {"{{ " + repeated("-", 50000), " }}"},
           {"{{ " + repeated("not ", 50000), " }}"},
           {"{{ " + repeated("1 + ", 50000), " }}"},
           {"{{ " + repeated("1 or ", 50000), " }}"},
           {"{{ ", repeated(".a", 50000) + " }}"},
           {"{{ ", repeated("|e", 50000) + " }}"},
           {"{{ ", repeated("()", 50000) + " }}"},
           {"{{ ", repeated(" if 1", 50000) + " }}"},
           {"{{ ", repeated(" if 1 else 1", 20000) + " }}"},
           {repeated("{%if 1%}", 20000), repeated("{%endif%}", 9000)},
           {"{%if 1%}", repeated("{%elif 1%}", 20000)},
           {"{%set " + repeated("(", 50000), repeated(")", 50000) + " = 1 %}"},
       }) {
    EXPECT_TRUE(fails_with("than the limit allows", [&] { render(open + inner + close); })) << open.substr(0, 20);
  }
  EXPECT_TRUE(fails_with("expected at most 262144 bytes, got", [] { render(repeated("x", 262145)); }));
  EXPECT_EQ(render("{{ 'x' ~ " + repeated("'ab' ~ ", 20000) + "'y' }}").size(), 40002u);  // long, but not deep
}

TEST(HostileTemplate, KeepsWhatHoldsItself) {
  EXPECT_EQ(render("{% set ns = namespace() %}{% set ns.me = ns %}{% set ns.l = [ns] %}{{ ns.me.me.l[0].l | length }}"),
            "1");
  EXPECT_EQ(render("{% set ns = namespace() %}{% for i in [1, 2] %}{% set ns.loop = loop %}{% set ns.f = loop.cycle %}"
                   "{% macro m() %}{{ i }}{% endmacro %}{% set ns.m = m %}{% endfor %}{{ ns.m() }}{{ ns.f(5, 6, 7) }}"),
            "27");
}

std::vector<std::string> templates() {
  std::vector<std::string> sources;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(TERN_TEST_DATA) + "/chat/templates")) {
    std::ifstream file(entry.path(), std::ios::binary);
    sources.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  std::sort(sources.begin(), sources.end());
  return sources;
}

// Renders a template that was damaged: only Errors may come of it.
void use(const std::string& source) {
  try {
    render(source, {200000, 4 << 20});
  } catch (const Error&) {
  }
}

TEST(HostileTemplate, SurvivesEveryMutation) {
  static constexpr std::string_view kPieces[] = {
      "{{",    "}}",   "{%",  "%}",     "{#",     "#}",      "-",        "(",         ")",        "[",     "]",
      "'",     "\"",   "\\",  "|",      ".",      ":",       " if ",     " else ",    " in ",     " not ", " is ",
      "loop",  "ns",   "~",   " * 99 ", " ** 9 ", "[::-1]",  "|tojson",  "|list",     "|join",    ".x",    "()",
      "range", "none", "{}",  "[]",     "1e999",  "-1",      "%s",       "messages",  "|sort",    "\n",    "\xC3\xA9",
      "{%-",   "-%}",  "+%}", "endfor", "endif",  "{% set ", "{% for x", "{% macro ", ".split()", "**",    "|length"};
  const std::vector<std::string> sources = templates();
  ASSERT_GE(sources.size(), 10u);
  std::mt19937 random(7);
  for (int i = 0; i < 6000; ++i) {
    std::string source = sources[random() % sources.size()];
    for (size_t changes = 1 + random() % 4; changes > 0; --changes) {
      const size_t at = random() % source.size();
      switch (random() % 4) {
        case 0:
          source[at] = static_cast<char>(random() % 128);
          break;
        case 1:
          source.erase(at, 1 + random() % 12);
          break;
        case 2:
          source.insert(at, kPieces[random() % std::size(kPieces)]);
          break;
        default:
          source.insert(at, source.substr(random() % source.size(), random() % 60));
          break;
      }
      if (source.empty()) source = " ";
    }
    use(source);
  }
}

TEST(HostileTemplate, SurvivesEveryTruncation) {
  for (const std::string& source : templates()) {
    for (size_t length = 0; length < source.size(); length += 3) use(source.substr(0, length));
  }
}

}  // namespace
}  // namespace tern::jinja
