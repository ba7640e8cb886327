// SPDX-License-Identifier: Apache-2.0
// Reading a model from a Hugging Face directory.
#include <cmath>
#include <filesystem>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/check_kind.h"
#include "base/file.h"
#include "formats/format.h"
#include "io/safetensors.h"
#include "models/architecture.h"
#include "models/config.h"
#include "models/head.h"
#include "ops/pack_rows.h"
#include "tern/ops.h"

namespace tern {
namespace {

constexpr uint64_t kLargestConfig = uint64_t{1} << 20;
constexpr std::string_view kScaleSuffix = "_scale";

// How much of the weights' bytes is read, told to whom it concerns.
class Progress {
 public:
  Progress(const SafetensorsSet& files, const std::string& directory, const LoadOptions& options)
      : directory_(directory), options_(options) {
    for (const std::string& name : files.names()) bytes_ += files.info(name).bytes;
  }

  void add(uint64_t bytes) {
    done_ += bytes;
    if (done_ < bytes_) tell(static_cast<double>(done_) / static_cast<double>(bytes_));
  }
  void finish() const { tell(1.0); }

 private:
  void tell(double fraction) const {
    check(!options_.on_progress || options_.on_progress(fraction), "load", "{}: cancelled", directory_);
  }

  const std::string& directory_;
  const LoadOptions& options_;
  uint64_t bytes_ = 0, done_ = 0;
};

class Loader final : public WeightVisitor {
 public:
  Loader(const SafetensorsSet& files, const std::string& directory, ScaleMeaning meaning, const Device& device,
         Progress& progress)
      : files_(files), directory_(directory), meaning_(meaning), device_(device), progress_(progress) {}

  // A file holds masters or codes, for all ternary matrices alike; the first decides.
  Weights kind() const { return packed_ ? Weights::packed : Weights::masters; }
  const std::set<std::string>& used() const { return used_; }

  void dense(const std::string& name, DenseWeight& weight, const Shape& shape) override {
    require_shape(name, shape);
    dense_.push_back({&weight, name, float_tensor(name)});
  }

  void ternary(const std::string& name, BitLinear& linear, int64_t rows, int64_t cols) override {
    const bool packed = info(name).dtype == DType::u8;
    check(!seen_ternary_ || packed == packed_, "load",
          "{}: expected {}, as the other ternary weights have, got {} in '{}'", directory_,
          packed_ ? "uint8 codes" : "float masters", info(name).dtype_name, name);
    seen_ternary_ = true;
    packed_ = packed;
    linear = packed ? BitLinear(read_packed(name, rows, cols)) : quantize(name, read_master(name, rows, cols));
    read(name);
  }

  // Dense weights train when the model has masters, which is known at the end. Norms are f32 always, trained weights
  // too.
  void finish() {
    for (auto& [weight, name, value] : dense_) {
      const bool trains = !packed_;
      const bool widen = trains || value.rank() == 1;
      *weight = DenseWeight(trains ? clone(cast(value, DType::f32)) : widen ? cast(value, DType::f32) : value, trains);
      const bool mapped = weight->leaf().shares_storage_with(value);
      value = Tensor();
      if (mapped) {
        mapped_.push_back(name);
        progress_.add(files_.info(name).bytes);
      } else {
        read(name);
      }
    }
  }

  // What is used where it is mapped has been read once, wholly, and will be in parts only.
  void release_mapped() const {
    for (const std::string& name : mapped_) files_.release(name);
  }

 private:
  struct Dense {
    DenseWeight* weight;
    std::string name;
    Tensor value;
  };

  // The model has what it needs of a tensor: the mapping need not stay in memory.
  void read(const std::string& name) {
    files_.release(name);
    progress_.add(files_.info(name).bytes);
  }

  SafetensorsInfo info(const std::string& name) {
    check(files_.has(name), "load", "{}: expected a tensor '{}', the file has none of that name", directory_, name);
    used_.insert(name);
    return files_.info(name);
  }

