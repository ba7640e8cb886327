// SPDX-License-Identifier: Apache-2.0
// Trains a very small ternary model on a text: train_tiny TEXT DIRECTORY.
#include <tern/train.h>

#include <fstream>
#include <iostream>
#include <iterator>

int main(int argc, char** argv) try {
  if (argc != 3) throw tern::Error("usage: train_tiny TEXT DIRECTORY");
  std::ifstream file(argv[1]);
  const std::string text{std::istreambuf_iterator<char>(file), {}};

  tern::BpeTrainOptions bpe;
  bpe.vocab_size = 384;
  const tern::Tokenizer tokenizer = tern::Tokenizer::train(std::vector<std::string_view>{text}, bpe);

  tern::TrainConfig config;
  config.model.vocab_size = tokenizer.vocab_size();
  config.model.hidden_size = 64;
  config.model.intermediate_size = 176;
  config.model.num_hidden_layers = 2;
  config.sequence_length = 32;
  config.steps = 30;
  config.warmup_steps = 5;

  tern::TrainData data;
  data.train = tokenizer.encode(text);
  tern::TrainCallbacks callbacks;
  callbacks.on_step = [](const tern::StepReport& report) {
    if (report.step % 10 == 0) std::cout << "step " << report.step << ": loss " << report.loss << "\n";
  };
  tern::train(config, data, tokenizer, tern::Device::open("cpu"), argv[2], /*resume=*/false, callbacks);
} catch (const tern::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
