// SPDX-License-Identifier: Apache-2.0
#include "tern/grammar.h"

#include "casters.h"
#include "module.h"

namespace tern::python {

void bind_grammar(nb::module_& m) {
  using Released = nb::call_guard<nb::gil_scoped_release>;
  nb::class_<Grammar>(m, "Grammar", "A set of texts that a model may write.")
      .def_static("parse", &Grammar::parse, nb::arg("gbnf"), Released(), "Reads GBNF, llama.cpp's notation.")
      .def_static("json", &Grammar::json, Released(), "Any JSON value.")
      .def_static(
          "from_json_schema",
          [](nb::object schema) {
            if (!nb::isinstance<nb::str>(schema)) schema = nb::module_::import_("json").attr("dumps")(schema);
            const auto text = nb::cast<std::string>(schema);
            nb::gil_scoped_release released;
            return Grammar::from_json_schema(text);
          },
          nb::arg("schema"), nb::sig("def from_json_schema(schema: str | dict | bool) -> Grammar"),
          "JSON texts that are instances of a schema, given as text or as the object that it describes.")
      .def("matches", &Grammar::matches, nb::arg("text"), Released(), "Whether a whole text is one of the grammar's.");
}

}  // namespace tern::python
