// SPDX-License-Identifier: Apache-2.0
// Tokenizers and chat templates.
#include "tern/text.h"

#include <nanobind/stl/map.h>

#include "ids.h"
#include "module.h"
#include "operand.h"
#include "paths.h"
#include "tern/chat.h"

namespace tern::python {
namespace {

using Released = nb::call_guard<nb::gil_scoped_release>;

// Text of any bytes: str, or bytes that need not be UTF-8.
std::string text_from(nb::handle source) {
  if (nb::isinstance<nb::bytes>(source)) {
    const auto bytes = nb::borrow<nb::bytes>(source);
    return {bytes.c_str(), bytes.size()};
  }
  return nb::cast<std::string>(source);
}

nb::str str_from(const std::string& text) {
  return nb::steal<nb::str>(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

Tokenizer train_tokenizer(const std::vector<std::string>& texts, int32_t vocab_size, const std::string& split,
                          const std::vector<std::string>& special_tokens, int64_t min_frequency) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const BpeTrainOptions options = {
      .vocab_size = vocab_size, .split = split, .special_tokens = special_tokens, .min_frequency = min_frequency};
  return Tokenizer::train(views, options);
}

void bind_tokenizer(nb::module_& m) {
  const BpeTrainOptions defaults;
  nb::class_<Tokenizer>(m, "Tokenizer", "A byte-level BPE tokenizer, as Hugging Face's tokenizer.json describes it.")
      .def_static(
          "load", [](const PathArgument& path) { return without_gil([&] { return Tokenizer::load(path.path); }); },
          nb::arg("path"), nb::sig("def load(path: str | os.PathLike) -> Tokenizer"),
          "Reads a tokenizer.json, or the one in a directory.")
      .def_static("train", &train_tokenizer, nb::arg("texts"), nb::kw_only(),
                  nb::arg("vocab_size") = defaults.vocab_size, nb::arg("split") = defaults.split,
                  nb::arg("special_tokens") = defaults.special_tokens,
                  nb::arg("min_frequency") = defaults.min_frequency, Released(), "Learns a vocabulary from texts.")
      .def(
          "encode",
          [](const Tokenizer& self, nb::handle text, bool parse_special) {
            const std::string bytes = text_from(text);
            return without_gil([&] { return self.encode(bytes, parse_special); });
          },
          nb::arg("text"), nb::kw_only(), nb::arg("parse_special") = true,
          nb::sig("def encode(self, text: str | bytes, *, parse_special: bool = True) -> list[int]"),
          "The ids of a text; special tokens in it become their ids unless parse_special is False. None is added.")
      .def(
          "decode",
          [](const Tokenizer& self, nb::handle ids, bool skip_special) {
            return str_from(self.decode(ids_vector(ids), skip_special));
          },
          nb::arg("ids"), nb::kw_only(), nb::arg("skip_special") = false,
          nb::sig("def decode(self, ids: typing.Any, *, skip_special: bool = False) -> str"), "The text of ids.")
      .def(
          "decode_bytes",
          [](const Tokenizer& self, nb::handle ids, bool skip_special) {
            const std::string text = self.decode_bytes(ids_vector(ids), skip_special);
            return nb::bytes(text.data(), text.size());
          },
          nb::arg("ids"), nb::kw_only(), nb::arg("skip_special") = false,
          nb::sig("def decode_bytes(self, ids: typing.Any, *, skip_special: bool = False) -> bytes"),
          "The same, byte for byte.")
      .def_prop_ro("vocab_size", &Tokenizer::vocab_size, "The largest id plus one.")
      .def("token_to_id", &Tokenizer::token_to_id, nb::arg("token"),
           "The id of a token as tokenizer.json writes it, or None.")
      .def(
          "id_to_bytes",
          [](const Tokenizer& self, int32_t id) {
            const std::string text = self.id_to_bytes(id);
            return nb::bytes(text.data(), text.size());
          },
          nb::arg("id"), "The bytes that an id stands for.")
      .def("is_special", &Tokenizer::is_special, nb::arg("id"))
      .def(
          "save", [](const Tokenizer& self, const PathArgument& path) { without_gil([&] { self.save(path.path); }); },
          nb::arg("path"), nb::sig("def save(self, path: str | os.PathLike) -> None"),
          "Writes tokenizer.json in one step.")
      .def("__len__", &Tokenizer::vocab_size)
      .def("__repr__",
           [](const Tokenizer& self) { return "Tokenizer(vocab_size=" + std::to_string(self.vocab_size()) + ")"; });
}

void bind_chat(nb::module_& m) {
  nb::class_<ChatTemplate>(m, "ChatTemplate", "A model's chat template: messages as the text that it was trained on.")
      .def_static(
          "load", [](const PathArgument& path, const std::string& file) { return ChatTemplate::load(path.path, file); },
          nb::arg("path"), nb::arg("template_file") = "",
          nb::sig("def load(path: str | os.PathLike, template_file: str = '') -> ChatTemplate"),
          "The template of a model directory.")
      .def_static(
          "parse",
          [](const std::string& jinja, const std::map<std::string, std::string>& tokens) {
            return ChatTemplate::parse(jinja, tokens);
          },
          nb::arg("jinja"), nb::arg("tokens") = std::map<std::string, std::string>(), "A template from memory.")
      .def(
          "render",
          [](const ChatTemplate& self, nb::object messages, bool add_generation_prompt, const nb::kwargs& variables) {
            nb::dict all;
            all["messages"] = messages;
            all["add_generation_prompt"] = add_generation_prompt;
            all.update(variables);
            const auto text = nb::cast<std::string>(nb::module_::import_("json").attr("dumps")(all));
            return str_from(without_gil([&] { return self.render_json(text); }));
          },
          nb::arg("messages"), nb::arg("add_generation_prompt") = true, nb::arg("variables"),
          nb::sig("def render(self, messages: list[dict], add_generation_prompt: bool = True, **variables: typing.Any) "
                  "-> str"),
          "The text of messages [{'role': ..., 'content': ...}, ...].");
}

}  // namespace

void bind_text(nb::module_& m) {
  bind_tokenizer(m);
  bind_chat(m);
  nb::class_<StreamDecoder>(m, "StreamDecoder", "Decodes ids one at a time and never splits a character.")
      .def(nb::init<Tokenizer, bool>(), nb::arg("tokenizer"), nb::arg("skip_special") = false)
      .def(
          "push", [](StreamDecoder& self, int32_t id) { return str_from(self.push(id)); }, nb::arg("id"),
          nb::sig("def push(self, id: int) -> str"))
      .def(
          "finish", [](StreamDecoder& self) { return str_from(self.finish()); }, nb::sig("def finish(self) -> str"));
}

}  // namespace tern::python
