// SPDX-License-Identifier: Apache-2.0
// tern.Error and its kinds, each also one of Python's own exceptions.
#include "module.h"
#include "tern/error_kinds.h"

namespace tern::python {
namespace {

// Exception classes live as long as the process: errors may be thrown until its end.
PyObject* make_class(nb::module_& m, const char* name, const char* doc, nb::handle bases) {
  const std::string full = std::string("tern.") + name;
  nb::object made = nb::steal(PyErr_NewExceptionWithDoc(full.c_str(), doc, bases.ptr(), nullptr));
  m.attr(name) = made;
  return made.release().ptr();
}

struct Classes {
  PyObject *invalid_argument, *wrong_type, *out_of_range, *out_of_memory, *not_found;
};

// The class for what was thrown.
PyObject* class_of(const Classes& classes, const Error& error) {
  if (dynamic_cast<const WrongType*>(&error) != nullptr) return classes.wrong_type;
  if (dynamic_cast<const OutOfRange*>(&error) != nullptr) return classes.out_of_range;
  if (dynamic_cast<const OutOfMemory*>(&error) != nullptr) return classes.out_of_memory;
  if (dynamic_cast<const NotFound*>(&error) != nullptr) return classes.not_found;
  return classes.invalid_argument;
}

}  // namespace

void bind_errors(nb::module_& m) {
  PyObject* const base =
      make_class(m, "Error", "What tern raises for whatever goes wrong.", nb::handle(PyExc_Exception));
  const auto kind = [&](const char* name, const char* doc, PyObject* python) {
    return make_class(m, name, doc, nb::make_tuple(nb::handle(base), nb::handle(python)));
  };
  static Classes classes;
  classes = {
      kind("InvalidArgument", "An Error that is a ValueError.", PyExc_ValueError),
      kind("WrongType", "An Error that is a TypeError: a dtype that an operation does not know.", PyExc_TypeError),
      kind("OutOfRange", "An Error that is an IndexError: an index, an id or an axis that there is not.",
           PyExc_IndexError),
      kind("OutOfMemory", "An Error that is a MemoryError.", PyExc_MemoryError),
      kind("NotFound", "An Error that is a FileNotFoundError.", PyExc_FileNotFoundError)};
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Error& error) {
      PyErr_SetString(class_of(classes, error), error.what());
    }
  });
}

}  // namespace tern::python
