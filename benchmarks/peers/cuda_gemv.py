#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One row by a ternary matrix on an NVIDIA GPU: Tern beside Microsoft's W2A8 kernel and a bf16 product of PyTorch, in one run.

Usage: cuda_gemv.py --tern BENCH_DEVICE_GEMV --microsoft GPU_FOLDER [--json FILE]

GPU_FOLDER is the folder gpu of a checkout of github.com/microsoft/BitNet, with its kernel made there as its own
bitnet_kernels/compile.sh says. Needs PyTorch with CUDA. Each side: the eight shapes of its test.py, results checked first
(the peer's against an exact integer product), weights rotated through more than the caches hold, launches recorded in a
CUDA graph, repetitions of at least 5 ms. The three take turns, twice; the better of two medians counts for each, with its least
and its greatest time.
"""
import argparse
import ctypes
import json
import pathlib
import subprocess
import sys

import torch

from cuda_timing import REPETITIONS, graph_microseconds, keep_better

SHAPES = [(2560, 2560), (3840, 2560), (13824, 2560), (2560, 6912), (3200, 3200), (4800, 3200), (3200, 10240), (20480, 3200)]
MEGABYTES = 512


def copies_of(tensor):
    count = -(-(MEGABYTES << 20) // (tensor.numel() * tensor.element_size()))
    return [tensor] + [tensor.clone() for _ in range(count - 1)]


class Microsoft:
    def __init__(self, folder):
        sys.path.insert(0, str(folder))
        from pack_weight import convert_weight_int8_to_int2

        self.pack = convert_weight_int8_to_int2
        self.library = ctypes.CDLL(str(folder / "bitnet_kernels" / "libbitnet.so"))

    def launch(self, x, packed, scale, weight_scales, y, n, k):
        pointers = [ctypes.c_void_p(t.data_ptr()) for t in (x, packed, y, scale, weight_scales)]
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        self.library.bitlinear_int8xint2(*pointers, ctypes.c_int(1), ctypes.c_int(n), ctypes.c_int(k), stream)

    def microseconds(self, n, k):
        weight = torch.randint(-1, 2, (n, k), dtype=torch.int8, device="cuda")
        x = torch.randint(-128, 127, (1, k), dtype=torch.int8, device="cuda")
        ones = torch.ones(6, dtype=torch.bfloat16, device="cuda")
        y = torch.empty((1, n), dtype=torch.bfloat16, device="cuda")
        packed = copies_of(self.pack(weight).to("cuda"))
        self.launch(x, packed[0], ones, ones, y, n, k)
        exact = (x.double() @ weight.double().T).to(torch.bfloat16)
        if not torch.equal(y, exact):
            sys.exit(f"Microsoft's kernel, {n} x {k}: expected the exact product, got another")
        return graph_microseconds(lambda: [self.launch(x, w, ones, ones, y, n, k) for w in packed], len(packed))


def bf16_microseconds(n, k):
    weights = copies_of(torch.randn(n, k, device="cuda", dtype=torch.bfloat16))
    x = torch.randn(1, k, device="cuda", dtype=torch.bfloat16)
    y = torch.empty(1, n, device="cuda", dtype=torch.bfloat16)
    return graph_microseconds(lambda: [torch.matmul(x, w.T, out=y) for w in weights], len(weights))


def tern_microseconds(program):
    shapes = ",".join(f"{n}x{k}" for n, k in SHAPES)
    command = [program, "--shapes", shapes, "--megabytes", str(MEGABYTES), "--repetitions", str(REPETITIONS), "--json"]
    out = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {(s["n"], s["k"]): {"median": s["microseconds"], "low": s["low"], "high": s["high"]} for s in out["shapes"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tern", required=True)
    parser.add_argument("--microsoft", required=True, type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    microsoft = Microsoft(arguments.microsoft)
    best = {shape: {} for shape in SHAPES}

    for _ in range(2):
        for shape, value in tern_microseconds(arguments.tern).items():
            keep_better(best[shape], "tern", value)
        for n, k in SHAPES:
            keep_better(best[n, k], "microsoft_w2a8", microsoft.microseconds(n, k))
            keep_better(best[n, k], "torch_bf16", bf16_microseconds(n, k))
    rows = [{"n": n, "k": k, **best[n, k], "ratio": best[n, k]["microsoft_w2a8"]["median"] / best[n, k]["tern"]["median"]} for n, k in SHAPES]
    print("|     N x K      | Tern us | W2A8 us | bf16 us | W2A8 / Tern |\n|---|--:|--:|--:|--:|")
    for row in rows:
        medians = " | ".join(f"{row[side]['median']:.2f}" for side in ("tern", "microsoft_w2a8", "torch_bf16"))
        print(f"| {row['n']} x {row['k']} | {medians} | {row['ratio']:.2f} |")
    if arguments.json:
        arguments.json.write_text(json.dumps({"gpu": torch.cuda.get_device_name(), "shapes": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
