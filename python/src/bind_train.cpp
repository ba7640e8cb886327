// SPDX-License-Identifier: Apache-2.0
// Optimizer, schedule, trainer, evaluation.
#include "tern/train.h"

#include <fmt/format.h>

#include <optional>

#include "ids.h"
#include "module.h"
#include "operand.h"
#include "paths.h"
#include "signals.h"

namespace tern::python {
namespace {

using Released = nb::call_guard<nb::gil_scoped_release>;

std::vector<Parameter> parameters_from(const std::vector<std::pair<std::string, Tensor>>& named) {
  std::vector<Parameter> parameters;
  for (const auto& [name, value] : named) parameters.push_back({.name = name, .value = value});
  return parameters;
}

nb::dict state_of(const Adamw& self) {
  nb::dict state;
  for (auto& [name, tensor] : self.state()) state[name.c_str()] = nb::cast(tensor);
  return state;
}

void load_state(Adamw& self, const nb::dict& tensors, int64_t steps) {
  const auto state = named_tensors_of("AdamW.load_state_dict", tensors);
  without_gil([&] { self.load_state(state, steps); });
}

void bind_optimizer(nb::module_& m) {
  nb::class_<Adamw>(m, "_Adamw", "What tern.optim.AdamW is made of.")
      .def(
          "__init__",
          [](Adamw* self, const std::vector<std::pair<std::string, Tensor>>& named) {
            new (self) Adamw(parameters_from(named));
          },
          nb::arg("named_parameters"))
      .def("gradient_norm", &Adamw::gradient_norm, Released())
      .def(
          "step",
          [](Adamw& self, double lr, double beta1, double beta2, double eps, double weight_decay, double grad_scale) {
            self.step({.lr = lr, .beta1 = beta1, .beta2 = beta2, .eps = eps, .weight_decay = weight_decay}, grad_scale);
          },
          nb::kw_only(), nb::arg("lr"), nb::arg("beta1"), nb::arg("beta2"), nb::arg("eps"), nb::arg("weight_decay"),
          nb::arg("grad_scale"), Released())
      .def_prop_ro("steps", &Adamw::steps)
      .def("state", &state_of, nb::sig("def state(self) -> dict[str, Tensor]"))
      .def("load_state", &load_state, nb::arg("state"), nb::arg("steps"),
           nb::sig("def load_state(self, state: dict[str, Tensor], steps: int) -> None"));
  m.def("_clip_scale", &clip_scale, nb::arg("norm"), nb::arg("max_norm"));
}

// Config's fields as Python's objects, by name.
nb::dict fields_of(const TrainConfig& config) {
  return nb::cast<nb::dict>(nb::module_::import_("json").attr("loads")(to_json(config)));
}

void bind_config(nb::module_& m) {
  nb::class_<TrainConfig>(
      m, "TrainConfig",
      "All that a training run depends on besides its data: the fields of `tern train`, the model's included.")
      .def(
          "__init__",
          [](TrainConfig* self, const nb::kwargs& fields) {
            const auto text = nb::cast<std::string>(nb::module_::import_("json").attr("dumps")(fields));
            new (self) TrainConfig(train_config_from_json(text, "TrainConfig"));
            self->validate();
          },
          nb::sig("def __init__(self, **fields: typing.Any) -> None"))
      .def(
          "__getattr__",
          [](const TrainConfig& self, const std::string& name) -> nb::object {
            const nb::dict fields = fields_of(self);
            if (!fields.contains(name.c_str())) throw nb::attribute_error(("TrainConfig has no field " + name).c_str());
            return fields[name.c_str()];
          },
          nb::sig("def __getattr__(self, name: str, /) -> typing.Any"))
      .def("to_dict", &fields_of)
      .def_prop_ro("model", [](const TrainConfig& self) { return self.model; })
      .def(
          "scheduled_rates",
          [](const TrainConfig& self, int64_t step) {
            const ScheduledRates rates = scheduled_rates(self, step);
            return std::pair(rates.lr, rates.weight_decay);
          },
          nb::arg("step"), "Learning rate and weight decay of a step, counted from 1.")
      .def("__repr__", [](const TrainConfig& self) { return "TrainConfig" + to_json(self); });
}

void bind_report(nb::module_& m) {
  nb::class_<StepReport>(m, "StepReport", "What a finished step reports.")
      .def_ro("step", &StepReport::step)
      .def_ro("steps", &StepReport::steps)
      .def_ro("loss", &StepReport::loss)
      .def_ro("grad_norm", &StepReport::grad_norm)
      .def_ro("lr", &StepReport::lr)
      .def_ro("tokens", &StepReport::tokens)
      .def_ro("tokens_per_second", &StepReport::tokens_per_second)
      .def_ro("seconds_left", &StepReport::seconds_left)
      .def_prop_ro("validation_loss",
                   [](const StepReport& self) {
                     return self.has_validation ? std::optional(self.validation_loss) : std::nullopt;
                   })
      .def_prop_ro("validation_bits_per_byte",
                   [](const StepReport& self) {
                     return self.has_validation ? std::optional(self.validation_bits_per_byte) : std::nullopt;
                   })
      .def("__repr__", [](const StepReport& self) {
        return fmt::format("StepReport(step={}/{}, loss={:.4f}, grad_norm={:.4f}, lr={:.3g})", self.step, self.steps,
                           self.loss, self.grad_norm, self.lr);
      });
  nb::class_<Evaluation>(m, "Evaluation", "A model measured on a text.")
      .def_ro("tokens", &Evaluation::tokens)
      .def_ro("loss", &Evaluation::loss)
      .def_ro("perplexity", &Evaluation::perplexity)
      .def_ro("bits_per_byte", &Evaluation::bits_per_byte)
      .def_ro("tokens_per_second", &Evaluation::tokens_per_second)
      .def("__repr__", [](const Evaluation& self) {
        return fmt::format("Evaluation(tokens={}, loss={:.4f}, perplexity={:.3f}, bits_per_byte={:.4f})", self.tokens,
                           self.loss, self.perplexity, self.bits_per_byte);
      });
}

// Ctrl-C, and what a callback raises, end training after the step, with a checkpoint; it is raised then.
Model run_training(const TrainConfig& config, nb::handle train_ids, nb::handle validation_ids, double bytes_per_token,
                   const Tokenizer& tokenizer, const PathArgument& directory, bool resume, nb::object on_step,
                   nb::object on_warning, const DeviceArgument& device) {
  TrainData data;
  data.train = ids_vector(train_ids);
  if (!validation_ids.is_none()) data.validation = ids_vector(validation_ids);
  data.validation_bytes_per_token = bytes_per_token;
  std::optional<nb::python_error> raised;
  const auto guarded = [&raised](auto&& call) {
    nb::gil_scoped_acquire lock;
    try {
      call();
    } catch (nb::python_error& error) {
      if (!raised) raised.emplace(std::move(error));
    }
  };
  TrainCallbacks callbacks;
  if (!on_step.is_none()) callbacks.on_step = [&](const StepReport& report) { guarded([&] { on_step(report); }); };
  if (!on_warning.is_none())
    callbacks.on_warning = [&](std::string_view text) { guarded([&] { on_warning(std::string(text)); }); };
  callbacks.should_stop = [&] {
    guarded([] { check_signals(); });
    return raised.has_value();
  };
  Model model =
      without_gil([&] { return train(config, data, tokenizer, device.device, directory.path, resume, callbacks); });
  if (raised) throw std::move(*raised);
  return model;
}

}  // namespace

void bind_train(nb::module_& m) {
  bind_optimizer(m);
  bind_config(m);
  bind_report(m);
  m.def("_train", &run_training, nb::arg("config"), nb::arg("train_ids"), nb::arg("validation_ids").none(),
        nb::arg("validation_bytes_per_token"), nb::arg("tokenizer"), nb::arg("directory"), nb::arg("resume"),
        nb::arg("on_step").none(), nb::arg("on_warning").none(), nb::arg("device").none());
  m.def(
      "_evaluate",
      [](const Model& model, nb::handle ids, int64_t bytes, int64_t window, const std::string& kv) {
        const std::vector<int32_t> list = ids_vector(ids);
        return without_gil([&] { return evaluate(model, list, bytes, window, kv_type_from_name(kv)); });
      },
      nb::arg("model"), nb::arg("ids"), nb::arg("bytes"), nb::arg("window"), nb::arg("kv"));
}

}  // namespace tern::python
