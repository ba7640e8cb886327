#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Operations on arrays: Tern beside NumPy and PyTorch (CPU), called from Python, in one process.

Usage: arrays.py [--threads N…] [--cpus LIST] [--rows REGEX] [--sizes N…] [--rounds N] [--json FILE]

Needs the package tern (pip install ., or PYTHONPATH=build/release/python), numpy and torch. Each number of threads is a
process of its own on the first N processors of --cpus. Every result is compared with NumPy's in double precision first.
The contestants take turns, round after round, in an order that turns by one place; a round times as many calls as take
2 ms, results freed as Python frees them. Prints for each row the medians in microseconds per call and the ratio of the
faster peer to Tern (above 1: Tern is faster), taken within each round, then the geometric mean; --json keeps every sample.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

SIZES = [10**2, 10**3, 10**4, 10**5, 10**6, 10**7]
SQUARES = [32, 64, 128, 256, 512, 1024, 2048]
SAMPLE_SECONDS = 2e-3
PAUSE_SECONDS = 30e-3  # idle OpenMP workers spin for some 20 ms on the core that the next library needs


class Row:
    """`make(size)` gives {library: call of no arguments}; `tolerance` is relative to the largest value."""

    def __init__(self, name, make, tolerance, sizes=SIZES, flops=None):
        self.name, self.make, self.tolerance, self.sizes, self.flops = name, make, tolerance, sizes, flops