  void require_shape(const std::string& name, const Shape& shape) {
    const Shape found = info(name).shape;
    check(found == shape, "load", "{}: expected '{}' of shape {}, got {}", directory_, name, to_string(shape),
          to_string(found));
  }

  Tensor float_tensor(const std::string& name) {
    const SafetensorsInfo found = info(name);
    check(found.dtype && has_gradient(*found.dtype), "load", "{}: expected '{}' of F32, BF16 or F16, got {}", directory_,
          name, found.dtype_name);
    return files_.tensor(name, device_);
  }

  Tensor read_master(const std::string& name, int64_t rows, int64_t cols) {
    require_shape(name, {rows, cols});
    return clone(cast(float_tensor(name), DType::f32));
  }

  BitLinear quantize(const std::string& name, Tensor master) {
    try {
      return BitLinear(std::move(master), find_weight_scheme("absmean"));
    } catch (const Error& error) {
      fail("load", "{}: tensor '{}': {}", directory_, name, error.what());
    }
  }

  PackedTernary read_packed(const std::string& name, int64_t rows, int64_t cols) {
    const Format& format = format_from_name("hf_packed");
    require_shape(name, format.packed_shape(rows, cols));
    const float scale = read_scale(name + std::string(kScaleSuffix));
    const std::span<const std::byte> bytes = files_.bytes(name);
    const std::span<const uint8_t> packed(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    try {
      return pack_ternary_rows(rows, cols, scale, device_, [&](int64_t row, int64_t count, std::span<int8_t> codes) {
        decode_rows(format, packed, rows, cols, row, count, codes);
      });
    } catch (const Error& error) {
      fail("load", "{}: tensor '{}': {}", directory_, name, error.what());
    }
  }

  // What multiplies the codes, whichever way the file states it.
  float read_scale(const std::string& name) {
    const SafetensorsInfo found = info(name);
    check(found.shape.numel() == 1, "load", "{}: expected '{}' to hold one number, got shape {}", directory_, name,
          to_string(found.shape));
    const auto value = static_cast<float>(float_tensor(name).item());
    check(std::isfinite(value) && value > 0, "load", "{}: expected a positive '{}', got {}", directory_, name, value);
    return meaning_ == ScaleMeaning::multiplies ? value : 1.0f / value;
  }

  const SafetensorsSet& files_;
  const std::string& directory_;
  ScaleMeaning meaning_;
  const Device& device_;
  Progress& progress_;
  std::vector<Dense> dense_;
  std::vector<std::string> mapped_;
  std::set<std::string> used_;
  bool packed_ = false, seen_ternary_ = false;
};

void check_no_superfluous(const SafetensorsSet& files, const Loader& loader, const ModelConfig& config,
                          const std::string& directory) {
  const ArchitectureEntry& family = find_architecture(config.architecture);
  for (const std::string& name : files.names()) {
    check(loader.used().count(name) == 1 || family.ignores(config, name), "load",
          "{}: expected only the weights of a {} with this config.json, got a tensor '{}'", directory, family.name,
          name);
  }
}

}  // namespace

Model Model::load(const std::string& directory, const Device& device, const LoadOptions& options) {
  const MemoryLabel label("weights");
  check_as<NotFound>(std::filesystem::is_directory(directory), "load", "{}: expected a model directory", directory);
  const std::string config_path = directory + "/config.json";
  const std::string text = read_file(config_path, kLargestConfig);
  const ParsedConfig parsed = parse_config(text, config_path);
  const SafetensorsSet files(directory);
  std::shared_ptr<Architecture> model = find_architecture(parsed.model.architecture).make(parsed.model, device);
  model->source_config = text;
  Progress progress(files, directory, options);
  Loader loader(files, directory, parsed.scale_meaning, device, progress);
  model->visit(loader);
  loader.finish();
  check_no_superfluous(files, loader, parsed.model, directory);
  model->weights = loader.kind();
  tern::set_head(*model, options.head.value_or(default_head(*model)));
  if (model->head_type != HeadType::full) loader.release_mapped();
  progress.finish();
  return Model(std::move(model));
}

}  // namespace tern
