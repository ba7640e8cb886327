// SPDX-License-Identifier: Apache-2.0
// Random numbers; tern.random presents them.
#include "tern/random.h"

#include <fmt/format.h>

#include "keywords.h"
#include "module.h"

namespace tern::python {
namespace {

using MaybeDevice = std::optional<DeviceArgument>;

Device device_or_default(const MaybeDevice& device) { return device ? device->device : default_device(); }

template <class Draw>
void floats(nb::class_<Generator>& generator, const char* name, const char* first, double first_default,
            const char* second, double second_default, Draw draw, const char* doc) {
  generator.def(
      name,
      [draw](Generator& self, const Shape& shape, double a, double b, DType dtype, const MaybeDevice& device) {
        return without_gil([&] { return draw(self, shape, dtype, device_or_default(device), a, b); });
      },
      nb::arg("shape") = nb::tuple(), nb::arg(first) = first_default, nb::arg(second) = second_default, nb::kw_only(),
      nb::arg("dtype") = DType::f32, optional_keyword("device"),
      nb::sig(fmt::format(
                  "def {}(self, shape: int | tuple[int, ...] = (), {}: float = {}, {}: float = {}, *, dtype: DType = "
                  "float32, device: Device | str | None = None) -> Tensor",
                  name, first, first_default, second, second_default)
                  .c_str()),
      doc);
}

void bind_draws(nb::class_<Generator>& generator) {
  floats(
      generator, "uniform", "low", 0, "high", 1,
      [](Generator& self, const Shape& shape, DType dtype, const Device& device, double low, double high) {
        return self.uniform(shape, dtype, device, low, high);
      },
      "Even in [low, high).");
  floats(
      generator, "normal", "mean", 0, "deviation", 1,
      [](Generator& self, const Shape& shape, DType dtype, const Device& device, double mean, double deviation) {
        return self.normal(shape, dtype, device, mean, deviation);
      },
      "Normal numbers.");
  generator
      .def(
          "integers",
          [](Generator& self, int64_t low, int64_t high, const Shape& shape, DType dtype, const MaybeDevice& device) {
            return without_gil([&] { return self.integers(low, high, shape, dtype, device_or_default(device)); });
          },
          nb::arg("low"), nb::arg("high"), nb::arg("shape") = nb::tuple(), nb::kw_only(), nb::arg("dtype") = DType::i64,
          optional_keyword("device"),
          nb::sig("def integers(self, low: int, high: int, shape: int | tuple[int, ...] = (), *, dtype: DType = int64, "
                  "device: "
                  "Device | str | None = None) -> Tensor"),
          "Integers of [low, high).")
      .def(
          "bernoulli",
          [](Generator& self, double probability, const Shape& shape, const MaybeDevice& device) {
            return without_gil([&] { return self.bernoulli(probability, shape, device_or_default(device)); });
          },
          nb::arg("probability"), nb::arg("shape") = nb::tuple(), nb::kw_only(), optional_keyword("device"),
          nb::sig("def bernoulli(self, probability: float, shape: int | tuple[int, ...] = (), *, device: Device | str "
                  "| None = None) -> Tensor"),
          "True with this probability.")
      .def(
          "permutation",
          [](Generator& self, int64_t count, const MaybeDevice& device) {
            return without_gil([&] { return self.permutation(count, device_or_default(device)); });
          },
          nb::arg("count"), nb::kw_only(), optional_keyword("device"),
          nb::sig("def permutation(self, count: int, *, device: Device | str | None = None) -> Tensor"),
          "0 ... count-1 in random order.")
      .def(
          "choice",
          [](Generator& self, int64_t count, const Shape& shape, bool replace, const MaybeDevice& device) {
            return without_gil([&] { return self.choice(count, shape, device_or_default(device), replace); });
          },
          nb::arg("count"), nb::arg("shape") = nb::tuple(), nb::kw_only(), nb::arg("replace") = true,
          optional_keyword("device"),
          nb::sig("def choice(self, count: int, shape: int | tuple[int, ...] = (), *, replace: bool = True, device: "
                  "Device | str | "
                  "None = None) -> Tensor"),
          "Numbers of [0, count).")
      .def(
          "shuffled",
          [](Generator& self, const Tensor& x, int axis) {
            return without_gil([&] { return self.shuffled(x, axis); });
          },
          nb::arg("x"), nb::arg("axis") = 0, "x with the elements of an axis in random order.");
}

}  // namespace

void bind_random(nb::module_& m) {
  nb::class_<Generator> generator(m, "Generator", "Random numbers, the same for a seed on every machine (Philox).");
  generator.def(nb::init<uint64_t, uint64_t>(), nb::arg("seed"), nb::arg("counter") = 0)
      .def_prop_ro("seed", &Generator::seed)
      .def_prop_ro("counter", &Generator::counter)
      .def("__repr__", [](const Generator& self) {
        return fmt::format("Generator(seed={}, counter={})", self.seed(), self.counter());
      });
  bind_draws(generator);
}

}  // namespace tern::python
