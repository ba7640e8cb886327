#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small operations on an NVIDIA GPU: Tern beside PyTorch, whose f32 products are cuBLAS's (TF32 off), in one run.

Usage: cuda_ops.py --tern BENCH_DEVICE_OPS [--arrays] [--json FILE]

The operations are those of the program (benchmarks/device_ops.cpp). Each side checks its results against double first,
then takes two times, as the program says: in a CUDA graph of 100 of them, or of as many as take 20 ms but at least 4, and of
one call until the host knows that it is done. Operands stay in the caches that they fit in. The sides take turns, twice; the
better of two medians counts for each, with its least and its greatest time (of single calls without the outer
twentieths). A product in bf16 stands beside for comparison; PyTorch's quantization and BitLinear
are written as a model in PyTorch has them.

--arrays: operations on arrays instead (benchmarks/device_array_ops.cpp, cuda_array_ops.py), the sides once each. What Tern
cannot record, since the host waits in it, is not recorded of PyTorch either.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import time

import torch

from cuda_array_ops import array_operation
from cuda_timing import REPETITIONS, graph_microseconds, keep_better, spread

FEWEST_RECORDED, MOST_RECORDED, RECORDING_MICROSECONDS = 4, 100, 2e4
FEWEST_SINGLES, MOST_SINGLES, SINGLES_SECONDS = 8, 300, 0.3


def recorded_microseconds(run, once):
    """Of one operation that takes `once` when it is called alone."""
    count = int(min(max(RECORDING_MICROSECONDS / once["median"], FEWEST_RECORDED), MOST_RECORDED))

    def launches():
        for _ in range(count):
            run()

    return graph_microseconds(launches, count)


def single_microseconds(run):
    def seconds():
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    seconds()
    calls = int(min(max(SINGLES_SECONDS / seconds(), FEWEST_SINGLES), MOST_SINGLES))
    for _ in range(calls // 15):
        seconds()
    times = sorted(1e6 * seconds() for _ in range(calls))
    return spread(times[calls // 20 : calls - calls // 20])


def near(name, got, want, tolerance):
    error = ((got.double() - want).norm() / want.norm()).item()
    if not error <= tolerance:
        sys.exit(f"PyTorch's {name}: expected a relative error of at most {tolerance}, got {error}")


def product(m, k, n, dtype):
    a, b = torch.randn(m, k, device="cuda", dtype=dtype), torch.randn(k, n, device="cuda", dtype=dtype)
    c = torch.empty(m, n, device="cuda", dtype=dtype)
    run = lambda: torch.matmul(a, b, out=c)
    run()
    near(f"product {m} x {k} x {n}", c, a.double() @ b.double(), 1e-2 if dtype == torch.bfloat16 else 1e-5)
    return run


def codes_of(w, inverse):
    return (w * inverse).round_().clamp_(-1, 1).to(torch.int8)


def quantize(w):
    scale = w.abs().mean().clamp(min=1e-5)
    return codes_of(w, 1 / scale), scale


def quantization(rows, columns, codes_alone):
    w = torch.randn(rows, columns, device="cuda")
    inverse = 1 / quantize(w)[1]
    return (lambda: codes_of(w, inverse)) if codes_alone else (lambda: quantize(w))


def bit_linear(rows, k, n):
    """Quantized activations and ternary weights in f32, as fake quantization multiplies them."""
    x, w = torch.randn(rows, k, device="cuda"), torch.randn(n, k, device="cuda")
    codes, scale = quantize(w)
    weight = (codes.float() * scale).contiguous()

    def run():
        s = 127 / x.abs().amax(-1, keepdim=True).clamp(min=1e-5)
        return torch.nn.functional.linear((x * s).round().clamp(-128, 127) / s, weight)

    s = 127 / x.double().abs().amax(-1, keepdim=True)
    near("BitLinear", run(), (x.double() * s).round() / s @ weight.double().T, 1e-3)
    return run


def operation(name):
    """The same of PyTorch, and a second yardstick or none."""
    numbers = [int(number) for number in re.findall(r"\d+", name)]
    if name.startswith("matmul"):
        return product(*numbers, torch.float32), product(*numbers, torch.bfloat16)
    if name.startswith("quantize"):
        return quantization(*numbers, name.endswith("codes")), None
    if name.startswith("BitLinear"):
        return bit_linear(*numbers), None
    sys.exit(f"expected an operation that this script knows, got {name}")


SMALL_COLUMNS = ["tern_recorded", "torch_recorded", "recorded_ratio", "torch_bf16_recorded", "tern_single", "torch_single"]
ARRAY_COLUMNS = ["tern_recorded", "torch_recorded", "recorded_ratio", "tern_single", "torch_single", "single_ratio"]
TITLES = {
    "tern_recorded": "Tern, recorded",
    "torch_recorded": "PyTorch, recorded",
    "torch_bf16_recorded": "bf16, recorded",
    "tern_single": "Tern, single",
    "torch_single": "PyTorch, single",
    "recorded_ratio": "PyTorch / Tern",
    "single_ratio": "PyTorch / Tern",
}


def cell(figure):
    if isinstance(figure, float):
        return f"{figure:.2f}"
    return f"{figure['median']:.2f} ({figure['low']:.2f}-{figure['high']:.2f})"


def print_table(columns, rows):
    print(f"| | {' | '.join(TITLES[column] for column in columns)} |\n|---|{'--:|' * len(columns)}")
    for row in rows:
        cells = dict(row)
        for kind in ("recorded", "single"):
            if f"tern_{kind}" in row and f"torch_{kind}" in row:
                cells[f"{kind}_ratio"] = row[f"torch_{kind}"]["median"] / row[f"tern_{kind}"]["median"]
        print(f"| {row['name']} | {' | '.join(cell(cells[column]) if column in cells else '' for column in columns)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tern", required=True)
    parser.add_argument("--arrays", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    rows = {}

    def keep(name, key, value):
        keep_better(rows.setdefault(name, {"name": name}), key, value)

    command = [arguments.tern, "--json", "--repetitions", str(REPETITIONS)] + ["--arrays"] * arguments.arrays
    for _ in range(1 if arguments.arrays else 2):
        for entry in json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)["operations"]:
            name = entry["name"]
            keep(name, "tern_single", entry["single_us"])
            if "recorded_us" in entry:
                keep(name, "tern_recorded", entry["recorded_us"])
            torch_run, bf16_run = (array_operation(name), None) if arguments.arrays else operation(name)
            if torch_run:
                once = single_microseconds(torch_run)
                keep(name, "torch_single", once)
                if "recorded_us" in entry or not arguments.arrays:
                    keep(name, "torch_recorded", recorded_microseconds(torch_run, once))
            if bf16_run:
                keep(name, "torch_bf16_recorded", recorded_microseconds(bf16_run, single_microseconds(bf16_run)))
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}; microseconds")
    print_table(ARRAY_COLUMNS if arguments.arrays else SMALL_COLUMNS, rows.values())
    if arguments.json:
        arguments.json.write_text(json.dumps({"gpu": torch.cuda.get_device_name(), "operations": list(rows.values())}, indent=2) + "\n")


if __name__ == "__main__":
    main()
