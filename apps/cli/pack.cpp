// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <memory>

#include "common.h"
#include "files.h"
#include "output.h"
#include "tern/model.h"
#include "verbs.h"

namespace fs = std::filesystem;

namespace tern::cli {
namespace {

struct Options {
  CommonOptions common;
  std::string model, out;
};

// Files of a Hugging Face directory that do not depend on how weights are stored.
constexpr const char* kCompanions[] = {
    "tokenizer.json", "tokenizer_config.json",  "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt",     "generation_config.json", "chat_template.jinja"};

void copy_companions(const fs::path& from, const fs::path& to) {
  for (const char* name : kCompanions) {
    if (there_is(from / name)) write_text(to / name, read_text((from / name).string()));
  }
}

int pack(const Options& options) {
  const Model model = load_model(options.model, open_device(options.common), options.common);
  create_directory_whole(options.out, [&](const fs::path& directory) {
    model.save(directory.string(), Weights::packed);
    copy_companions(options.model, directory);
  });
  const ModelInfo info = model.info();
  if (options.common.json) {
    print_json({{"out", options.out},
                {"parameters", info.parameters},
                {"packed_bytes", info.packed_bytes},
                {"f32_bytes", info.f32_bytes}});
  } else {
    print_out("{}: {} parameters in {}, as f32 {}\n", options.out, human_count(static_cast<double>(info.parameters)),
              human_bytes(info.packed_bytes), human_bytes(info.f32_bytes));
  }
  return 0;
}

}  // namespace

Action add_pack(CLI::App& verb) {
  auto options = std::make_shared<Options>();
  add_model(verb, options->model, options->common);
  verb.add_option("--out", options->out, "Directory to create: uint8 codes, four to a byte, and the tokenizer")
      ->type_name("DIR")
      ->required();
  add_common(verb, options->common);
  add_json(verb, options->common, "out, parameters, packed_bytes, f32_bytes.");
  return [options] { return pack(*options); };
}

}  // namespace tern::cli
