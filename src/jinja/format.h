// SPDX-License-Identifier: Apache-2.0
// Python's string formatting and strftime, as far as templates use them.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "jinja/value.h"

namespace tern::jinja {

// format % values: the conversions s r d i x X o f F e E g G c % with flags, width and precision.
std::string format_percent(Budget& budget, std::string_view format, const Values& values);
// format.format(…): {} {0} {name}, without attributes, items or format specifications.
std::string format_braces(Budget& budget, std::string_view format, const Arguments& arguments);
// The directives a A b B c d e H I j m M p S y Y D F T R and %, in English; "-" after % takes padding away.
std::string format_time(std::string_view format, const std::tm& time);

}  // namespace tern::jinja
