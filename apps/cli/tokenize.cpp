// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include <charconv>
#include <fstream>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>

#include "common.h"
#include "files.h"
#include "output.h"
#include "tern/text.h"
#include "verbs.h"

namespace tern::cli {
namespace {

struct Options {
  CommonOptions common;
  std::string model, jsonl;
  std::optional<std::string> text;
  bool decode = false, no_special = false;
};

// Converts one way or the other, as the options say.
class Converter {
 public:
  explicit Converter(const Options& options) : tokenizer_(Tokenizer::load(options.model)), options_(options) {}

  std::vector<int32_t> encode(std::string_view text) const { return tokenizer_.encode(text, !options_.no_special); }
  std::string decode(const std::vector<int32_t>& ids) const { return tokenizer_.decode(ids, options_.no_special); }

  // {"text": …} to {"ids": […]}, or back. Throws Error for anything else, without naming where it was read.
  Json convert(const Json& line) const {
    const char* key = options_.decode ? "ids" : "text";
    if (!line.is_object() || !line.contains(key)) throw Error(fmt::format("expected an object with \"{}\"", key));
    if (options_.decode) return {{"text", decode(ids_of(line[key]))}};
    if (!line[key].is_string()) throw Error("expected \"text\" to be a string");
    return {{"ids", encode(line[key].get_ref<const std::string&>())}};
  }

 private:
  static std::vector<int32_t> ids_of(const Json& list) {
    if (!list.is_array()) throw Error("expected \"ids\" to be a list");
    std::vector<int32_t> ids;
    for (const Json& id : list) {
      const bool fits = id.is_number_unsigned() && id.get<uint64_t>() <= std::numeric_limits<int32_t>::max();
      if (!fits) throw Error("expected token ids, got " + id.dump());
      ids.push_back(id.get<int32_t>());
    }
    return ids;
  }

  Tokenizer tokenizer_;
  const Options& options_;
};

std::vector<int32_t> parse_ids(std::string_view text) {
  std::vector<int32_t> ids;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    if (*at == ' ' || *at == ',' || *at == '\n') {
      ++at;
      continue;
    }
    int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    if (error != std::errc() || id < 0) throw Error(fmt::format("[tokenize] expected token ids, got '{}'", text));
    ids.push_back(id);
    at = next;
  }
  return ids;
}

void convert_lines(const Converter& converter, std::istream& in, const std::string& name) {
  std::string text;
  for (int64_t number = 1; std::getline(in, text); ++number) {
    Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    try {
      if (line.is_discarded()) throw Error("expected JSON in UTF-8");
      print_json(converter.convert(line));
    } catch (const Error& error) {
      throw Error(fmt::format("[tokenize] {}, line {}: {}", name, number, error.what()));
    }
  }
  if (in.bad()) throw Error(fmt::format("[tokenize] {}: cannot read", name));
}

void convert_jsonl(const Converter& converter, const std::string& path) {
  if (path == "-") return convert_lines(converter, std::cin, "stdin");
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(fmt::format("[tokenize] {}: {}", path, std::generic_category().message(errno)));
  convert_lines(converter, in, path);
}

void print_text(const std::string& text, bool json) {
  if (json) return print_json({{"text", text}});
  print_out("{}\n", text);
}

void print_ids(const std::vector<int32_t>& ids, bool json) {
  if (json) return print_json({{"ids", ids}});
  print_out("{}\n", fmt::join(ids, " "));
}

void convert_text(const Converter& converter, const Options& options) {
  const std::string text = options.text ? *options.text : read_stdin();
  if (options.decode) {
    print_text(converter.decode(parse_ids(text)), options.common.json);
  } else {
    print_ids(converter.encode(text), options.common.json);
  }
}

int tokenize(const Options& options) {
  const Converter converter(options);
  if (options.jsonl.empty()) {
    convert_text(converter, options);
  } else {
    convert_jsonl(converter, options.jsonl);
  }
  return 0;
}

}  // namespace

Action add_tokenize(CLI::App& verb) {
  auto options = std::make_shared<Options>();
  verb.add_option("MODEL", options->model, "Hugging Face directory or tokenizer.json")->type_name("")->required();
  CLI::Option* text =
      verb.add_option("TEXT", options->text, "Text, or ids with --decode; stdin without it and --jsonl")->type_name("");
  verb.add_option("--jsonl", options->jsonl, "File of lines {\"text\": …}, or {\"ids\": […]} with --decode; - is stdin")
      ->type_name("FILE")
      ->excludes(text);
  verb.add_flag("--decode", options->decode, "Ids to text");
  verb.add_flag("--no-special", options->no_special,
                "Take special tokens in text as text; leave them out of decoded text");
  add_common(verb, options->common);
  add_json(verb, options->common, "ids, or text with --decode. --jsonl prints such an object for each line.");
  return [options] { return tokenize(*options); };
}

}  // namespace tern::cli
