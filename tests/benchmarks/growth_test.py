# SPDX-License-Identifier: Apache-2.0
"""benchmarks/growth.py on figures of a list."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

GROWTH = pathlib.Path(os.environ["TERN_SOURCE"]) / "benchmarks" / "growth.py"


def rate(median):
    return {"median": median, "low": median * 0.9, "high": median * 1.1}


def run_of(threads, batches):
    return {
        "threads": threads,
        "prefill": [{"prompt": n, "tokens_per_s": rate(100 * threads), "peak_share": 0.5} for n in (128, 8192)],
        "batches": [{"batch": n, "tokens_per_s": rate(10 * n), "speedup": n} for n in batches],
    }


class Growth(unittest.TestCase):
    def growth(self, runs):
        with tempfile.TemporaryDirectory() as folder:
            figures, plot = pathlib.Path(folder) / "bench.json", pathlib.Path(folder) / "plot.svg"
            figures.write_text(json.dumps({"runs": runs}))
            done = subprocess.run([sys.executable, GROWTH, figures, plot], capture_output=True, text=True, check=True)
            return done.stdout, xml.etree.ElementTree.parse(plot).getroot()

    def test_tables_and_plot_hold_every_figure(self):
        text, plot = self.growth([run_of(1, [1, 16]), run_of(2, [1, 16])])
        self.assertIn("| 2 | 8192 | 40.96 | 200.0 (180.0 to 220.0) | 50 % |", text)
        self.assertIn("| 1 | 16 | 160.0 (144.0 to 176.0) | 16.00 |", text)
        circles = plot.findall("{http://www.w3.org/2000/svg}circle")
        self.assertEqual(len(circles), 8)
        width, height = map(float, plot.attrib["viewBox"].split()[2:])
        for circle in circles:
            self.assertTrue(0 < float(circle.attrib["cx"]) < width and 0 < float(circle.attrib["cy"]) < height)

    def test_without_batches_there_is_one_panel(self):
        text, plot = self.growth([run_of(1, [])])
        self.assertNotIn("sequences", text)
        self.assertEqual(len(plot.findall("{http://www.w3.org/2000/svg}polyline")), 1)


if __name__ == "__main__":
    unittest.main()
