// SPDX-License-Identifier: Apache-2.0
// Random numbers; tern.random presents them.
#include "tern/random.h"

#include <fmt/format.h>

#include <mutex>

#include "keywords.h"
#include "module.h"

namespace tern::python {
namespace {

// A generator that threads may share: they draw one after the other, without Python's lock.
class SharedGenerator {
 public:
  SharedGenerator(uint64_t seed, uint64_t counter) : generator_(seed, counter) {}

  template <class F>
  auto locked(F&& f) {
    return without_gil([&] {
      const std::lock_guard lock(mutex_);
      return f(generator_);
    });
  }
  uint64_t seed() {
    return locked([](const Generator& generator) { return generator.seed(); });
  }
  uint64_t counter() {
    return locked([](const Generator& generator) { return generator.counter(); });
  }

 private:
  std::mutex mutex_;
  Generator generator_;
};
using GeneratorClass = nb::class_<SharedGenerator>;

std::string method_signature(const char* name, const std::string& arguments) {
  return signature(name, "self, " + arguments);
}
constexpr const char* kShape = "shape: int | tuple[int, ...] = ()";
constexpr const char* kDevice = "device: Device | str | None = None";

// draw(generator, shape, dtype, device, first, second)
template <class Draw>
void two_numbers(GeneratorClass& generator, const char* name, const char* first, double first_default,
                 const char* second, double second_default, Draw draw, const char* doc) {
  generator.def(
      name,
      [draw](SharedGenerator& self, const Shape& shape, double a, double b, DType dtype, const MaybeDevice& device) {
        return self.locked([&](Generator& from) { return draw(from, shape, dtype, device_or_default(device), a, b); });
      },
      nb::arg("shape") = nb::tuple(), nb::arg(first) = first_default, nb::arg(second) = second_default, nb::kw_only(),
      nb::arg("dtype") = DType::f32, optional_keyword("device"),
      nb::sig(method_signature(name, fmt::format("{}, {}: float = {}, {}: float = {}, *, dtype: DType = float32, {}",
                                                 kShape, first, first_default, second, second_default, kDevice))
                  .c_str()),
      doc);
}

void bind_floats(GeneratorClass& generator) {
  two_numbers(
      generator, "uniform", "low", 0, "high", 1,
      [](Generator& from, const Shape& shape, DType dtype, const Device& device, double low, double high) {
        return from.uniform(shape, dtype, device, low, high);
      },
      "Even in [low, high).");
  two_numbers(
      generator, "normal", "mean", 0, "deviation", 1,
      [](Generator& from, const Shape& shape, DType dtype, const Device& device, double mean, double deviation) {
        return from.normal(shape, dtype, device, mean, deviation);
      },
      "Normal numbers.");
  generator.def(
      "exponential",
      [](SharedGenerator& self, const Shape& shape, double mean, DType dtype, const MaybeDevice& device) {
        return self.locked(
            [&](Generator& from) { return from.exponential(shape, dtype, device_or_default(device), mean); });
      },
      nb::arg("shape") = nb::tuple(), nb::arg("mean") = 1.0, nb::kw_only(), nb::arg("dtype") = DType::f32,
      optional_keyword("device"),
      nb::sig(method_signature("exponential",
                               fmt::format("{}, mean: float = 1, *, dtype: DType = float32, {}", kShape, kDevice))
                  .c_str()),
      "Exponential numbers of this mean.");
}

void bind_integers(GeneratorClass& generator) {
  generator
      .def(
          "integers",
          [](SharedGenerator& self, int64_t low, int64_t high, const Shape& shape, DType dtype,
             const MaybeDevice& device) {
            return self.locked(
                [&](Generator& from) { return from.integers(low, high, shape, dtype, device_or_default(device)); });
          },
          nb::arg("low"), nb::arg("high"), nb::arg("shape") = nb::tuple(), nb::kw_only(), nb::arg("dtype") = DType::i64,
          optional_keyword("device"),
          nb::sig(method_signature("integers",
                                   fmt::format("low: int, high: int, {}, *, dtype: DType = int64, {}", kShape, kDevice))
                      .c_str()),
          "Integers of [low, high), each as likely as any other.")
      .def(
          "bits",
          [](SharedGenerator& self, const Shape& shape, DType dtype, const MaybeDevice& device) {
            return self.locked([&](Generator& from) { return from.bits(shape, dtype, device_or_default(device)); });
          },
          nb::arg("shape") = nb::tuple(), nb::kw_only(), nb::arg("dtype") = DType::u64, optional_keyword("device"),
          nb::sig(method_signature("bits", fmt::format("{}, *, dtype: DType = uint64, {}", kShape, kDevice)).c_str()),
          "Integers all of whose bits are random.")
      .def(
          "bernoulli",
          [](SharedGenerator& self, double probability, const Shape& shape, const MaybeDevice& device) {
            return self.locked(
                [&](Generator& from) { return from.bernoulli(probability, shape, device_or_default(device)); });
          },
          nb::arg("probability"), nb::arg("shape") = nb::tuple(), nb::kw_only(), optional_keyword("device"),
          nb::sig(method_signature("bernoulli", fmt::format("probability: float, {}, *, {}", kShape, kDevice)).c_str()),
          "True with this probability.")
      .def(
          "bernoulli",
          [](SharedGenerator& self, const Tensor& probabilities) {
            return self.locked([&](Generator& from) { return from.bernoulli(probabilities); });
          },
          nb::arg("probabilities"), nb::sig(method_signature("bernoulli", "probabilities: Tensor").c_str()),
          "True with the probability of each element.");
}

void bind_orders(GeneratorClass& generator) {
  generator
      .def(
          "permutation",
          [](SharedGenerator& self, int64_t count, const MaybeDevice& device) {
            return self.locked([&](Generator& from) { return from.permutation(count, device_or_default(device)); });
          },
          nb::arg("count"), nb::kw_only(), optional_keyword("device"),
          nb::sig(method_signature("permutation", fmt::format("count: int, *, {}", kDevice)).c_str()),
          "0 ... count-1 in random order.")
      .def(
          "shuffled",
          [](SharedGenerator& self, const Tensor& x, int axis) {
            return self.locked([&](Generator& from) { return from.shuffled(x, axis); });
          },
          nb::arg("x"), nb::arg("axis") = 0, nb::sig(method_signature("shuffled", "x: Tensor, axis: int = 0").c_str()),
          "x with the elements of an axis in random order.")
      .def(
          "choice",
          [](SharedGenerator& self, int64_t count, const Shape& shape, bool replace, const MaybeDevice& device) {
            return self.locked(
                [&](Generator& from) { return from.choice(count, shape, device_or_default(device), replace); });
          },
          nb::arg("count"), nb::arg("shape") = nb::tuple(), nb::kw_only(), nb::arg("replace") = true,
          optional_keyword("device"),
          nb::sig(
              method_signature("choice", fmt::format("count: int, {}, *, replace: bool = True, {}", kShape, kDevice))
                  .c_str()),
          "Numbers of [0, count); without replacement, distinct ones.")
      .def(
          "choice",
          [](SharedGenerator& self, const Tensor& probabilities, const Shape& shape) {
            return self.locked([&](Generator& from) { return from.choice(probabilities, shape); });
          },
          nb::arg("probabilities"), nb::arg("shape") = nb::tuple(),
          nb::sig(method_signature("choice", fmt::format("probabilities: Tensor, {}", kShape)).c_str()),
          "Numbers of [0, len(probabilities)), each with its probability.");
}

}  // namespace

void bind_random(nb::module_& m) {
  GeneratorClass generator(m, "Generator", "Random numbers, the same for a seed on every machine (Philox4x32-10).");
  generator
      .def(nb::init<uint64_t, uint64_t>(), nb::arg("seed"), nb::arg("counter") = 0,
           "The numbers from a counter on: Generator(g.seed, g.counter) goes on where g is.")
      .def_prop_ro("seed", &SharedGenerator::seed)
      .def_prop_ro("counter", &SharedGenerator::counter)
      .def("__repr__", [](SharedGenerator& self) {
        return fmt::format("Generator(seed={}, counter={})", self.seed(), self.counter());
      });
  bind_floats(generator);
  bind_integers(generator);
  bind_orders(generator);
}

}  // namespace tern::python
