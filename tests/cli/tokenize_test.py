# SPDX-License-Identifier: Apache-2.0
"""tokenize, both ways, on what Hugging Face's tokenizers computed."""
import json
import unittest

from support import DATA, CliTest

CASES = sorted((DATA / "tokenizer").glob("*.cases.json"))
GPT2 = DATA / "tokenizer" / "bpe-gpt2split-1k.tokenizer.json"


def lines(objects):
    return "".join(json.dumps(entry) + "\n" for entry in objects)


class Tokenize(CliTest):
    def convert(self, tokenizer, objects, *options):
        result = self.succeed("tokenize", tokenizer, "--jsonl", "-", *options, stdin=lines(objects))
        return [json.loads(line) for line in result.stdout.split("\n") if line]

    def test_cases_both_ways(self):
        self.assertGreaterEqual(len(CASES), 2)
        for path in CASES:
            cases = json.loads(path.read_text(encoding="utf-8"))
            tokenizer = path.with_name(path.name.replace(".cases.", ".tokenizer."))
            for case, line in zip(cases, self.convert(tokenizer, cases), strict=True):
                self.assertEqual(line, {"ids": case["ids"]}, f"{path.name}: {case['text']!r}")
            for case, line in zip(cases, self.convert(tokenizer, cases, "--decode"), strict=True):
                self.assertEqual(line, {"text": case["decoded"]}, f"{path.name}: {case['text']!r}")

    def test_a_file_a_directory_text_and_stdin_agree(self):
        text = "Hello, world! 123 naïve"
        model = self.directory / "model"
        model.mkdir()
        (model / "tokenizer.json").write_bytes(GPT2.read_bytes())
        path = self.file("text.jsonl", json.dumps({"text": text}))  # without a newline at the end
        ids = self.succeed_json("tokenize", GPT2, text)["ids"]
        self.assertEqual(json.loads(self.succeed("tokenize", model, "--jsonl", path).stdout), {"ids": ids})
        self.assertEqual(self.succeed("tokenize", model, text).stdout.split(), [str(id) for id in ids])
        self.assertEqual(self.succeed_json("tokenize", model, stdin=text)["ids"], ids)
        self.assertEqual(self.succeed("tokenize", GPT2, "--decode", ",".join(map(str, ids))).stdout, text + "\n")

    def test_special_tokens_only_where_wanted(self):
        tokenizer = json.loads(GPT2.read_text(encoding="utf-8"))
        special = next(token for token in tokenizer["added_tokens"] if token["special"])
        self.assertEqual(self.succeed_json("tokenize", GPT2, special["content"])["ids"], [special["id"]])
        plain = self.succeed_json("tokenize", GPT2, special["content"], "--no-special")["ids"]
        self.assertNotIn(special["id"], plain)
        self.assertEqual(self.succeed_json("tokenize", GPT2, "--decode", " ".join(map(str, plain)))["text"],
                         special["content"])
        self.assertEqual(self.succeed_json("tokenize", GPT2, "--decode", special["id"], "--no-special")["text"], "")

    def test_bad_lines_are_named(self):
        good = json.dumps({"text": "fine"}) + "\n"
        for bad in ("", "{", "[]", "7", "{\"ids\": [1]}", "{\"text\": 7}", "{\"text\": \"\\ud800\"}"):
            result = self.tell(good + bad + "\n" + good)
            self.assertEqual(len(result.stdout.splitlines()), 1)
        for bad in ("{\"ids\": 1}", "{\"ids\": [-1]}", "{\"ids\": [1.5]}", "{\"ids\": [4294967297]}", "{\"text\": \"x\"}"):
            self.tell("{\"ids\": [1]}\n" + bad + "\n", "--decode")
        self.refuse("tokenize", GPT2, "--decode", "1 two", naming="two")

    def tell(self, text, *options):
        return self.refuse("tokenize", GPT2, "--jsonl", self.file("lines", text), *options, naming="lines, line 2: ")


if __name__ == "__main__":
    unittest.main()
