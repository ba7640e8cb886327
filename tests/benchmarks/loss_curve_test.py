# SPDX-License-Identifier: Apache-2.0
"""benchmarks/peers/loss_curve.py: its comparison on curves of a list, its batches against known ones, and the text it reads."""

import array
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import types
import unittest

SCRIPT = pathlib.Path(os.environ["TERN_SOURCE"]) / "benchmarks" / "peers" / "loss_curve.py"


def script():
    spec = importlib.util.spec_from_file_location("loss_curve", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Instead of `tern tokenize`: a text's ids are its bytes.
BYTES = f"""#!{sys.executable}
import json, sys
for line in sys.stdin:
    print(json.dumps({{"ids": list(json.loads(line)["text"].encode())}}))
"""


class LossCurve(unittest.TestCase):
    def compare(self, torch, tern, steps=300, first=9.0):
        """Curves that begin alike, Tern's at `first`, and are then flat, each at the losses of its seeds."""
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for name, begin, seeds in [("torch", 9.0, torch), ("tern", first, tern)]:
                files[name] = pathlib.Path(folder) / f"{name}.json"
                runs = [{"seed": seed, "loss": [begin] + [loss] * (steps - 1)} for seed, loss in enumerate(seeds)]
                files[name].write_text(json.dumps({"name": name, "runs": runs}))
            out = pathlib.Path(folder) / "out.json"
            command = [sys.executable, "-B", SCRIPT, "compare", "--torch", files["torch"], "--tern", files["tern"], "--out", out]
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
            return done, json.loads(out.read_text())

    def test_within_below_and_above(self):
        for tern, verdict, code in [([2.0, 2.05], "within", 0), ([1.8, 1.9], "below", 0), ([2.1, 2.3], "above", 1)]:
            done, result = self.compare([2.0, 2.1, 1.95], tern)
            self.assertEqual(done.returncode, code)
            self.assertEqual([window["verdict"] for window in result["windows"]], [verdict] * 4)
            self.assertEqual("error" not in result, code == 0)
            self.assertIn(verdict, done.stdout)

    def test_windows_that_the_curves_have(self):
        _, result = self.compare([2.0], [2.0], steps=120)
        self.assertEqual([window["window"] for window in result["windows"]], [[41, 50], [91, 100]])

    def test_differences_of_the_same_seeds(self):
        _, result = self.compare([2.0, 2.5, 2.25, 1.5], [2.125, 2.5, 2.5])
        for window in result["windows"]:
            self.assertEqual(window["difference"], 0.125)
            self.assertAlmostEqual(window["standard_error"], 0.125 / 3**0.5)

    def test_refuses_curves_that_begin_otherwise(self):
        done, result = self.compare([2.0, 2.1], [2.0, 2.1], first=9.002)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("windows", result)
        self.assertIn("tern, seed 0: other weights or batches: first loss 9.002000", result["error"])
        self.assertIn(result["error"], done.stderr)

    def test_ids_are_of_a_text_as_it_stands(self):
        text = "a\r\nb\n\rä\u2028\x85".encode()
        with tempfile.TemporaryDirectory() as folder:
            work = pathlib.Path(folder)
            (work / "tern").write_text(BYTES)
            (work / "tern").chmod(0o755)
            (work / "text").write_bytes(text)
            (work / "config.json").write_text(json.dumps({"bos_token_id": 300, "eos_token_id": 301}))
            (work / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"id": id, "special": True} for id in [300, 301]]}))
            script().keep_ids(types.SimpleNamespace(work=work, tern=work / "tern", data=[work / "text"]), work)
            ids = array.array("H", (work / "ids.u16").read_bytes())
        self.assertEqual(ids.tolist(), [300, *text, 301])

    def test_batches_are_those_of_the_trainer(self):
        # Printed by WindowSampler(2840000, 512, 2).window_begin; from 5545 on they are of later epochs.
        samples = [0, 1, 5544, 5546, 5547, 11100, 19199]
        begins = [1365942, 1564086, 895414, 14512, 2592432, 440604, 719604]
        self.assertEqual([script().window_begin(sample, 2840000, 512, 2) for sample in samples], begins)


if __name__ == "__main__":
    unittest.main()
