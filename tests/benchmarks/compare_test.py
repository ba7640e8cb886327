# SPDX-License-Identifier: Apache-2.0
"""benchmarks/peers/compare.py with programs that print figures of a list instead of measuring."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

COMPARE = pathlib.Path(os.environ["TERN_SOURCE"]) / "benchmarks" / "peers" / "compare.py"

# Prints the figures of its next call from NAME.figures ("prefill decode" a line), and notes its call in the common log.
PROGRAM = """#!{python}
import json, os, pathlib, sys
here = pathlib.Path(__file__)
log = here.parent / "log"
threads = sys.argv[sys.argv.index("-t" if "-t" in sys.argv else "--threads") + 1]
calls = log.read_text().splitlines() if log.exists() else []
mine = [call for call in calls if call.split()[:2] == [here.name, threads]]
with log.open("a") as file:
    file.write(f"{{here.name}} {{threads}} {{len(os.sched_getaffinity(0))}} {{' '.join(sys.argv[1:])}}\\n")
prefill, decode = map(float, (here.parent / (here.name + ".figures")).read_text().splitlines()[len(mine)].split())
{body}
"""
LLAMA_BENCH = """
print("a note\\n[not json")
tests = [{"n_prompt": 512, "n_gen": 0, "avg_ts": prefill}, {"n_prompt": 0, "n_gen": 64, "avg_ts": decode}]
print(json.dumps(tests, indent=2))
print("another note")
"""
TERN = 'print(json.dumps({"prefill_tokens_per_s": prefill, "decode_tokens_per_s": decode, "threads": int(threads)}))'
SILENT = 'print("no figures")'
BROKEN = 'sys.exit("cannot load the model")'


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def program(self, name, body, figures=()):
        path = self.folder / name
        path.write_text(PROGRAM.format(python=sys.executable, body=body))
        path.chmod(0o755)
        (self.folder / f"{name}.figures").write_text("".join(f"{prefill} {decode}\n" for prefill, decode in figures))
        return path

    def compare(self, *arguments):
        return subprocess.run(
            [sys.executable, "-B", COMPARE, *map(str, arguments)], capture_output=True, text=True, check=False
        )

    def calls(self):
        return [line.split(" ", 3) for line in (self.folder / "log").read_text().splitlines()]

    def test_median_spread_and_ratio_of_a_round(self):
        # The first line is the warm-up's. B is the fastest in prefill, A in decode.
        a = self.program("a", LLAMA_BENCH, [(1, 1), (50, 20), (40, 25), (45, 10)])
        b = self.program("b", LLAMA_BENCH, [(1, 1), (100, 8), (80, 9), (60, 7)])
        ours = self.program("ours", TERN, [(1, 1), (150, 60), (160, 50), (180, 40)])
        file = self.folder / "out.json"
        result = self.compare(
            "--peer",
            "A",
            a,
            "m.gguf",
            "--peer",
            "B",
            b,
            "m.gguf",
            "-fa 1",
            "--tern",
            ours,
            "--threads",
            1,
            "--repetitions",
            3,
            "--json",
            file,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("| A | 45.0 (40.0-50.0) | 20.0 (10.0-25.0) |", result.stdout)
        self.assertIn("| Tern | 160.0 (150.0-180.0) | 50.0 (40.0-60.0) |", result.stdout)
        self.assertIn("| Tern / fastest peer | **2.00** (1.50-3.00), B | **3.00** (2.00-4.00), A |", result.stdout)
        document = json.loads(file.read_text())
        self.assertEqual(
            document["results"]["B"]["1"]["prefill_tokens_per_s"],
            {"median": 80, "low": 60, "high": 100, "samples": [100, 80, 60]},
        )
        self.assertEqual(
            document["ratios"]["1"]["decode_tokens_per_s"],
            {"peer": "A", "median": 3, "low": 2, "high": 4, "samples": [3, 2, 4]},
        )
        self.assertTrue(document["commands"]["B"].endswith("-fa 1"), document["commands"])

    def test_contestants_alternate_pinned_and_each_comes_first(self):
        cpus = sorted(os.sched_getaffinity(0))
        threads = [1, 2][: len(cpus)]
        names = ["a", "b", "ours"]
        a, b = (self.program(name, LLAMA_BENCH, [(9, 9)] * 9) for name in names[:2])
        ours = self.program("ours", TERN, [(9, 9)] * 9)
        result = self.compare(
            "--peer",
            "A",
            a,
            "m",
            "--peer",
            "B",
            b,
            "m",
            "--tern",
            ours,
            "--threads",
            *threads,
            "--warm-up",
            1,
            "--repetitions",
            2,
            "--prompt",
            7,
            "--decode",
            5,
            "--quiet",
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        order = [
            (names[(turn + place) % 3], str(count)) for turn in range(3) for count in threads for place in range(3)
        ]
        self.assertEqual([(name, count) for name, count, _, _ in self.calls()], order)
        for _, count, processors, _ in self.calls():
            self.assertEqual(count, processors)
        self.assertEqual(self.calls()[0][3], "-m m -t 1 -p 7 -n 5 -r 1 -o json")
        self.assertIn(
            "bench --shape 2b-4t --json --threads 1 --prompt 7 --decode 5", {call[3] for call in self.calls()}
        )

    def test_time_limit_ends_between_rounds(self):
        a = self.program("a", LLAMA_BENCH, [(30, 20)] * 9)
        b = self.program("b", LLAMA_BENCH, [(30, 20)] * 9)
        result = self.compare("--peer", "A", a, "m", "--peer", "B", b, "m", "--threads", 1, "--seconds", 0, "--quiet")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual([call[0] for call in self.calls()], ["a", "b", "b", "a"])  # warm-up and one round

    def test_peers_alone_have_no_ratio(self):
        a = self.program("a", LLAMA_BENCH, [(30, 20)] * 2)
        result = self.compare("--peer", "A", a, "m", "--threads", 1, "--repetitions", 1, "--json", "-")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIsNone(json.loads(result.stdout)["ratios"])

    def test_a_contestant_that_fails_is_named(self):
        good = self.program("good", TERN, [(9, 9)] * 9)
        zero = self.program("zero", LLAMA_BENCH, [(9, 0)])
        for body, message in [(BROKEN, "cannot load the model"), (SILENT, "expected JSON"), (TERN, "expected JSON")]:
            bad = self.program("bad", body, [(9, 9)] * 9)
            result = self.compare("--tern", good, "--peer", "Bad", bad, "m", "--threads", 1)
            self.assertEqual(result.returncode, 1)
            self.assertIn("compare: Bad: ", result.stderr)
            self.assertIn(message, result.stderr)
            self.assertEqual(result.stdout, "")
        self.assertIn("expected figures above 0", self.compare("--peer", "Zero", zero, "m", "--threads", 1).stderr)
        self.assertIn("Missing", self.compare("--peer", "Missing", self.folder / "missing", "m", "--threads", 1).stderr)

    def test_misuse_exits_with_2(self):
        for arguments in (
            [],
            ["--peer", "A", "program"],
            ["--peer", "Tern", "x", "m", "--tern", "x"],
            ["--tern", "x", "--threads", "0"],
            ["--tern", "x", "--threads", "2", "--cpus", "0"],
            ["--tern", "x", "--repetitions", "0"],
        ):
            result = self.compare(*arguments)
            self.assertEqual(result.returncode, 2, f"{arguments}\n{result.stderr}")


if __name__ == "__main__":
    unittest.main()
