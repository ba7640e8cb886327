// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "common.h"
#include "conversation.h"
#include "figures.h"
#include "interrupt.h"
#include "line_reader.h"
#include "output.h"
#include "sampling.h"
#include "tern/error.h"
#include "turn_end.h"
#include "verbs.h"

namespace tern::cli {
namespace {

constexpr const char* kHelp =
    "/help               this list\n"
    "/system TEXT        the system message from now on; none without TEXT\n"
    "/clear              forget what was said\n"
    "/undo               take back the last question and its answer\n"
    "/retry              answer the last question anew, with other random numbers\n"
    "/save FILE          write the chat as JSON: {\"messages\": [{\"role\", \"content\"}, …]}\n"
    "/load FILE          go on with a chat that was saved\n"
    "/stats              what it took so far\n"
    "/set NAME VALUE     change temperature, top-k, top-p, min-p, repetition-penalty, seed or max-tokens; /set shows "
    "them\n"
    "/exit               end, as Ctrl-D does\n"
    "A backslash at the end of a line goes on with the next one; a line for the model that begins with / is typed with "
    "//.\n"
    "Ctrl-C ends an answer.\n";

constexpr const char* kOptionsFooter =
    "/help lists the commands of a chat. From a pipe, every line is a question or a command, answers go to standard "
    "output "
    "and everything else to standard error; the exit status is 1 if any line failed.\n"
    "The object of --json: one a line for every answer, with content, finish_reason, ids and of this answer ";

struct Options {
  CommonOptions common;
  std::string model, system, template_file, head;
  std::string kv = "f16";
  TextOptions text;
};

// While it lives Ctrl-C ends the answer; afterwards it ends the program again. Any other signal ends both.
class AnswerInterrupts {
 public:
  AnswerInterrupts() { catch_interrupts(); }
  ~AnswerInterrupts() {
    if (interrupted_by_keyboard()) forget_interrupt();
    if (interrupted() == 0) release_interrupts();
  }
  AnswerInterrupts(const AnswerInterrupts&) = delete;
  AnswerInterrupts& operator=(const AnswerInterrupts&) = delete;
};

class Chat {
 public:
  explicit Chat(const Options& options)
      : options_(options),
        kv_(kv_type_from_name(options.kv)),
        text_(options.text),
        start_(Clock::now()),
        template_(ChatTemplate::load(options.model, options.template_file)),
        model_(load_model(options.model, options.common, load_options(options.head))),
        tokenizer_(Tokenizer::load(options.model)),
        engine_(model_, tokenizer_, engine_options(kv_)) {
    figures_.load_s = std::chrono::duration<double>(Clock::now() - start_).count();
    text_.sampling.seed = options.common.seed;
    text_.add_bos = false;  // the template has it
    end_turns_of(template_, tokenizer_, text_);
    conversation_.set_system(options.system);
  }

  int run() {
    if (reader_.terminal()) note("{}; /help lists the commands, /exit ends\n", options_.model);
    while (!ended_) {
      const std::optional<std::string> line = read();
      if (!line) break;
      try {
        handle(*line);
      } catch (const Error& error) {
        failed_ = true;
        note("tern: {}\n", error.what());
      }
    }
    if (interrupted() != 0) return interrupted_status();
    return failed_ && !reader_.terminal() ? 1 : 0;
  }

 private:
  using Clock = std::chrono::steady_clock;

  static EngineOptions engine_options(KvType kv) {
    EngineOptions options;
    options.kv = kv;
    options.max_sequences = 1;
    return options;
  }

  // A line, and those it goes on with.
  std::optional<std::string> read() {
    std::optional<std::string> all = reader_.next("> ");
    while (all && all->ends_with('\\')) {
      all->back() = '\n';
      const std::optional<std::string> more = reader_.next("| ");
      if (!more) break;
      *all += *more;
    }
    return all;
  }

  void handle(const std::string& line) {
    if (line.find_first_not_of(" \t\r\n") == line.npos) return;
    if (line.starts_with("//")) return ask(line.substr(1));
    if (!line.starts_with('/')) return ask(line);
    const size_t space = line.find(' ');
    const std::string name = line.substr(0, space);
    const size_t begin = space == line.npos ? line.npos : line.find_first_not_of(' ', space);
    command(name, begin == line.npos ? "" : line.substr(begin));
  }

