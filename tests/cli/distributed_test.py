# SPDX-License-Identifier: Apache-2.0
"""Training in several processes, started as people start them: by mpirun."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import unittest

from support import BINARY, CliTest, words

# As root in a container without ssh, where processes may not read each other's memory.
MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_plm": "isolated",
       "OMPI_MCA_btl_vader_single_copy_mechanism": "none"}
SMALL = ["--vocab-size", 300, "--hidden-size", 32, "--intermediate-size", 64, "--num-hidden-layers", 2,
         "--num-attention-heads", 2, "--num-key-value-heads", 1, "--sequence-length", 32, "--warmup-steps", 2,
         "--eval-every", 5, "--checkpoint-every", 5, "--keep-checkpoints", 9, "--threads", 1]


def children(parent):
    """The processes that a process started, by number."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[1]) == parent:
            found.append(int(path.parent.name))
    return sorted(found)


class Distributed(CliTest):
    def setUp(self):
        super().setUp()
        self.text = self.file("text.txt", words(400))

    def start(self, processes, out, *options, steps=12, prefix=()):
        command = [os.environ["TERN_MPIEXEC"], "--oversubscribe", "-n", processes, *prefix, BINARY, "train", "--data",
                   self.text, "--out", out, "--steps", steps, *SMALL, *options]
        return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                encoding="utf-8", env={**os.environ, **MPI})

    def train(self, processes, name, *options):
        """The run's directory and what it printed."""
        out = self.directory / name
        process = self.start(processes, out, *options)
        stdout, stderr = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, stderr)
        return out, stdout, stderr

    def losses(self, out):
        entries = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        self.assertEqual([entry["step"] for entry in entries], list(range(1, 13)))
        return [(entry["loss"], entry["grad_norm"], entry.get("validation_loss", 0)) for entry in entries]

    def assert_near(self, one, other):
        for before, after in zip(self.losses(one), self.losses(other)):
            for x, y in zip(before, after):
                self.assertAlmostEqual(x, y, delta=2e-3 * max(1, x))

    def test_processes_share_a_run(self):
        batch = ["--batch-size", 6]
        one, _, _ = self.train(1, "one", *batch)
        for count in (2, 3):
            out, stdout, stderr = self.train(count, f"of-{count}", *batch, "--json")
            self.assert_near(one, out)
            report = json.loads(stdout)  # of rank 0 alone
            self.assertEqual((report["step"], report["tokens"], report["finished"]), (12, 12 * 6 * 32, True))
            self.assertIn(f"training on {count} processes", stderr)
            self.assertEqual(stderr.count("step 12/12"), 1)
            self.assertEqual({path.name for path in out.iterdir()}, {path.name for path in one.iterdir()})
            # Processes take the micro-batches that one process takes one after the other.
            parts, _, _ = self.train(1, f"in-{count}", "--batch-size", 6 // count, "--accumulate", count)
            for shared, accumulated in zip(self.losses(out), self.losses(parts)):
                self.assertAlmostEqual(shared[0], accumulated[0], delta=1e-5)

    def test_a_run_goes_on_with_another_number_of_processes(self):
        whole, _, _ = self.train(2, "whole", "--batch-size", 6)
        for count in (1, 2, 3):
            out = self.directory / f"on-{count}"
            shutil.copytree(whole, out)
            for name in ("step-000010", "step-000012"):
                shutil.rmtree(out / "checkpoints" / name)
            self.train(count, out.name, "--batch-size", 6, "--resume")
            self.assert_near(whole, out)
            if count == 2:
                self.assertEqual(self.losses(out), self.losses(whole))
                self.assertEqual((out / "model.safetensors").read_bytes(), (whole / "model.safetensors").read_bytes())

    def assert_fails(self, process, message):
        begin = time.monotonic()
        _, stderr = process.communicate(timeout=60)
        self.assertLess(time.monotonic() - begin, 30)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn(message, stderr)

    def test_an_error_ends_all(self):
        out = self.directory / "out"
        self.assert_fails(self.start(3, out, "--batch-size", 2), "expected a sequence for each of 3 processes")
        self.assertFalse((out / "checkpoints").exists())
        self.assert_fails(self.start(2, out, "--val", self.directory / "nothing"), "nothing: No such file")

    def test_a_full_disk_ends_all_and_leaves_nothing_half_written(self):
        # Files of at most 40 KiB: enough for the tokenizer and the log, too little for the model.
        full = self.file("full.sh", 'trap "" XFSZ\nulimit -f 40\nexec "$@"\n')
        out = self.directory / "out"
        self.assert_fails(self.start(2, out, "--batch-size", 2, prefix=["bash", full]), "File too large")
        self.assertEqual(len((out / "log.jsonl").read_text().splitlines()), 5)
        self.assertEqual(list((out / "checkpoints").iterdir()), [])

    def test_a_killed_process_ends_all(self):
        process = self.start(2, self.directory / "out", "--batch-size", 2, steps=100000)
        self.assertTrue(any("step 5:" in line for line in process.stderr))
        os.kill(children(process.pid)[-1], signal.SIGKILL)
        self.assert_fails(process, "")

    def test_an_interrupt_stops_all_at_one_step(self):
        out = self.directory / "out"
        process = self.start(2, out, "--batch-size", 2, steps=100000)
        self.assertTrue(any("step 5:" in line for line in process.stderr))
        os.kill(children(process.pid)[-1], signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        last = json.loads((out / "log.jsonl").read_text().splitlines()[-1])["step"]
        self.assertTrue((out / "checkpoints" / f"step-{last:06d}").exists(), stderr)

    def test_says_how_to_start(self):
        for environment, message in (({"RANK": "0"}, "WORLD_SIZE"),
                                     ({"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}, "expected mpirun")):
            self.refuse("train", "--data", self.text, "--out", self.directory / "out", naming=message,
                        env={**environment, **MPI})


if __name__ == "__main__":
    unittest.main()
