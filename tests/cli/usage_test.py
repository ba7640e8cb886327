# SPDX-License-Identifier: Apache-2.0
"""Help, version, exit statuses, and output that cannot be written."""
import os
import subprocess
import unittest

from support import BINARY, DATA, VERBS, CliTest, tern

MODEL = DATA / "hf" / "tiny-online"


class Usage(CliTest):
    def test_version(self):
        self.assertRegex(self.succeed("--version").stdout, r"^tern \d+\.\d+\.\d+\n$")

    def test_help_lists_the_verbs(self):
        text = self.succeed("--help").stdout
        for verb in VERBS:
            self.assertIn(f"\n  {verb} ", text)

    def test_help_of_each_verb(self):
        for verb in VERBS:
            text = self.succeed(verb, "--help").stdout
            for option in ("--threads", "--device", "--seed", "--json"):
                self.assertIn(option, text, verb)
            self.assertIn("The object of --json: ", text)

    def test_misuse_exits_with_2(self):
        for arguments in ([], ["fly"], ["info"], ["info", MODEL, "--no-such-option"], ["logits", MODEL, "--ids", "1"],
                          ["logits", MODEL, "--ids", "1,x", "--out", "out.npy"], ["info", MODEL, "--threads", "-1"],
                          ["info", MODEL, "--seed", "x"], ["train", "--data", "x", "--out", "y", "--steps", "many"],
                          ["train", "--data", "x", "--out", "y", "--tokenizer", "z", "--vocab-size", "300"],
                          ["tokenize", MODEL, "text", "--jsonl", "-"]):
            result = tern(*arguments)
            self.assertEqual(result.returncode, 2, f"{arguments}\n{result.stderr}")
            self.assertEqual(result.stdout, "")
            self.assertNotEqual(result.stderr, "")

    def test_errors_name_the_input(self):
        missing = self.directory / "missing"
        self.refuse("info", missing, naming=missing)
        self.refuse("run", missing, "hello", naming=missing)
        self.refuse("eval", MODEL, missing, naming=missing)
        self.refuse("eval", MODEL, self.directory, naming=self.directory)
        self.refuse("tokenize", missing, "text", naming=missing)
        self.refuse("train", "--data", missing, "--out", self.directory / "out", naming=missing)
        self.refuse("info", MODEL, "--device", "abacus", naming="abacus")
        self.refuse("info", MODEL, naming="abacus", env={"TERN_ISA": "abacus"})

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "wb") as full:
            result = subprocess.run([BINARY, "devices"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"tern: [stdout] ", result.stderr)

    def test_a_reader_that_left_ends_the_program_quietly(self):
        reading, writing = os.pipe()
        os.close(reading)
        result = subprocess.run([BINARY, "devices"], stdout=writing, stderr=subprocess.PIPE, check=False)
        os.close(writing)
        self.assertEqual((result.returncode, result.stderr), (141, b""))

    def test_devices(self):
        devices = self.succeed_json("devices", "--threads", 3)["devices"]
        cpu = next(device for device in devices if device["name"] == "cpu")
        self.assertEqual(cpu["threads"], 3)
        self.assertIn("scalar", cpu["isas"])
        self.assertIn(cpu["isa"], cpu["isas"])
        for isa in cpu["isas"]:
            forced = self.succeed_json("devices", env={"TERN_ISA": isa})["devices"][0]
            self.assertEqual(forced["isa"], isa)
        self.assertIn("instruction sets: scalar", self.succeed("devices").stdout)


if __name__ == "__main__":
    unittest.main()
