// SPDX-License-Identifier: Apache-2.0
// What tern throws as the exceptions of tern.errors.
#include "module.h"
#include "tern/linalg.h"
#include "tern/error_kinds.h"

namespace tern::python {
namespace {

struct Classes {
  PyObject *invalid_argument, *wrong_type, *out_of_range, *out_of_memory, *not_found, *linalg_error;
};

PyObject* class_of(const Classes& classes, const Error& error) {
  if (dynamic_cast<const WrongType*>(&error) != nullptr) return classes.wrong_type;
  if (dynamic_cast<const OutOfRange*>(&error) != nullptr) return classes.out_of_range;
  if (dynamic_cast<const OutOfMemory*>(&error) != nullptr) return classes.out_of_memory;
  if (dynamic_cast<const NotFound*>(&error) != nullptr) return classes.not_found;
  if (dynamic_cast<const LinalgError*>(&error) != nullptr) return classes.linalg_error;
  return classes.invalid_argument;
}

}  // namespace

void bind_errors(nb::module_&) {
  const nb::module_ errors = nb::module_::import_("tern.errors");
  // Never let go of: errors may be thrown as long as there is a process.
  const auto get = [&](const char* name) { return nb::object(errors.attr(name)).release().ptr(); };
  static Classes classes;
  classes = {.invalid_argument = get("InvalidArgument"),
             .wrong_type = get("WrongType"),
             .out_of_range = get("OutOfRange"),
             .out_of_memory = get("OutOfMemory"),
             .not_found = get("NotFound"),
             .linalg_error = get("LinalgError")};
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Error& error) {
      PyErr_SetString(class_of(classes, error), error.what());
    }
  });
}

}  // namespace tern::python
