# SPDX-License-Identifier: Apache-2.0
"""benchmarks/peers/loss_curve.py: its comparison on curves of a list, and its batches against known ones."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(os.environ["TERN_SOURCE"]) / "benchmarks" / "peers" / "loss_curve.py"


def script():
    spec = importlib.util.spec_from_file_location("loss_curve", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class LossCurve(unittest.TestCase):
    def compare(self, torch, tern, steps=300):
        """Curves that are flat, each at the losses of its seeds."""
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for name, seeds in {"torch": torch, "tern": tern}.items():
                files[name] = pathlib.Path(folder) / f"{name}.json"
                runs = [{"seed": seed, "loss": [loss] * steps} for seed, loss in enumerate(seeds)]
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
            self.assertEqual(result["passed"], code == 0)
            self.assertIn(verdict, done.stdout)

    def test_windows_that_the_curves_have(self):
        _, result = self.compare([2.0], [2.0], steps=120)
        self.assertEqual([window["window"] for window in result["windows"]], [[41, 50], [91, 100]])

    def test_batches_are_those_of_the_trainer(self):
        # Printed by WindowSampler(2840000, 512, 2).window_begin; from 5545 on they are of later epochs.
        samples = [0, 1, 5544, 5546, 5547, 11100, 19199]
        begins = [1365942, 1564086, 895414, 14512, 2592432, 440604, 719604]
        self.assertEqual([script().window_begin(sample, 2840000, 512, 2) for sample in samples], begins)


if __name__ == "__main__":
    unittest.main()
