// SPDX-License-Identifier: Apache-2.0
// Tests: what may stand after `is`.
#include "jinja/builtins.h"
#include "jinja/operators.h"
#include "jinja/print.h"
#include "jinja/text.h"

namespace tern::jinja {
namespace {

template <bool (Value::*kIs)() const>
bool test_kind(Runtime&, const Value& input, const Arguments& arguments) {
  const Parameters none("a test", arguments, {});
  return (input.*kIs)();
}

bool test_defined(Runtime&, const Value& input, const Arguments&) { return !input.is_undefined(); }
bool test_mapping(Runtime&, const Value& input, const Arguments&) { return input.dict() != nullptr; }
bool test_iterable(Runtime&, const Value& input, const Arguments&) { return is_iterable(input) || input.loop(); }
bool test_callable(Runtime&, const Value& input, const Arguments&) { return input.function() != nullptr; }
bool test_true(Runtime&, const Value& input, const Arguments&) { return input.is_boolean() && input.boolean(); }
bool test_false(Runtime&, const Value& input, const Arguments&) { return input.is_boolean() && !input.boolean(); }
bool test_escaped(Runtime&, const Value&, const Arguments&) { return false; }
bool test_sequence(Runtime&, const Value& input, const Arguments&) {
  return input.is_string() || input.list() || input.dict() || input.is_undefined();
}

// op of template parameters: strings may not be one, so by number.
template <int kOp>
bool test_comparison(Runtime& runtime, const Value& input, const Arguments& arguments) {
  static constexpr std::string_view kOps[] = {"==", "!=", "<", "<=", ">", ">="};
  const Parameters given(kOps[kOp], arguments, {"other"}, 1);
  return compare(runtime.budget, kOps[kOp], input, given[0]);
}

bool test_in(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("in", arguments, {"seq"}, 1);
  return contains(runtime.budget, given[0], input);
}

bool divides(Runtime& runtime, const Value& input, const Value& by) {
  return equal(runtime.budget, arithmetic(runtime.budget, "%", input, by), Value(int64_t{0}));
}

bool test_divisibleby(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("divisibleby", arguments, {"num"}, 1);
  return divides(runtime, input, given[0]);
}
bool test_even(Runtime& runtime, const Value& input, const Arguments&) { return divides(runtime, input, int64_t{2}); }
bool test_odd(Runtime& runtime, const Value& input, const Arguments&) {
  return equal(runtime.budget, arithmetic(runtime.budget, "%", input, int64_t{2}), Value(int64_t{1}));
}

// Identity; of values without one, equality of the same kind.
bool test_sameas(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("sameas", arguments, {"other"}, 1);
  if (input.list() || input.dict()) return input.list() == given[0].list() && input.dict() == given[0].dict();
  return std::string_view(input.kind()) == given[0].kind() && equal(runtime.budget, input, given[0]);
}

bool all_letters(Runtime& runtime, const Value& input, bool (*is_wrong)(char), bool (*is_right)(char)) {
  const std::string text = to_text(runtime.budget, input);
  bool any = false;
  for (const char c : text) {
    if (is_wrong(c)) return false;
    any |= is_right(c);
  }
  return any;
}
bool test_lower(Runtime& runtime, const Value& input, const Arguments&) {
  return all_letters(runtime, input, is_upper, is_lower);
}
bool test_upper(Runtime& runtime, const Value& input, const Arguments&) {
  return all_letters(runtime, input, is_lower, is_upper);
}

bool test_filter(Runtime&, const Value& input, const Arguments&) {
  return input.is_string() && find_filter(input.string());
}
bool test_test(Runtime&, const Value& input, const Arguments&) {
  return input.is_string() && find_test(input.string());
}

}  // namespace

Test find_test(std::string_view name) {
  static constexpr std::pair<std::string_view, Test> kTests[] = {
      {"defined", test_defined},
      {"undefined", test_kind<&Value::is_undefined>},
      {"none", test_kind<&Value::is_none>},
      {"boolean", test_kind<&Value::is_boolean>},
      {"true", test_true},
      {"false", test_false},
      {"integer", test_kind<&Value::is_integer>},
      {"float", test_kind<&Value::is_real>},
      {"number", test_kind<&Value::is_number>},
      {"string", test_kind<&Value::is_string>},
      {"mapping", test_mapping},
      {"iterable", test_iterable},
      {"sequence", test_sequence},
      {"callable", test_callable},
      {"escaped", test_escaped},
      {"in", test_in},
      {"sameas", test_sameas},
      {"lower", test_lower},
      {"upper", test_upper},
      {"even", test_even},
      {"odd", test_odd},
      {"divisibleby", test_divisibleby},
      {"filter", test_filter},
      {"test", test_test},
      {"equalto", test_comparison<0>},
      {"eq", test_comparison<0>},
      {"==", test_comparison<0>},
      {"ne", test_comparison<1>},
      {"!=", test_comparison<1>},
      {"lt", test_comparison<2>},
      {"lessthan", test_comparison<2>},
      {"<", test_comparison<2>},
      {"le", test_comparison<3>},
      {"<=", test_comparison<3>},
      {"gt", test_comparison<4>},
      {"greaterthan", test_comparison<4>},
      {">", test_comparison<4>},
      {"ge", test_comparison<5>},
      {">=", test_comparison<5>},
  };
  for (const auto& [known, test] : kTests) {
    if (known == name) return test;
  }
  return nullptr;
}

}  // namespace tern::jinja