def rows():
    import numpy as np
    import tern
    import torch

    generator = np.random.default_rng(1)

    def three(*arrays):
        """The same arrays for each library."""
        shared = [np.ascontiguousarray(a) for a in arrays]
        return shared, [torch.from_numpy(a.copy()) for a in shared], [tern.asarray(a.copy()) for a in shared]

    def normal(*shape, dtype=np.float32):
        return generator.standard_normal(shape).astype(dtype)

    def positive(*shape):
        return generator.uniform(0.1, 3, shape).astype(np.float32)

    def call(numpy_op, torch_op, tern_op, inputs):
        def make(size):
            n, t, x = three(*inputs(size))
            return {"numpy": lambda: numpy_op(*n), "torch": lambda: torch_op(*t), "tern": lambda: tern_op(*x)}

        return make

    one = lambda size: [normal(size)]
    two = lambda size: [normal(size), normal(size)]
    single = 2.0**-22  # two float roundings of a value
    table = []

    def add(name, numpy_op, torch_op, tern_op, inputs, tolerance=single, sizes=SIZES, flops=None):
        table.append(Row(name, call(numpy_op, torch_op, tern_op, inputs), tolerance, sizes, flops))

    # Elementwise.
    add("add f32", np.add, torch.add, tern.add, two)
    add("a * 2 f32", lambda a: a * 2, lambda a: a * 2, lambda a: a * 2, one)
    add("divide f32", np.divide, torch.div, tern.divide, lambda n: [normal(n), positive(n)])
    add("maximum f32", np.maximum, torch.maximum, tern.maximum, two)
    add("abs f32", np.abs, torch.abs, tern.abs, one)
    add("sqrt f32", np.sqrt, torch.sqrt, tern.sqrt, lambda n: [positive(n)])
    add("exp f32", np.exp, torch.exp, tern.exp, one, 2.0**-20)
    add("log f32", np.log, torch.log, tern.log, lambda n: [positive(n)], 2.0**-20)
    add("sin f32", np.sin, torch.sin, tern.sin, one, 2.0**-20)
    add("tanh f32", np.tanh, torch.tanh, tern.tanh, one, 2.0**-20)
    add("pow f32", np.power, torch.pow, tern.pow, lambda n: [positive(n), normal(n)], 2.0**-18)
    add("a < b f32", np.less, torch.less, tern.less, two, 0)
    add("where f32", np.where, torch.where, tern.where, lambda n: [normal(n) > 0, normal(n), normal(n)])
    add("add i32", np.add, torch.add, tern.add,
        lambda n: [generator.integers(-9999, 9999, n).astype(np.int32) for _ in range(2)], 0)  # fmt: skip
    add("add f64", np.add, torch.add, tern.add, lambda n: [normal(n, dtype=np.float64) for _ in range(2)])
    add("exp f64", np.exp, torch.exp, tern.exp, lambda n: [normal(n, dtype=np.float64)])
    # Broadcasting.
    tall = lambda n: [normal(n // 10, 10), normal(10)]
    add("rows + row f32", np.add, torch.add, tern.add, lambda n: [normal(n // 50, 50), normal(50)])
    add("narrow rows + row f32", np.add, torch.add, tern.add, tall)
    add("rows * column f32", np.multiply, torch.mul, tern.multiply, lambda n: [normal(n // 50, 50), normal(n // 50, 1)])
    add("column + row f32", np.add, torch.add, tern.add, lambda n: [normal(n // 50, 1), normal(1, 50)])
    # Reductions.
    add("sum f32", np.sum, torch.sum, tern.sum, lambda n: [positive(n)], 2.0**-16)
    add("sum f64", np.sum, torch.sum, tern.sum, lambda n: [positive(n).astype(np.float64)])
    add("sum of each row f32", lambda a: a.sum(1), lambda a: a.sum(1), lambda a: tern.sum(a, axis=1),
        lambda n: [positive(n // 50, 50)], 2.0**-18)  # fmt: skip
    add("sum of each column f32", lambda a: a.sum(0), lambda a: a.sum(0), lambda a: tern.sum(a, axis=0),
        lambda n: [positive(n // 50, 50)], 2.0**-8)  # fmt: skip
    add("max f32", np.max, torch.max, tern.max, one, 0)
    add("argmax f32", np.argmax, torch.argmax, tern.argmax, one, 0)
    add("mean f32", np.mean, torch.mean, tern.mean, lambda n: [positive(n)], 2.0**-16)
    add("var f32", np.var, lambda a: torch.var(a, correction=0), tern.var, lambda n: [positive(n)], 2.0**-14)
    add("cumulative sum f32", np.cumsum, lambda a: torch.cumsum(a, 0), tern.cumulative_sum,
        lambda n: [positive(n)], 2.0**-8)  # fmt: skip

    # Softmax.
    def numpy_softmax(a):
        e = np.exp(a - a.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    add("softmax of rows of 50 f32", numpy_softmax, lambda a: torch.softmax(a, -1), tern.nn.softmax,
        lambda n: [normal(n // 50, 50)], 2.0**-18)  # fmt: skip
    add("softmax of one row f32", numpy_softmax, lambda a: torch.softmax(a, -1), tern.nn.softmax,
        lambda n: [normal(1, n)], 2.0**-16)  # fmt: skip

    # Conversion.
    for source, target in [("float32", "float16"), ("float16", "float32"), ("float32", "float64"), ("float64", "float32"),
                           ("float32", "int32"), ("int32", "float32"), ("float32", "int8"), ("int64", "int32")]:  # fmt: skip
        add(f"{source} to {target}", lambda a, to=getattr(np, target): a.astype(to),
            lambda a, to=getattr(torch, target): a.to(to), lambda a, to=getattr(tern, target): a.astype(to),
            lambda n, of=source: [(50 * normal(n)).clip(-100, 100).astype(of)], 2.0**-10 if "16" in target else single)  # fmt: skip

    def to_bfloat16(size):
        (a,), (t,), (x,) = three(normal(size))
        return {"torch": lambda: t.to(torch.bfloat16), "tern": lambda: x.astype(tern.bfloat16)}

    table.append(Row("float32 to bfloat16", to_bfloat16, 2.0**-8))
    # Sorting.
    whole = lambda n: [generator.integers(-(2**31), 2**31, n).astype(np.int32)]
    add("sort f32", np.sort, torch.sort, tern.sort, one, 0)
    add("sort i32", np.sort, torch.sort, tern.sort, whole, 0)
    distinct = lambda n: [generator.permutation(n).astype(np.float32)]
    add("argsort f32", np.argsort, torch.argsort, tern.argsort, distinct, 0)
    add("sort rows of 50 f32", np.sort, torch.sort, tern.sort, lambda n: [normal(n // 50, 50)], 0)
    # Products. The sizes are those of a matrix; NumPy's are OpenBLAS's, PyTorch's are MKL's.
    side = lambda n: [normal(int(n**0.5), int(n**0.5)) for _ in range(2)]
    add("matmul f32", np.matmul, torch.matmul, tern.matmul, side, 2.0**-12)

    def squares(n):
        (a, b), (t, u), (x, y) = three(normal(n, n), normal(n, n))
        v, w = t.to_mkldnn(), u.T.contiguous().to_mkldnn()
        return {"numpy": lambda: np.matmul(a, b), "torch": lambda: torch.matmul(t, u), "tern": lambda: tern.matmul(x, y),
                "oneDNN": lambda: torch.nn.functional.linear(v, w)}  # fmt: skip

    table.append(Row("square matmul f32", squares, 2.0**-12, SQUARES, lambda n: 2.0 * n**3))
    return table


def as_numpy(value):
    import numpy as np
    import torch

    if isinstance(value, tuple):
        value = value[0]
    if isinstance(value, torch.Tensor):
        value = value.to_dense() if value.is_mkldnn else value
        return value.double().numpy() if value.dtype == torch.bfloat16 else value.numpy()
    if not isinstance(value, (np.ndarray, np.generic)):
        import tern

        return np.asarray(value.astype(tern.float32) if value.dtype == tern.bfloat16 else value)
    return np.asarray(value)


def check(row, size, calls):
    import numpy as np

    results = {name: as_numpy(call()).astype(np.float64) for name, call in calls.items()}
    want = results.get("numpy", next(iter(results.values())))
    bound = row.tolerance * max(float(np.abs(want).max()), 1e-30)
    for name, got in results.items():
        if got.shape != want.shape or not float(np.abs(got - want).max()) <= bound:
            off = np.abs(got - want).max() if got.shape == want.shape else got.shape
            print(f"{row.name} of {size}, {name}: expected {want.shape} within {bound:g}, off by {off}", flush=True)
            return False
    return True


def sample(call, repetitions):
    start = time.perf_counter()
    for _ in range(repetitions):
        call()
    return (time.perf_counter() - start) / repetitions


def measure(calls, rounds, threads):
    """Seconds per call, a sample a round: {library: […]}."""
    repetitions = {}
    for name, call in calls.items():
        once = min(sample(call, 1) for _ in range(3))
        repetitions[name] = max(1, int(SAMPLE_SECONDS / once))
    samples = {name: [] for name in calls}
    order = list(calls)
    for _ in range(rounds):
        for name in order:
            time.sleep(PAUSE_SECONDS if threads > 1 else PAUSE_SECONDS / 10)
            sample(calls[name], max(1, repetitions[name] // 4))
            samples[name].append(sample(calls[name], repetitions[name]))
        order = order[1:] + order[:1]
    return samples


def contest(arguments, threads):
    """All rows in this process, which has the processors for `threads`."""
    import torch

    torch.set_num_threads(threads)
    found = []
    for row in rows():
        if not re.search(arguments.rows, row.name):
            continue
        for size in row.sizes:
            if arguments.sizes and size not in arguments.sizes:
                continue
            calls = row.make(size)
            if not check(row, size, calls):
                failed = True
                continue
            samples = measure(calls, arguments.rounds, threads)
            ratio = statistics.median(
                min(samples[peer][i] for peer in samples if peer != "tern") / samples["tern"][i]
                for i in range(arguments.rounds)
            )
            found.append({"row": row.name, "size": size, "threads": threads, "ratio": ratio, "samples": samples,
                          "flops": row.flops(size) if row.flops else None})  # fmt: skip
            print_row(found[-1])
    return found


def print_row(result):
    medians = {name: statistics.median(values) for name, values in result["samples"].items()}
    if result["flops"]:
        figures = "  ".join(f"{name} {result['flops'] / s / 1e9:8.1f}" for name, s in medians.items()) + "  GFLOP/s"
    else:
        figures = "  ".join(f"{name} {1e6 * s:10.2f}" for name, s in medians.items()) + "  us"
    print(f"{result['threads']} {result['row']:26s} {result['size']:9d}  {result['ratio']:5.2f}x  {figures}", flush=True)


def markdown(results):
    """Ratios, a line a row and a column a size; numbers of threads beside each other."""
    threads = sorted({r["threads"] for r in results})
    sizes = [s for s in SIZES if any(r["size"] == s for r in results if not r["flops"])]
    cell = {(r["row"], r["size"], r["threads"]): f"{r['ratio']:.2f}" for r in results}
    lines = ["| | " + " | ".join(f"{s:,}" for s in sizes) + " |", "|---|" + "--:|" * len(sizes)]
    for row in dict.fromkeys(r["row"] for r in results if not r["flops"]):
        cells = [" / ".join(cell.get((row, s, t), "") for t in threads) for s in sizes]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    products = [r for r in results if r["flops"]]
    if products:
        names = list(products[0]["samples"])
        lines += ["", "| GFLOP/s, threads | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]
        for r in products:
            rates = [f"{r['flops'] / statistics.median(r['samples'][n]) / 1e9:.0f}" for n in names]
            lines.append(f"| {r['size']}, {r['threads']} | " + " | ".join(rates) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--cpus", default=",".join(map(str, sorted(os.sched_getaffinity(0)))))
    parser.add_argument("--rows", default="", help="regular expression that the names of rows must match")
    parser.add_argument("--sizes", type=int, nargs="+", help="elements, or the sides of squares; all by default")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=pathlib.Path, help="writes every sample here")
    parser.add_argument("--markdown", action="store_true", help="prints the ratios as a table at the end")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # the process of one number of threads
    arguments = parser.parse_args()
    if arguments.here:
        results = contest(arguments, arguments.threads[0])
        arguments.json.write_text(json.dumps(results))
        return
    results = []
    cpus = arguments.cpus.split(",")
    part = pathlib.Path(f"arrays-{os.getpid()}.json")
    try:
        for threads in arguments.threads:
            if threads > len(cpus):
                parser.error(f"--cpus: expected at least {threads} processors, got {arguments.cpus}")
            command = ["taskset", "-c", ",".join(cpus[:threads]), sys.executable, __file__, "--here", "--threads",
                       str(threads), "--rows", arguments.rows, "--rounds", str(arguments.rounds), "--json", str(part)]  # fmt: skip
            command += ["--sizes", *map(str, arguments.sizes)] if arguments.sizes else []
            count = str(threads)
            environment = {**os.environ, "OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "MKL_NUM_THREADS": count}
            if subprocess.run(command, env=environment).returncode:
                sys.exit(1)
            results += json.loads(part.read_text())
    finally:
        part.unlink(missing_ok=True)
    ratios = [r["ratio"] for r in results]
    if ratios:
        slow = [r for r in results if r["ratio"] < 0.9]
        print(f"{len(ratios)} rows: geometric mean {statistics.geometric_mean(ratios):.2f}x, {len(slow)} below 0.90x")
        for result in sorted(slow, key=lambda r: r["ratio"]):
            print_row(result)
    if arguments.markdown:
        print(markdown(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
