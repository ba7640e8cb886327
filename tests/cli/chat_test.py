# SPDX-License-Identifier: Apache-2.0
"""tern chat: what a template makes of a conversation is what the model answers to; commands; the end of answers."""
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import termios
import time
import unittest

from support import BINARY, CliTest, tern, words

TEMPLATE = ("{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}<|end_of_text|>\n{% endfor %}"
            "{% if add_generation_prompt %}[assistant]{% endif %}")


def rendered(*messages):
    """TEMPLATE by hand: messages are (role, content)."""
    return ("<|begin_of_text|>" + "".join(f"[{role}]{content}<|end_of_text|>\n" for role, content in messages) +
            "[assistant]")


class Chat(CliTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="tern-chat-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        (cls.shared / "text").write_text(words(300), encoding="utf-8")
        cls.model = cls.shared / "model"
        result = tern("train", "--data", cls.shared / "text", "--out", cls.model, "--steps", 3, "--vocab-size", 300,
                      "--hidden-size", 32, "--intermediate-size", 64, "--num-hidden-layers", 2, "--num-attention-heads", 2,
                      "--num-key-value-heads", 1, "--sequence-length", 32, "--batch-size", 4, "--warmup-steps", 1,
                      "--max-position-embeddings", 50000)
        assert result.returncode == 0, result.stderr
        (cls.model / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
        (cls.model / "tokenizer_config.json").write_text('{"bos_token": "<|begin_of_text|>"}', encoding="utf-8")

    def chat(self, *lines, options=(), status=0):
        result = tern("chat", self.model, "--max-tokens", 12, "--kv", "f32", "--json", *options,
                      stdin="".join(f"{line}\n" for line in lines))
        self.assertEqual(result.returncode, status, result.stderr)
        self.notes = result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    def contents(self, *lines, **options):
        return [answer["content"] for answer in self.chat(*lines, **options)]

    def expect(self, *messages, options=()):
        """The answer to a conversation, by way of tern run."""
        result = self.succeed_json("run", self.model, rendered(*messages), "--no-bos", "--max-tokens", 12, *options)
        return result["text"]

    def test_answers_follow_from_the_whole_conversation(self):
        first, second = self.contents("The cat", "", "and the river?", options=["--system", "Be kind."])
        system, one = ("system", "Be kind."), ("user", "The cat")
        self.assertEqual(first, self.expect(system, one))
        self.assertEqual(second, self.expect(system, one, ("assistant", first), ("user", "and the river?")))
        answers = self.chat("The cat", "and the river?", options=["--system", "Be kind."])
        self.assertEqual(answers[0]["cached_tokens"], 0)
        self.assertGreater(answers[1]["cached_tokens"], 0)

    def test_random_numbers_move_on_with_every_answer(self):
        options = ["--temperature", 1.5, "--top-k", 40]
        lines = ["The cat", "/retry", "/clear", "The cat"]
        answers = self.contents(*lines, options=[*options, "--seed", 5])
        for turn, answer in enumerate(answers):
            self.assertEqual(answer, self.expect(("user", "The cat"), options=[*options, "--seed", 5 + turn]))
        self.assertEqual(answers, self.contents(*lines, options=[*options, "--seed", 5]))

    def test_commands_change_the_conversation(self):
        path = self.directory / "chat.json"
        a, b, c = self.contents("one", "two", "/undo", "/system Paint.", "three", f"/save {path}")
        messages = [("system", "Paint."), ("user", "one"), ("assistant", a), ("user", "three")]
        self.assertEqual(b, self.expect(("user", "one"), ("assistant", a), ("user", "two")))
        self.assertEqual(c, self.expect(*messages))
        saved = json.loads(path.read_text(encoding="utf-8"))
        self.assertEqual(saved["messages"], [{"role": role, "content": content}
                                             for role, content in [*messages, ("assistant", c)]])
        again, = self.contents(f"/load {path}", "/retry")
        self.assertEqual(again, c)
        fresh, = self.contents(f"/load {path}", "/clear", "/system", "four")
        self.assertEqual(fresh, self.expect(("user", "four")))

    def test_lines_that_go_on_and_lines_with_a_slash(self):
        joined, slash = self.contents("first\\", "second", "/clear", "//path")
        self.assertEqual(joined, self.expect(("user", "first\nsecond")))
        self.assertEqual(slash, self.expect(("user", "/path")))

    def test_settings(self):
        answers = self.chat("/set max-tokens 3", "The", "/set temperature 2", "/set seed 9", "/set", "/retry")
        self.assertEqual([len(answer["ids"]) for answer in answers], [3, 3])
        self.assertIn("temperature 2, top-k 0", self.notes)
        self.assertIn("seed 9, max-tokens 3", self.notes)
        for line, naming in (("/set temperature warm", "warm"), ("/set temperature -1", "-1"), ("/set top-k 1.5", "1.5"),
                             ("/set max-tokens", "max-tokens"), ("/set humour 3", "humour"), ("/set top-p 0", "top-p")):
            self.assertEqual(self.chat(line, status=1), [])
            self.assertIn("tern: [set] ", self.notes)
            self.assertIn(naming, self.notes)

    def test_answers_end_where_the_template_ends_a_turn(self):
        whole = self.contents("The cat")[0]
        visible = [char for char in whole if char.isalpha() and char.isascii()]
        self.assertTrue(visible, whole)
        template = self.file("turns.jinja", TEMPLATE.replace("<|end_of_text|>", visible[0]))
        ended, = self.contents("The cat", options=["--chat-template", template])
        self.assertNotIn(visible[0], ended)

    def test_figures(self):
        answer, = self.chat("The cat", "/stats")
        for field in ("load_s", "prefill_tokens_per_s", "decode_tokens_per_s", "bytes_per_token", "resident_mb"):
            self.assertGreater(answer[field], 0, field)
        self.assertRegex(self.notes, r"prefill \d+ tokens, .* tok/s; decode 12 tokens, .* tok/s, .*resident; 2 messages")

    def test_plain_output_is_the_answers(self):
        lines = ["The cat", "/help", "/nonsense", "and", "/exit", "never said"]
        answers = self.contents(*lines, status=1)
        self.assertEqual(len(answers), 2)
        result = tern("chat", self.model, "--max-tokens", 12, "--kv", "f32", stdin="\n".join(lines))
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "".join(answer + "\n" for answer in answers))
        self.assertIn("/retry", result.stderr)
        self.assertIn("'/nonsense'", result.stderr)

    def test_failures_leave_the_conversation_as_it_was(self):
        broken = self.file("broken.json", '{"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": "y"}]}')
        for line, naming in ((f"/load {broken}", "message 1"), (f"/load {self.directory / 'no'}", "no"), ("/load", "FILE"),
                             (f"/save {self.directory / 'no' / 'chat'}", "no"), ("/undo", "/undo"), ("/retry", "/retry")):
            answer, = self.contents(line, "one", status=1)
            self.assertIn(naming, self.notes)
            self.assertEqual(answer, self.expect(("user", "one")))
        long = "word " * 60000
        answers = self.contents(long, "one", status=1)
        self.assertIn("window", self.notes)
        self.assertEqual(answers, [self.expect(("user", "one"))])

    def test_models_without_a_template_are_refused(self):
        plain = self.directory / "plain"
        shutil.copytree(self.model, plain, ignore=shutil.ignore_patterns("chat_template.jinja", "checkpoints"))
        self.refuse("chat", plain, naming="template", stdin="x\n")
        self.refuse("chat", self.model, "--chat-template", self.directory / "no", naming="no", stdin="x\n")

    def endless(self):
        """A model that goes on until its window is full."""
        model = self.directory / "endless"
        shutil.copytree(self.model, model, ignore=shutil.ignore_patterns("checkpoints"))
        config = json.loads((model / "config.json").read_text())
        config["eos_token_id"] = 299
        (model / "config.json").write_text(json.dumps(config))
        (model / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
        return model

    def test_an_interrupt_ends_the_answer_not_the_program(self):
        process = subprocess.Popen([BINARY, "chat", self.endless(), "--max-tokens", "40000"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for messages in (2, 4):
            process.stdin.write(b"The\n/stats\n")
            process.stdin.flush()
            os.read(process.stdout.fileno(), 1)
            process.send_signal(signal.SIGINT)
            note = process.stderr.readline()
            self.assertIn(f"; {messages} messages".encode(), note)
            while select.select([process.stdout], [], [], 0)[0]:
                os.read(process.stdout.fileno(), 65536)
        _, notes = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, notes)

    def test_a_terminal(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(BINARY, [BINARY, "chat", str(self.model), "--max-tokens", "5"])
        seen = b""

        def until(text):
            nonlocal seen
            limit = time.monotonic() + 120
            while text not in seen and time.monotonic() < limit:
                if select.select([terminal], [], [], 1)[0]:
                    seen += os.read(terminal, 4096)
            self.assertIn(text, seen)
            seen = seen[seen.index(text) + len(text):]

        def type_at_prompt(keys):
            """Once the line editor, if there is one, has the terminal: it never sees a Ctrl-D that came before."""
            until(b"> ")
            limit = time.monotonic() + 5
            while termios.tcgetattr(terminal)[3] & termios.ICANON and time.monotonic() < limit:
                time.sleep(0.001)
            os.write(terminal, keys)

        type_at_prompt(b"/stats\r")
        until(b"0 messages")
        type_at_prompt(b"hellq\x7fo\r")
        type_at_prompt(b"/stats\r")
        until(b"2 messages")
        type_at_prompt(b"\x04")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        os.close(terminal)


if __name__ == "__main__":
    unittest.main()
