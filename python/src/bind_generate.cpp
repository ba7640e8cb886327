// SPDX-License-Identifier: Apache-2.0
// Generation: the engine, to which tern.Model hands its requests.
#include <fmt/format.h>

#include <utility>

#include "ids.h"
#include "module.h"
#include "operand.h"
#include "signals.h"
#include "tern/engine.h"

namespace tern::python {
namespace {

// bytes of text that need not be whole UTF-8 (a stop text may cut a character).
nb::str str_from(std::string_view text) {
  return nb::steal<nb::str>(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

ContextPolicy context_from(std::string_view name) {
  if (name == "stop") return ContextPolicy::stop;
  if (name == "slide") return ContextPolicy::slide;
  throw Error(fmt::format("[generate] expected context 'stop' or 'slide', got '{}'", name));
}

SpeculationOptions speculation_from(nb::handle source, int64_t max_draft) {
  if (source.is_none()) return {};
  if (nb::isinstance<Model>(source))
    return {.kind = Speculation::draft_model, .max_draft = max_draft, .draft_model = nb::cast<Model>(source)};
  if (nb::isinstance<nb::str>(source) && nb::cast<std::string>(source) == "prompt_lookup")
    return {.kind = Speculation::prompt_lookup, .max_draft = max_draft, .draft_model = {}};
  throw Error("[generate] expected None, 'prompt_lookup' or a draft model for speculation");
}

void set_prompt(Request& request, nb::handle prompt) {
  if (nb::isinstance<nb::str>(prompt)) {
    request.prompt = nb::cast<std::string>(prompt);
  } else {
    request.ids = ids_vector(prompt);
  }
}

// Python's callable for pieces of text. What it raises ends the request, and is raised again by take().
std::function<bool(std::string_view)> text_callback(nb::object callable) {
  if (callable.is_none()) return {};
  auto shared = std::shared_ptr<nb::object>(new nb::object(std::move(callable)), [](nb::object* object) {
    nb::gil_scoped_acquire lock;
    delete object;
  });
  return [shared](std::string_view piece) {
    nb::gil_scoped_acquire lock;
    const nb::object kept = (*shared)(str_from(piece));
    return kept.is_none() || nb::cast<bool>(nb::bool_(kept));
  };
}

RequestId submit(Engine& engine, nb::handle prompt, int64_t max_tokens, double temperature, int64_t top_k, double top_p,
                 double min_p, double repetition_penalty, uint64_t seed, std::vector<std::string> stop,
                 std::vector<int32_t> stop_ids, bool ignore_eos, bool add_bos, std::optional<Grammar> grammar,
                 int top_logprobs, const std::string& context, int64_t keep, nb::object on_text) {
  Request request;
  set_prompt(request, prompt);
  request.sampling = {.temperature = temperature,
                      .top_k = top_k,
                      .top_p = top_p,
                      .min_p = min_p,
                      .repetition_penalty = repetition_penalty,
                      .seed = seed};
  request.max_tokens = max_tokens;
  request.stop = std::move(stop);
  request.stop_ids = std::move(stop_ids);
  request.ignore_eos = ignore_eos;
  request.add_bos = add_bos;
  request.grammar = std::move(grammar);
  request.top_logprobs = top_logprobs;
  request.context = context_from(context);
  request.keep = keep;
  request.on_text = text_callback(std::move(on_text));
  return without_gil([&] { return engine.submit(std::move(request)); });
}

std::optional<GenerateResult> take(Engine& engine, RequestId id) {
  std::optional<GenerateResult> result = engine.take(id);
  if (result && result->error) std::rethrow_exception(result->error);
  return result;
}

// A step at a time, so that Ctrl-C ends it between two.
void run_until_idle(Engine& engine) {
  do check_signals();
  while (engine.step());
}

void bind_result(nb::module_& m) {
  nb::class_<TokenLogprob>(m, "TokenLogprob")
      .def_ro("id", &TokenLogprob::id)
      .def_ro("logprob", &TokenLogprob::logprob)
      .def("__repr__", [](const TokenLogprob& self) {
        return fmt::format("TokenLogprob(id={}, logprob={:.4f})", self.id, self.logprob);
      });
  nb::class_<GeneratedToken>(m, "GeneratedToken")
      .def_ro("id", &GeneratedToken::id)
      .def_ro("logprob", &GeneratedToken::logprob)
      .def_ro("top", &GeneratedToken::top);
  nb::class_<GenerateResult>(m, "GenerateResult", "What was generated.")
      .def_prop_ro(
          "text", [](const GenerateResult& self) { return str_from(self.text); }, nb::sig("def text(self) -> str"))
      .def_ro("ids", &GenerateResult::ids)
      .def_ro("logprobs", &GenerateResult::logprobs)
      .def_ro("finish_reason", &GenerateResult::finish_reason, "'stop', 'length', 'context' or 'cancelled'.")
      .def_ro("prompt_tokens", &GenerateResult::prompt_tokens)
      .def_ro("cached_tokens", &GenerateResult::cached_tokens)
      .def_ro("drafted_tokens", &GenerateResult::drafted_tokens)
      .def_ro("accepted_tokens", &GenerateResult::accepted_tokens)
      .def_prop_ro("prefill_tokens_per_second", &GenerateResult::prefill_tokens_per_second)
      .def_prop_ro("decode_tokens_per_second", &GenerateResult::decode_tokens_per_second)
      .def(
          "__str__", [](const GenerateResult& self) { return str_from(self.text); },
          nb::sig("def __str__(self) -> str"))
      .def("__repr__", [](const GenerateResult& self) {
        const nb::str text = str_from(self.text);
        return fmt::format("GenerateResult(text={}, ids=[{} tokens], finish_reason='{}')", nb::repr(text).c_str(),
                           self.ids.size(), self.finish_reason);
      });
}

}  // namespace

void bind_generate(nb::module_& m) {
  bind_result(m);
  nb::class_<Engine>(m, "Engine", "Runs many requests at once (continuous batching), one step at a time.")
      .def(
          "__init__",
          [](Engine* self, const Model& model, const Tokenizer& tokenizer, const std::string& kv, int64_t max_sequences,
             int64_t kv_tokens, int64_t prefill_chunk, bool reuse_prefixes, nb::object speculation, int64_t max_draft) {
            EngineOptions options = {.kv = kv_type_from_name(kv),
                                     .kv_tokens = kv_tokens,
                                     .max_sequences = max_sequences,
                                     .prefill_chunk = prefill_chunk,
                                     .reuse_prefixes = reuse_prefixes,
                                     .speculation = speculation_from(speculation, max_draft)};
            new (self) Engine(model, tokenizer, options);
          },
          nb::arg("model"), nb::arg("tokenizer"), nb::kw_only(), nb::arg("kv") = "f16", nb::arg("max_sequences") = 16,
          nb::arg("kv_tokens") = 0, nb::arg("prefill_chunk") = 512, nb::arg("reuse_prefixes") = true,
          nb::arg("speculation").none() = nb::none(), nb::arg("max_draft") = 8,
          nb::sig("def __init__(self, model: _Model, tokenizer: Tokenizer, *, kv: str = 'f16', max_sequences: int = "
                  "16, kv_tokens: "
                  "int = 0, prefill_chunk: int = 512, reuse_prefixes: bool = True, speculation: _Model | str | None = "
                  "None, "
                  "max_draft: int = 8) -> None"))
      .def("submit", &submit, nb::arg("prompt"), nb::kw_only(), nb::arg("max_tokens") = 128,
           nb::arg("temperature") = 0.0, nb::arg("top_k") = 0, nb::arg("top_p") = 1.0, nb::arg("min_p") = 0.0,
           nb::arg("repetition_penalty") = 1.0, nb::arg("seed") = 0, nb::arg("stop") = std::vector<std::string>(),
           nb::arg("stop_ids") = std::vector<int32_t>(), nb::arg("ignore_eos") = false, nb::arg("add_bos") = true,
           nb::arg("grammar").none() = nb::none(), nb::arg("top_logprobs") = -1, nb::arg("context") = "stop",
           nb::arg("keep") = 0, nb::arg("on_text").none() = nb::none(),
           nb::sig("def submit(self, prompt: typing.Any, *, max_tokens: int = 128, temperature: float = 0.0, top_k: "
                   "int = 0, top_p: "
                   "float = 1.0, min_p: float = 0.0, repetition_penalty: float = 1.0, seed: int = 0, stop: "
                   "collections.abc.Sequence[str] = (), stop_ids: collections.abc.Sequence[int] = (), ignore_eos: bool "
                   "= False, "
                   "add_bos: bool = True, grammar: Grammar | None = None, top_logprobs: int = -1, context: str = "
                   "'stop', keep: "
                   "int = 0, on_text: collections.abc.Callable[[str], object] | None = None) -> int"),
           "Queues a request and gives its number. The prompt is text or ids. on_text gets each piece of text once it "
           "is final "
           "and ends the request by returning something false other than None.")
      .def("step", &Engine::step, nb::call_guard<nb::gil_scoped_release>(),
           "One pass over what runs. False when nothing is left to do.")
      .def("run_until_idle", &run_until_idle, nb::call_guard<nb::gil_scoped_release>(),
           "Steps until nothing is left to do. Ctrl-C ends it between two steps.")
      .def("cancel", &Engine::cancel, nb::arg("id"), nb::call_guard<nb::gil_scoped_release>(),
           "Ends a request before the next step, with what it has.")
      .def("take", &take, nb::arg("id"), "The result of a finished request, once; None while it waits or runs.");
}

}  // namespace tern::python
