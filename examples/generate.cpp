// SPDX-License-Identifier: Apache-2.0
// Continues a prompt: generate MODEL PROMPT, where MODEL is a Hugging Face directory.
#include <tern/engine.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc != 3) throw tern::Error("usage: generate MODEL PROMPT");
  const tern::Model model = tern::Model::load(argv[1], tern::Device::open("cpu"));
  const tern::Tokenizer tokenizer = tern::Tokenizer::load(argv[1]);

  tern::GenerateOptions options;
  options.max_tokens = 40;
  options.sampling.temperature = 0.8;
  tern::generate(model, tokenizer, argv[2], options, [](std::string_view text) {
    std::cout << text << std::flush;
    return true;
  });
  std::cout << "\n";
} catch (const tern::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
