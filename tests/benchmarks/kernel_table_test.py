# SPDX-License-Identifier: Apache-2.0
"""benchmarks/kernel_table.py on what a profiler of a list prints."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TABLE = pathlib.Path(os.environ["TERN_SOURCE"]) / "benchmarks" / "kernel_table.py"
COLUMNS = {
    "time": "gpu__time_duration.sum",
    "read": "dram__bytes_read.sum",
    "write": "dram__bytes_write.sum",
    "fma": "sm__inst_executed_pipe_fma.sum",
    "bf16": "sm__ops_path_tensor_src_bf16_dst_fp32.sum",
}

COPY = "void tern::cuda::(anonymous namespace)::copy<(int)4, tern::bf16>(const float *, long)"
ADAMW = "tern::cuda::<unnamed>::adamw_tensors(tern::AdamwArgs)"


def printed(launches):
    """A program's own output, then one line for each launch below those of names and units."""
    lines = ["tokens/s: 5", "==PROF== Disconnected from process 7"]
    lines.append(",".join(f'"{name}"' for name in ["ID", "Kernel Name", *COLUMNS.values()]))
    lines.append(",".join(f'"{unit}"' for unit in ["", "", "ns", "byte", "byte", "inst", ""]))
    for number, (kernel, figures) in enumerate(launches):
        cells = [str(number), kernel, *(f"{figures.get(column, 0):,}" for column in COLUMNS)]
        lines.append(",".join(f'"{cell}"' for cell in cells))
    return "\n".join(lines) + "\n"


class KernelTable(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def table(self, *options):
        command = [sys.executable, "-B", TABLE, *map(str, options)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def rows(self, launches, *options):
        (self.folder / "in.csv").write_text(printed(launches))
        done = self.table("--csv", self.folder / "in.csv", "--json", self.folder / "out.json", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = json.loads((self.folder / "out.json").read_text())["kernels"]
        return {row["kernel"]: row for row in rows}, done.stdout

    def test_sums_and_rates_of_each_kernel(self):
        copies = (COPY, {"time": 1_000, "read": 1_500_000, "write": 1_000_000})
        product = ("gemm<128>(int)", {"time": 2_000, "read": 1_000, "bf16": 1_000_000_000, "fma": 7})
        rows, text = self.rows([copies, copies, product])
        copy, gemm = rows["copy<4, bf16>"], rows["gemm<128>"]
        self.assertEqual((copy["launches"], copy["us"], copy["share"]), (2, 2.0, 0.5))
        self.assertAlmostEqual(copy["gb_per_s"], 2500)
        self.assertEqual(copy["roof"], "memory")
        self.assertAlmostEqual(copy["of_roof"], 2.5 / 3.0)
        self.assertAlmostEqual(gemm["tera_per_s"], 500)
        self.assertEqual((gemm["operations"], gemm["roof"]), ("bf16", "bf16"))
        self.assertAlmostEqual(gemm["of_roof"], 500 / 989)
        self.assertIn("| all | 3 | 4 |", text)

    def test_the_last_whole_step(self):
        first, own, after = (COPY, {"time": 9}), ("own(int)", {"time": 3}), ("after(int)", {"time": 5})
        end = (ADAMW, {"time": 1})
        rows, _ = self.rows([first, end, end, own, own, end, end, end, after], "--last", "adamw")
        self.assertEqual({name: row["launches"] for name, row in rows.items()}, {"own": 2, "adamw_tensors": 3})

    def test_profiles_a_program(self):
        profiler = self.folder / "ncu"
        right = "sys.argv[-2:] == ['program', '--steps'] and ('off' in sys.argv) == ('marked' in sys.argv[0])"
        profiler.write_text(f"#!{sys.executable}\nimport sys\nprint({printed([(COPY, {'time': 4})])!r})\nsys.exit(not ({right}))\n")
        profiler.chmod(0o755)
        done = self.table("--ncu", profiler, "--", "program", "--steps")
        self.assertIn("copy<4, bf16> | 1 |", done.stdout)
        profiler = profiler.rename(self.folder / "marked")
        self.assertEqual(self.table("--marked", "--ncu", profiler, "--", "program", "--steps").returncode, 0)
        self.assertNotEqual(self.table("--ncu", profiler, "--", "program").returncode, 0)

    def test_refuses_what_is_no_profile(self):
        (self.folder / "in.csv").write_text("nothing\n")
        self.assertIn("found none", self.table("--csv", self.folder / "in.csv").stderr)
        (self.folder / "in.csv").write_text(printed([(ADAMW, {"time": 4})]))
        self.assertIn("expected two steps", self.table("--csv", self.folder / "in.csv", "--last", "adamw").stderr)
        self.assertEqual(self.table().returncode, 2)


if __name__ == "__main__":
    unittest.main()
