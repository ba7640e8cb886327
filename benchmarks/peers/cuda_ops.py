#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small operations on an NVIDIA GPU: Tern beside PyTorch, whose f32 products are cuBLAS's (TF32 off), in one run.

Usage: cuda_ops.py --tern BENCH_DEVICE_OPS [--json FILE]

The operations are those of the program (benchmarks/device_ops.cpp). Each side checks its results against double first,
then takes two times, as the program says: in a CUDA graph of 100 of them, and of one call until the host knows that it is
done. Operands stay in the caches. The sides take turns, twice; the better of two medians counts for each. A product in
bf16 stands beside for comparison; PyTorch's quantization and BitLinear are written as a model in PyTorch has them.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

import torch

from cuda_timing import REPETITIONS, graph_seconds

RECORDED = 100
SINGLES = 300


def graph_microseconds(run):
    def launches():
        for _ in range(RECORDED):
            run()

    return 1e6 * graph_seconds(launches, RECORDED)


def single_microseconds(run):
    def seconds():
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    for _ in range(20):
        seconds()
    return 1e6 * statistics.median(seconds() for _ in range(SINGLES))


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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tern", required=True)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    rows = {}

    def keep(name, key, value):
        row = rows.setdefault(name, {"name": name})
        row[key] = min(value, row.get(key, value))

    for _ in range(2):
        command = [arguments.tern, "--json", "--repetitions", str(REPETITIONS)]
        for entry in json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["operations"]:
            name = entry["name"]
            keep(name, "tern_single", entry["single_us"]["median"])
            torch_run, bf16_run = operation(name)
            keep(name, "torch_single", single_microseconds(torch_run))
            keep(name, "torch_recorded", graph_microseconds(torch_run))
            if "recorded_us" in entry:
                keep(name, "tern_recorded", entry["recorded_us"]["median"])
            if bf16_run:
                keep(name, "torch_bf16_recorded", graph_microseconds(bf16_run))
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}; microseconds")
    print("| | Tern, recorded | PyTorch, recorded | PyTorch / Tern | bf16, recorded | Tern, single | PyTorch, single |\n|---|--:|--:|--:|--:|--:|--:|")
    for row in rows.values():
        text = lambda key: f"{row[key]:.2f}" if key in row else ""
        ratio = f"{row['torch_recorded'] / row['tern_recorded']:.2f}" if "tern_recorded" in row else ""
        cells = [text("tern_recorded"), text("torch_recorded"), ratio, text("torch_bf16_recorded"), text("tern_single"), text("torch_single")]
        print(f"| {row['name']} | {' | '.join(cells)} |")
    if arguments.json:
        arguments.json.write_text(json.dumps({"gpu": torch.cuda.get_device_name(), "operations": list(rows.values())}, indent=2) + "\n")


if __name__ == "__main__":
    main()
