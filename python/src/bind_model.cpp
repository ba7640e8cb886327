// SPDX-License-Identifier: Apache-2.0
// tern.Model: loading, logits, losses, parameters, saving.
#include "tern/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "ids.h"
#include "module.h"
#include "operand.h"
#include "paths.h"
#include "signals.h"
#include "tern/error_kinds.h"
#include "tern/ops.h"

namespace tern::python {
namespace {

std::optional<HeadType> head_from(const std::optional<std::string>& name) {
  return name ? std::optional(head_type_from_name(*name)) : std::nullopt;
}

Model load(const PathArgument& path, const DeviceArgument& device, const std::optional<std::string>& head) {
  // What interrupts has to come back as it was raised: the loader would make an Error of it.
  std::optional<nb::python_error> interrupted;
  const LoadOptions options = {.head = head_from(head), .on_progress = [&](double) {
                                 try {
                                   check_signals();
                                 } catch (nb::python_error& raised) {
                                   interrupted.emplace(std::move(raised));
                                 }
                                 return !interrupted.has_value();
                               }};
  try {
    return without_gil([&] { return Model::load(path.path, device.device, options); });
  } catch (const Error&) {
    if (interrupted) throw std::move(*interrupted);
    throw;
  }
}

// As Hugging Face defines it: labels have the shape of ids, each says what its own id should be, given those before it,
// and -100 asks for nothing.
Tensor loss(const Model& model, nb::handle ids_source, nb::handle labels_source, bool recompute) {
  const LossOptions options = {.recompute = recompute};
  const Tensor ids = ids_tensor(ids_source, model.device());
  if (labels_source.is_none()) return without_gil([&] { return model.loss(ids, options); });
  const Tensor labels = ids_tensor(labels_source, model.device());
  if (ids.rank() != 2 || !(labels.shape() == ids.shape()))
    throw Error(fmt::format("[loss] expected ids and labels [batch, tokens], got {} and {}", to_string(ids.shape()),
                            to_string(labels.shape())));
  if (ids.size(1) < 2) throw Error("[loss] expected at least two tokens, got " + to_string(ids.shape()));
  const int64_t tokens = ids.size(1);
  return without_gil([&] { return model.loss(slice(ids, 1, 0, tokens - 1), slice(labels, 1, 1, tokens), options); });
}

nb::list named_parameters(const Model& model) {
  nb::list list;
  for (Parameter& parameter : model.parameters())
    list.append(nb::make_tuple(parameter.name, std::move(parameter.value)));
  return list;
}

void save(const Model& model, const PathArgument& path, std::optional<bool> packed) {
  const Weights weights = packed ? (*packed ? Weights::packed : Weights::masters) : model.weights();
  without_gil([&] { model.save(path.path, weights); });
}

std::string described(const Model& model) {
  const ModelConfig& config = model.config();
  return fmt::format("Model({}, {} layers of {}, {} tokens, {} parameters, {}, on {})", config.architecture,
                     config.num_hidden_layers, config.hidden_size, config.vocab_size, model.info().parameters,
                     model.weights() == Weights::masters ? "f32 masters" : "packed", model.device().description());
}

// The fields by name, for keywords of the constructor.
using Fields = std::vector<std::pair<std::string_view, void (*)(ModelConfig&, nb::handle)>>;

template <auto member>
void bind_field(nb::class_<ModelConfig>& config, Fields& fields, const char* name) {
  config.def_rw(name, member);
  fields.emplace_back(name, [](ModelConfig& self, nb::handle value) {
    self.*member = nb::cast<std::remove_reference_t<decltype(self.*member)>>(value);
  });
}

ModelConfig make_config(const Fields& fields, const nb::kwargs& keywords) {
  ModelConfig config;
  for (auto [key, value] : keywords) {
    const auto name = nb::cast<std::string_view>(key);
    const auto found = std::ranges::find(fields, name, &Fields::value_type::first);
    if (found == fields.end()) throw WrongType(fmt::format("[ModelConfig] expected a field of it, got {}", name));
    found->second(config, value);
  }
  config.validate();
  return config;
}

void bind_config(nb::module_& m) {
  static Fields fields;
  nb::class_<ModelConfig> config(m, "ModelConfig", "Hyper-parameters, named as in Hugging Face's config.json.");
  config.def(
      "__init__",
      [](ModelConfig* self, const nb::kwargs& keywords) { new (self) ModelConfig(make_config(fields, keywords)); },
      nb::sig("def __init__(self, **fields: typing.Any) -> None"));
  bind_field<&ModelConfig::architecture>(config, fields, "architecture");
  bind_field<&ModelConfig::vocab_size>(config, fields, "vocab_size");
  bind_field<&ModelConfig::hidden_size>(config, fields, "hidden_size");
  bind_field<&ModelConfig::intermediate_size>(config, fields, "intermediate_size");
  bind_field<&ModelConfig::num_hidden_layers>(config, fields, "num_hidden_layers");
  bind_field<&ModelConfig::num_attention_heads>(config, fields, "num_attention_heads");
  bind_field<&ModelConfig::num_key_value_heads>(config, fields, "num_key_value_heads");
  bind_field<&ModelConfig::max_position_embeddings>(config, fields, "max_position_embeddings");
  bind_field<&ModelConfig::rope_theta>(config, fields, "rope_theta");
  bind_field<&ModelConfig::rms_norm_eps>(config, fields, "rms_norm_eps");
  bind_field<&ModelConfig::initializer_range>(config, fields, "initializer_range");
  bind_field<&ModelConfig::tie_word_embeddings>(config, fields, "tie_word_embeddings");
  bind_field<&ModelConfig::hidden_act>(config, fields, "hidden_act");
  bind_field<&ModelConfig::bos_token_id>(config, fields, "bos_token_id");
  bind_field<&ModelConfig::eos_token_ids>(config, fields, "eos_token_ids");
  config.def("__repr__", [](const ModelConfig& self) {
    return fmt::format("ModelConfig(vocab_size={}, hidden_size={}, intermediate_size={}, num_hidden_layers={}, ...)",
                       self.vocab_size, self.hidden_size, self.intermediate_size, self.num_hidden_layers);
  });
}

void bind_info(nb::module_& m) {
  nb::class_<ModelInfo>(m, "ModelInfo", "What a model is made of.")
      .def_ro("parameters", &ModelInfo::parameters)
      .def_ro("ternary_parameters", &ModelInfo::ternary_parameters)
      .def_ro("ternary_bytes", &ModelInfo::ternary_bytes)
      .def_ro("resident_bytes", &ModelInfo::resident_bytes)
      .def_ro("head_bytes", &ModelInfo::head_bytes)
      .def_ro("bits_per_weight", &ModelInfo::bits_per_weight)
      .def_ro("f32_bytes", &ModelInfo::f32_bytes)
      .def_ro("f16_bytes", &ModelInfo::f16_bytes)
      .def_ro("packed_bytes", &ModelInfo::packed_bytes)
      .def("__repr__", [](const ModelInfo& self) {
        return fmt::format("ModelInfo(parameters={}, ternary_parameters={}, bits_per_weight={:.3f}, resident_bytes={})",
                           self.parameters, self.ternary_parameters, self.bits_per_weight, self.resident_bytes);
      });
}

}  // namespace

void bind_model(nb::module_& m) {
  bind_config(m);
  bind_info(m);
  nb::class_<Model>(m, "_Model", nb::dynamic_attr(), "What tern.Model is made of.")
      .def_static("load", &load, nb::arg("path"), nb::arg("device").none() = nb::none(),
                  nb::arg("head").none() = nb::none(),
                  nb::sig("def load(path: str | os.PathLike, device: Device | str | None = None, head: str | None = "
                          "None) -> _Model"))
      .def_static(
          "create",
          [](const ModelConfig& config, uint64_t seed, const DeviceArgument& device) {
            return without_gil([&] { return Model::create(config, device.device, seed); });
          },
          nb::arg("config"), nb::arg("seed") = 0, nb::arg("device").none() = nb::none(),
          nb::sig("def create(config: ModelConfig, seed: int = 0, device: Device | str | None = None) -> _Model"))
      .def_prop_ro("config", [](const Model& self) { return self.config(); })
      .def_prop_ro("device", [](const Model& self) { return self.device(); })
      .def_prop_ro(
          "packed", [](const Model& self) { return self.weights() == Weights::packed; },
          "Whether it has ternary codes only, and no masters to train.")
      .def_prop_ro("info", &Model::info)
      .def_prop_rw(
          "head", [](const Model& self) { return name_of(self.head()); },
          [](Model& self, const std::string& name) { self.set_head(head_type_from_name(name)); },
          "How the head computes logits: 'full', 'screened', 'int8' or 'int4'.")
      .def(
          "__call__",
          [](const Model& self, nb::handle ids) {
            const Tensor tensor = ids_tensor(ids, self.device());
            return without_gil([&] { return self.logits(tensor); });
          },
          nb::arg("ids"), nb::sig("def __call__(self, ids: typing.Any) -> Tensor"),
          "Logits [batch, tokens, vocab] of ids [batch, tokens].")
      .def(
          "training_logits",
          [](const Model& self, nb::handle ids) {
            const Tensor tensor = ids_tensor(ids, self.device());
            return without_gil([&] { return self.training_logits(tensor); });
          },
          nb::arg("ids"), nb::sig("def training_logits(self, ids: typing.Any) -> Tensor"),
          "The same logits with the graph behind them: for losses of one's own.")
      .def("loss", &loss, nb::arg("ids"), nb::arg("labels").none() = nb::none(), nb::kw_only(),
           nb::arg("recompute") = false,
           nb::sig("def loss(self, ids: typing.Any, labels: typing.Any = None, *, recompute: bool = False) -> Tensor"),
           "The mean cross-entropy of labels (ids itself if None), as Hugging Face defines it: the logits of a token "
           "are held "
           "against the next label, and -100 is ignored.")
      .def("named_parameters", &named_parameters, nb::sig("def named_parameters(self) -> list[tuple[str, Tensor]]"),
           "Names as in Hugging Face's files, and the weights themselves.")
      .def("requantize", &Model::requantize, nb::call_guard<nb::gil_scoped_release>(),
           "Quantizes the masters anew: to be called after they change, before the model runs.")
      .def("save", &save, nb::arg("path"), nb::kw_only(), nb::arg("packed").none() = nb::none(),
           nb::sig("def save(self, path: str | os.PathLike, *, packed: bool | None = None) -> None"),
           "Writes config.json and model.safetensors: ternary codes (packed=True) or f32 masters; as it is held if "
           "None.")
      .def("__repr__", &described);
}

}  // namespace tern::python
