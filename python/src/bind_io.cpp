// SPDX-License-Identifier: Apache-2.0
#include "tern/io.h"

#include "module.h"
#include "operand.h"
#include "paths.h"

#include <nanobind/stl/map.h>

namespace tern::python {

void bind_io(nb::module_& m) {
  m.def(
      "load_safetensors",
      [](const PathArgument& path, const DeviceArgument& device) {
        nb::dict tensors;
        auto loaded = without_gil([&] { return load_safetensors(path.path, device.device); });
        for (auto& [name, tensor] : loaded) tensors[name.c_str()] = nb::cast(std::move(tensor));
        return tensors;
      },
      nb::arg("path"), nb::kw_only(), nb::arg("device").none() = nb::none(),
      nb::sig(
          "def load_safetensors(path: str | os.PathLike, *, device: Device | str | None = None) -> dict[str, Tensor]"),
      "Every tensor of a file, over the mapped file; what is written to them stays in memory.");
  m.def(
      "save_safetensors",
      [](const PathArgument& path, const nb::dict& tensors, const std::map<std::string, std::string>& metadata) {
        const auto list = named_tensors_of("save_safetensors", tensors);
        without_gil([&] { save_safetensors(path.path, list, metadata); });
      },
      nb::arg("path"), nb::arg("tensors"), nb::arg("metadata") = std::map<std::string, std::string>(),
      nb::sig("def save_safetensors(path: str | os.PathLike, tensors: dict[str, Tensor], metadata: dict[str, str] = "
              "{}) -> None"),
      "Creates or replaces a file in one step.");
  m.def(
      "load_npy",
      [](const PathArgument& path, const DeviceArgument& device) {
        return without_gil([&] { return load_npy(path.path, device.device); });
      },
      nb::arg("path"), nb::kw_only(), nb::arg("device").none() = nb::none(),
      nb::sig("def load_npy(path: str | os.PathLike, *, device: Device | str | None = None) -> Tensor"),
      "The array in a .npy file.");
  m.def(
      "save_npy",
      [](const PathArgument& path, const Tensor& tensor) { without_gil([&] { save_npy(path.path, tensor); }); },
      nb::arg("path"), nb::arg("tensor"), nb::sig("def save_npy(path: str | os.PathLike, tensor: Tensor) -> None"),
      "Creates or replaces a .npy file in one step.");
}

}  // namespace tern::python
