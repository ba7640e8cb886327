# SPDX-License-Identifier: Apache-2.0
"""A model from text to generation: train, resume, pack, eval, run."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from support import BINARY, DATA, CliTest, tern, words

SMALL = ["--vocab-size", 300, "--hidden-size", 32, "--intermediate-size", 64, "--num-hidden-layers", 2,
         "--num-attention-heads", 2, "--num-key-value-heads", 1, "--sequence-length", 32, "--batch-size", 4,
         "--warmup-steps", 2, "--eval-every", 5, "--checkpoint-every", 5, "--max-position-embeddings", 100000]


class Train(CliTest):
    def setUp(self):
        super().setUp()
        self.text = self.file("text.txt", words(400))
        self.out = self.directory / "model"

    def arguments(self, out, steps, *options):
        return ["train", "--data", self.text, "--out", out, "--steps", steps, *SMALL, *options]

    def signalled(self, out, steps, number):
        """Starts a run, sends the signal after the first checkpoint, and gives back the exit status."""
        command = [BINARY, *map(str, self.arguments(out, steps))]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8")
        for line in process.stderr:
            if "held-out" in line and "step 10:" in line:
                process.send_signal(number)
                break
        process.communicate(timeout=300)
        return process.returncode

    def log(self, out):
        entries = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        return [(entry["step"], entry["loss"], entry.get("validation_loss")) for entry in entries]

    def test_a_run_reports_and_leaves_a_model(self):
        report = self.succeed_json(*self.arguments(self.out, 12))
        self.assertTrue(report["finished"])
        self.assertEqual((report["step"], report["steps"], report["tokens"]), (12, 12, 12 * 4 * 32))
        self.assertLess(report["validation_loss"], 6)
        for part in ("quantize", "forward", "backward", "optimizer"):
            self.assertGreater(report[f"{part}_seconds"], 0)
        for name in ("config.json", "model.safetensors", "tokenizer.json", "log.jsonl", "checkpoints", "train.json"):
            self.assertTrue((self.out / name).exists(), name)
        log = self.log(self.out)
        self.assertEqual([step for step, _, _ in log], list(range(1, 13)))
        self.assertLess(log[-1][1], log[0][1])
        self.assertEqual([step for step, _, validation in log if validation is not None], [5, 10, 12])

    def test_a_cpu_trains_in_f32_whatever_the_precision(self):
        self.succeed(*self.arguments(self.out, 3))
        other = self.directory / "other"
        self.succeed(*self.arguments(other, 3, "--precision", "bf16"))
        self.assertEqual(self.log(other), self.log(self.out))
        self.refuse(*self.arguments(self.directory / "none", 3, "--precision", "tf32"), naming="--precision", status=2)

    def test_progress_in_plain_lines(self):
        result = self.succeed(*self.arguments(self.out, 3))
        self.assertIn("step 3/3  loss ", result.stderr)
        self.assertNotIn("\r", result.stderr)
        self.assertIn("time: quantize ", result.stdout)

    def test_progress_as_a_bar(self):
        result = self.succeed(*self.arguments(self.out, 6), "--progress", "bar")
        self.assertRegex(result.stderr, r"[\r\n]\[=*> *\] \d/6  loss [\d.]+  lr \S+  .* tok/s  \d:\d\d left\x1b\[K")
        self.assertIn("step 5: held-out loss ", result.stderr)

    def test_stopped_and_killed_runs_resume_to_the_same_model(self):
        self.succeed(*self.arguments(self.out, 120))
        for number, status in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
            out = self.directory / f"signal-{int(number)}"
            self.assertEqual(self.signalled(out, 120, number), status)
            self.assertFalse((out / "model.safetensors").exists())
            self.assertTrue(any((out / "checkpoints").iterdir()))
            self.succeed("train", "--resume", "--data", self.text, "--out", out)  # the rest is remembered
            self.assertEqual(self.log(out), self.log(self.out))
            for name in ("model.safetensors", "config.json", "tokenizer.json"):
                self.assertEqual((out / name).read_bytes(), (self.out / name).read_bytes(), name)

    def test_an_old_run_is_not_overwritten(self):
        self.succeed(*self.arguments(self.out, 2))
        tokenizer = (self.out / "tokenizer.json").read_bytes()
        self.refuse(*self.arguments(self.out, 3, "--seed", 1), naming=self.out)
        self.refuse("train", "--resume", "--data", self.text, "--out", self.out, "--batch-size", 3, naming="batch_size")
        self.assertEqual((self.out / "tokenizer.json").read_bytes(), tokenizer)
        self.succeed("train", "--resume", "--data", self.text, "--out", self.out)

    def test_configuration_from_a_file_and_from_options(self):
        config = self.file("config.json", json.dumps({"steps": 2, "batch_size": 2, "lr": 0.001}))
        report = self.succeed_json(*self.arguments(self.out, 3, "--config", config))
        self.assertEqual(report["steps"], 3)
        kept = json.loads((self.out / "train.json").read_text())
        self.assertEqual((kept["lr"], kept["batch_size"], kept["steps"]), (0.001, 4, 3))
        bad = self.file("bad.json", json.dumps({"batch_sizes": 2}))
        self.refuse("train", "--data", self.text, "--out", self.out / "x", "--config", bad, naming="batch_sizes")
        self.refuse("train", "--data", self.text, "--out", self.out / "x", "--batch-size", 0, naming="batch_size")
        self.assertFalse((self.out / "x").exists())

    def test_a_given_tokenizer_and_validation_files(self):
        options = [option for option in SMALL if option not in ("--vocab-size", 300)]
        validation = self.file("validation.txt", words(40, seed=2))
        tokenizer = DATA / "tokenizer" / "bpe-llama3split-4k.tokenizer.json"
        self.succeed("train", "--data", self.text, self.text, "--val", validation, "--tokenizer", tokenizer, "--steps", 2,
                     "--out", self.out, *options)
        self.assertEqual((self.out / "tokenizer.json").read_bytes(), tokenizer.read_bytes())
        vocab = self.succeed_json("info", self.out)["config"]["vocab_size"]
        self.assertGreater(vocab, 4000)


class Run(CliTest):
    """On a model that was trained once for all of these."""

    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="tern-cli-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        cls.text = cls.shared / "text.txt"
        cls.text.write_text(words(400), encoding="utf-8")
        cls.masters, cls.packed = cls.shared / "masters", cls.shared / "packed"
        for command in (["train", "--data", cls.text, "--out", cls.masters, "--steps", 60, *SMALL],
                        ["pack", cls.masters, "--out", cls.packed]):
            result = tern(*command)
            assert result.returncode == 0, result.stderr

    def generate(self, *options, model=None, prompt="The cat", **more):
        return self.succeed_json("run", model or self.packed, prompt, "--max-tokens", 30, "--ignore-eos", *options, **more)

    def test_masters_and_packed_have_the_same_perplexity(self):
        results = []
        for model in (self.masters, self.packed):
            for threads in (1, 2, 3):
                result = self.succeed_json("eval", model, self.text, "--window", 33, "--threads", threads)
                del result["tokens_per_second"]
                results.append(result)
        self.assertTrue(all(result == results[0] for result in results), results)
        self.assertEqual(results[0]["bytes"], len(self.text.read_bytes()))
        self.assertLess(results[0]["perplexity"], 100)
        self.assertRegex(self.succeed("eval", self.packed, self.text).stdout, r"^perplexity [\d.]+, ")
        self.refuse("eval", self.packed, self.text, "--window", 1, naming=1)

    def test_keys_and_values_in_fewer_bits_cost_little(self):
        results = {kv: self.succeed_json("eval", self.packed, self.text, "--window", 33, "--kv", kv)
                   for kv in ("f32", "f16", "int8", "int4")}
        self.assertEqual([result["kv"] for result in results.values()], list(results))
        loss = results["f32"]["loss"]
        for kv, most in (("f16", 1e-3), ("int8", 1e-2), ("int4", 0.1)):
            self.assertNotEqual(results[kv]["loss"], loss)
            self.assertAlmostEqual(results[kv]["loss"], loss, delta=most)
        self.refuse("eval", self.packed, self.text, "--kv", "int3", naming="int3", status=2)

    def test_heads(self):
        losses = {head: self.succeed_json("eval", self.packed, self.text, "--window", 33, "--head", head)["loss"]
                  for head in ("full", "screened", "int8", "int4")}
        self.assertEqual(losses["screened"], losses["full"])
        for head, most in (("int8", 1e-2), ("int4", 0.1)):
            self.assertNotEqual(losses[head], losses["full"])
            self.assertAlmostEqual(losses[head], losses["full"], delta=most)
        for options in ([], ["--temperature", 1.2, "--top-k", 20, "--seed", 5, "--repetition-penalty", 1.1]):
            self.assertEqual(self.generate(*options, "--head", "screened")["ids"], self.generate(*options, "--head", "full")["ids"])
        self.refuse("run", self.packed, "The cat", "--head", "int3", naming="int3", status=2)

    def test_the_same_text_for_any_threads_and_either_storage(self):
        for options in ([], ["--temperature", 1.2, "--top-k", 50, "--top-p", 0.95, "--min-p", 0.01, "--seed", 5,
                             "--repetition-penalty", 1.1]):
            texts = [self.generate(*options, "--threads", threads)["ids"] for threads in (1, 2, 3)]
            texts.append(self.generate(*options, model=self.masters)["ids"])
            self.assertEqual(len(texts[0]), 30)
            self.assertTrue(all(text == texts[0] for text in texts))

    def test_the_seed_matters(self):
        self.assertNotEqual(self.generate("--temperature", 2, "--seed", 1)["ids"],
                            self.generate("--temperature", 2, "--seed", 2)["ids"])

    def test_streamed_text_is_the_text(self):
        whole = self.generate("--temperature", 2, "--seed", 3)
        for echo in ([], ["--echo"]):
            result = self.succeed("run", self.packed, "The cat", "--max-tokens", 30, "--ignore-eos", "--temperature", 2,
                                  "--seed", 3, *echo)
            self.assertEqual(result.stdout, ("The cat" if echo else "") + whole["text"] + "\n")
            self.assertRegex(result.stderr, r"prefill \d+ tokens, .* tok/s; decode 30 tokens, .* tok/s, .* a token, .* GB/s; .* resident; end: length")
        self.assertEqual(whole["finish_reason"], "length")
        for field in ("load_s", "prefill_tokens_per_s", "decode_tokens_per_s", "decode_gb_per_s", "resident_mb"):
            self.assertGreater(whole[field], 0, field)
        info = self.succeed_json("info", self.packed)
        config = info["config"]
        cached = 2 * 4 * config["num_hidden_layers"] * config["num_key_value_heads"] * config["head_dim"]
        # 29 tokens behind the first: each reads the weights, the tied embedding as the head, and what is in the cache.
        read = info["packed_bytes"] + cached * (whole["prompt_tokens"] + 15)
        self.assertLess(abs(whole["bytes_per_token"] / read - 1), 0.25)  # device layouts pad small matrices

    def test_prompts(self):
        self.assertEqual(self.generate(prompt="-", stdin="The cat")["ids"], self.generate()["ids"])
        self.assertEqual(self.generate()["prompt_tokens"], self.generate("--no-bos")["prompt_tokens"] + 1)
        self.assertEqual(self.generate(prompt="")["prompt_tokens"], 1)
        self.refuse("run", self.packed, "", "--no-bos", naming="prompt")

    def test_stop_texts(self):
        text = self.generate()["text"]
        stop = text[len(text) // 2:len(text) // 2 + 3]
        result = self.generate("--stop", "[absent]", "--stop", stop)
        self.assertEqual(result["text"], text[:text.find(stop)])
        self.assertEqual(result["finish_reason"], "stop")

    def test_options_out_of_range(self):
        for option, value in (("--temperature", -1), ("--top-p", 0), ("--top-k", -1), ("--min-p", 2),
                              ("--repetition-penalty", 0), ("--max-tokens", -1), ("--stop", "")):
            self.refuse("run", self.packed, "x", option, value, naming=option[2:].replace("-", "_"))

    def test_an_interrupt_ends_the_line(self):
        process = subprocess.Popen([BINARY, "run", self.packed, "The", "--ignore-eos", "--max-tokens", "90000"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first = process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        rest, notes = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 130, notes)
        self.assertTrue((first + rest).endswith(b"\n"))
        self.assertIn(b"end: cancelled", notes)

    def test_a_reader_that_leaves_ends_generation(self):
        process = subprocess.Popen([BINARY, "run", self.packed, "The", "--ignore-eos", "--max-tokens", "90000"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(1)
        process.stdout.close()
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()
        self.assertEqual(process.wait(timeout=300), 141)


if __name__ == "__main__":
    unittest.main()
