# SPDX-License-Identifier: Apache-2.0
"""tern bench: its fields are there, agree with each other, and with what the model is."""
import unittest

from support import DATA, CliTest

QUICK = ["--prompt", "7,20", "--decode", 4, "--repetitions", 2, "--read-mb", 16]
TINY = ["--shape", "tiny", *QUICK]
FIGURES = ["read_gb_per_s", "int8_peak_gops", "load_s", "resident_mb", "device_mb", "model_mb", "bytes_per_token",
           "decode_tokens_per_s", "decode_bandwidth_share", "prefill_tokens_per_s", "prefill_peak_share"]


class Bench(CliTest):
    def check_spread(self, spread):
        self.assertGreater(spread["low"], 0)
        self.assertLessEqual(spread["low"], spread["median"])
        self.assertLessEqual(spread["median"], spread["high"])

    def check_run(self, run, ternary_parameters):
        for name in FIGURES:
            self.assertGreater(run[name], 0, name)
        self.assertAlmostEqual(run["decode_bandwidth_share"],
                               run["bytes_per_token"] * run["decode_tokens_per_s"] / run["read_gb_per_s"] / 1e9)
        self.assertAlmostEqual(run["prefill_peak_share"],
                               2 * ternary_parameters * run["prefill_tokens_per_s"] / run["int8_peak_gops"] / 1e9)
        self.assertEqual(run["decode_tokens_per_s"], run["decode"]["tokens_per_s"]["median"])
        self.assertEqual(run["prefill_tokens_per_s"], run["prefill"][0]["tokens_per_s"]["median"])
        self.assertEqual([prefill["prompt"] for prefill in run["prefill"]], [7, 20])
        for part in [run["decode"], *run["prefill"], *run["batches"]]:
            self.check_spread(part["tokens_per_s"])
        for kernel in run["kernels"]:
            self.check_spread(kernel["seconds"])
            operations = 2 * kernel["inputs"] * kernel["rows"] * kernel["cols"]
            self.assertAlmostEqual(kernel["gop_per_s"] * kernel["seconds"]["median"] * 1e9 / operations, 1)
            self.assertEqual("gb_per_s" in kernel, kernel["inputs"] == 1)

    def test_a_shape(self):
        report = self.succeed_json("bench", *TINY, "--threads", "1,2", "--batch", "1,3")
        self.assertEqual(report["model"], "tiny")
        self.assertEqual(report["machine"]["threads"], 1)
        self.assertGreater(report["machine"]["clock_mhz"], 10)
        self.assertEqual([run["threads"] for run in report["runs"]], [1, 2])
        for run in report["runs"]:
            self.check_run(run, report["ternary_parameters"])
            self.assertEqual([batch["batch"] for batch in run["batches"]], [1, 3])
            counted = sum(kernel["count"] * kernel["rows"] * kernel["cols"] for kernel in run["kernels"]
                          if kernel["inputs"] == 1)
            self.assertEqual(counted, report["ternary_parameters"])
            self.assertEqual({kernel["inputs"] for kernel in run["kernels"]}, {1, 7})
        for name in FIGURES:
            self.assertEqual(report[name], report["runs"][0][name])
        # 4 layers of 256 with 4 heads of 64, 2 for keys and values, in f16.
        self.assertEqual(report["runs"][0]["kv_bytes_per_token"], 4 * 2 * 2 * 64 * 2)
        self.assertEqual(report["runs"][0]["head_bytes"], 4096 * 256 * 2)

    def test_bytes_of_a_token(self):
        few = self.succeed_json("bench", *TINY, "--no-kernels", "--threads", 1)["runs"][0]
        more = self.succeed_json("bench", *TINY, "--no-kernels", "--threads", 1, "--depth", 101, "--kv", "f32")["runs"][0]
        norms = (4 * (3 * 256 + 704) + 256) * 4
        fixed = few["ternary_bytes"] + few["head_bytes"] + norms
        self.assertAlmostEqual(few["bytes_per_token"], fixed + (1 + 2.5) * few["kv_bytes_per_token"])
        self.assertEqual(more["kv_bytes_per_token"], 2 * few["kv_bytes_per_token"])
        self.assertAlmostEqual(more["bytes_per_token"], more["ternary_bytes"] + few["head_bytes"] + norms +
                               (101 + 2.5) * more["kv_bytes_per_token"])

    def test_layouts_and_instruction_sets(self):
        isas = self.succeed_json("devices")["devices"][0]["isas"]
        for isa, layout in [*((isa, "two_bit") for isa in isas), (isas[-1], "base3")]:
            run = self.succeed_json("bench", *TINY, "--no-kernels", "--isa", isa, "--layout", layout)["runs"][0]
            self.assertEqual((run["isa"], run["layout"]), (isa, layout))

    def test_a_model(self):
        for fixture in ("tiny-packed-bitlinear", "tied-online"):
            model = DATA / "hf" / fixture
            report = self.succeed_json("bench", model, *QUICK, "--no-kernels")
            self.assertEqual(report["model"], str(model))
            info = self.succeed_json("info", model)
            self.assertEqual(report["ternary_parameters"], info["ternary_parameters"])
            self.check_run(report["runs"][0], info["ternary_parameters"])

    def test_a_table(self):
        text = self.succeed("bench", *TINY, "--batch", 2, "--threads", 2).stdout
        for part in (r"^tiny: ", r"2 threads, ", r"reads .* GB/s, int8 peak .* GOP/s", r"ready after .* MB resident",
                     r"prefill +7 .*of the int8 peak", r"prefill +20 ", r"decode +4 .*MB a token, ",
                     r"batch +2 .* times one sequence", r"ternary +704 x 256 .*GOP/s, .* GB/s"):
            self.assertRegex(text, rf"(?m){part}")

    def test_misuse(self):
        self.refuse("bench", naming="--shape")
        self.refuse("bench", "--shape", "huge", naming="2b-4t", status=2)
        self.refuse("bench", DATA / "hf" / "tiny-online", "--shape", "tiny", naming="--shape", status=2)
        self.refuse("bench", "--shape", "tiny", "--prompt", "0", naming="--prompt", status=2)
        self.refuse("bench", "--shape", "tiny", "--kv", "f8", naming="--kv", status=2)
        self.refuse("bench", DATA / "hf" / "tiny-online", "--prompt", 100000, "--read-mb", 1, naming="window")
        self.refuse("bench", "--shape", "tiny", "--isa", "abacus", naming="abacus")


if __name__ == "__main__":
    unittest.main()