  void command(const std::string& name, const std::string& argument) {
    if (name == "/help") return write_note(kHelp);
    if (name == "/system") return conversation_.set_system(argument);
    if (name == "/clear") return conversation_.clear();
    if (name == "/undo") return require(conversation_.undo(), "/undo: nothing was said yet");
    if (name == "/retry") return retry();
    if (name == "/save") return conversation_.save(file(name, argument));
    if (name == "/load") return conversation_.load(file(name, argument));
    if (name == "/stats") return note("{}; {} messages\n", figures_.to_text(), conversation_.messages().size());
    if (name == "/set") return set(argument);
    if (name == "/exit" || name == "/quit") {
      ended_ = true;
      return;
    }
    throw Error(fmt::format("[chat] expected a command of /help, got '{}'", name));
  }

  static void require(bool good, const char* what) {
    if (!good) throw Error(fmt::format("[chat] {}", what));
  }

  static const std::string& file(const std::string& command, const std::string& name) {
    if (name.empty()) throw Error(fmt::format("[chat] expected {} FILE, got no file", command));
    return name;
  }

  void set(const std::string& argument) {
    const size_t space = argument.find(' ');
    if (argument.empty()) return note("{}\n", sampling_text(text_));
    set_sampling(text_, argument.substr(0, space), space == argument.npos ? "" : argument.substr(space + 1));
  }

  void retry() {
    const bool answered = conversation_.take_back_answer();
    require(answered || !conversation_.turns().empty(), "/retry: nothing was asked yet");
    answer();
  }

  // A question that cannot be answered was not asked.
  void ask(const std::string& text) {
    conversation_.ask(text);
    try {
      answer();
    } catch (...) {
      conversation_.undo();
      throw;
    }
  }

  void answer() {
    const bool stream = !options_.common.json;
    Request request;
    static_cast<TextOptions&>(request) = text_;
    request.prompt = template_.render(conversation_.messages(), /*add_generation_prompt=*/true);
    request.sampling.seed += answers_++;
    request.on_text = [&](std::string_view piece) {
      if (stream && !piece.empty()) write_out(piece);
      return interrupted() == 0;
    };
    const RequestId id = engine_.submit(std::move(request));
    const GenerateResult result = run(id);
    if (result.error) std::rethrow_exception(result.error);
    if (stream) write_out("\n");
    conversation_.answer(result.text);
    figures_.add(model_, kv_, result);
    if (!stream) print(result);
    if (interrupted() != 0) ended_ = true;
  }

  GenerateResult run(RequestId id) {
    const AnswerInterrupts interrupts;
    engine_.run_until_idle();
    return *engine_.take(id);
  }

  void print(const GenerateResult& result) const {
    Figures figures;
    figures.load_s = figures_.load_s;
    figures.add(model_, kv_, result);
    Json object = {{"content", result.text}, {"finish_reason", result.finish_reason}, {"ids", result.ids}};
    object.update(figures.to_json());
    print_json(object);
  }

  const Options& options_;
  KvType kv_;
  TextOptions text_;
  Clock::time_point start_;
  ChatTemplate template_;
  Model model_;
  Tokenizer tokenizer_;
  Engine engine_;  // keeps what the conversation has computed
  LineReader reader_;
  Conversation conversation_;
  Figures figures_;
  uint64_t answers_ = 0;
  bool ended_ = false, failed_ = false;
};

}  // namespace

Action add_chat(CLI::App& verb) {
  auto options = std::make_shared<Options>();
  options->text.max_tokens = 1024;
  add_model(verb, options->model, options->common);
  verb.add_option("--system", options->system, "What the model is told before the chat")->type_name("TEXT");
  verb.add_option("--chat-template", options->template_file, "A Jinja template instead of the model's own")
      ->type_name("FILE");
  add_sampling(verb, options->text);
  add_head(verb, options->head);
  add_kv(verb, options->kv);
  add_common(verb, options->common);
  add_json(verb, options->common, "");
  verb.footer(std::string(kOptionsFooter) + kFigureFields + ".");
  return [options] { return Chat(*options).run(); };
}

}  // namespace tern::cli
