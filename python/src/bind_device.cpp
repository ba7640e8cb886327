// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "casters.h"
#include "module.h"

namespace tern::python {

Device& default_device() {
  // Never destroyed: tensors of a module that outlives this one may be on it.
  static auto* const device = new Device(Device::open("cpu"));
  return *device;
}

std::optional<Device> device_from(nb::handle source) {
  if (source.is_none()) return default_device();
  if (PyUnicode_Check(source.ptr())) {
    const auto name = nb::cast<std::string_view>(source);
    return name == default_device().name() ? default_device() : Device::open(name);
  }
  Device device;
  if (!nb::inst_check(source) || !nb::try_cast(source, device)) return std::nullopt;
  return device;
}

std::optional<Shape> shape_from(nb::handle source) {
  if (PyIndex_Check(source.ptr())) return Shape{nb::cast<int64_t>(source)};
  if (PySequence_Check(source.ptr()) == 0 || PyUnicode_Check(source.ptr())) return std::nullopt;
  std::vector<int64_t> extents;
  for (nb::handle extent : source) {
    if (!PyIndex_Check(extent.ptr())) return std::nullopt;
    extents.push_back(nb::cast<int64_t>(nb::steal(PyNumber_Index(extent.ptr()))));
  }
  return Shape(extents);
}

nb::tuple to_tuple(const Shape& shape) {
  nb::list extents;
  for (const int64_t extent : shape) extents.append(extent);
  return nb::tuple(extents);
}

void bind_device(nb::module_& m) {
  nb::class_<MemoryStatistics>(m, "MemoryStatistics", "Bytes of a device's memory.")
      .def_ro("live", &MemoryStatistics::live)
      .def_ro("peak", &MemoryStatistics::peak)
      .def_ro("reserved", &MemoryStatistics::reserved)
      .def_ro("limit", &MemoryStatistics::limit)
      .def("__repr__", [](const MemoryStatistics& self) {
        return "MemoryStatistics(live=" + std::to_string(self.live) + ", peak=" + std::to_string(self.peak) +
               ", reserved=" + std::to_string(self.reserved) + ", limit=" + std::to_string(self.limit) + ")";
      });
  nb::class_<Device>(m, "Device", "A machine that stores tensors and computes: a CPU with some threads, or a GPU.")
      .def(
          "__init__",
          [](Device* self, const std::string& name, int threads, const std::string& isa, int ordinal,
             size_t memory_limit) {
            new (self) Device(
                Device::open(name, {.threads = threads, .isa = isa, .ordinal = ordinal, .memory_limit = memory_limit}));
          },
          nb::arg("name") = "cpu", nb::kw_only(), nb::arg("threads") = 0, nb::arg("isa") = "", nb::arg("ordinal") = 0,
          nb::arg("memory_limit") = 0,
          "Opens a device. Tensors of two devices do not mix, even where both are the same machine.")
      .def_static("names", &Device::names, "Names that it can be opened by, whether this machine has one or not.")
      .def_static("cpu_isas", &Device::cpu_isas, "Instruction sets of a CPU that this machine has, slowest first.")
      .def_prop_ro("name", &Device::name)
      .def_prop_ro("description", &Device::description)
      .def_prop_ro("isa", &Device::isa)
      .def_prop_ro("threads", &Device::threads)
      .def("synchronize", &Device::synchronize, nb::call_guard<nb::gil_scoped_release>(),
           "Waits until everything that was asked of the device is done.")
      .def("memory_statistics", &Device::memory_statistics, "What its memory holds.")
      .def("trim_memory", &Device::trim_memory, nb::call_guard<nb::gil_scoped_release>(),
           "Gives memory that is free back to the system.")
      .def(
          "__eq__", [](const Device& self, const Device& other) { return self == other; }, nb::is_operator())
      .def("__hash__", [](const Device& self) { return reinterpret_cast<intptr_t>(&self.backend()); })
      .def("__repr__", [](const Device& self) { return "<tern.Device " + self.description() + ">"; })
      .def("__str__", [](const Device& self) { return std::string(self.name()); });
  m.def(
      "default_device", [] { return default_device(); }, "The device of tensors that name none: the CPU.");
}

}  // namespace tern::python
