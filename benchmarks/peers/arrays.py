#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Operations on arrays: Tern beside NumPy and PyTorch (CPU), called from Python, processes of its own for each library.

Usage: arrays.py [--threads N…] [--cpus LIST] [--rows REGEX] [--sizes N…] [--processes N] [--rounds N] [--peak PROGRAM]
                 [--markdown] [--json FILE]
       arrays.py --read FILE… [--markdown] [--json FILE]

Needs the package tern (pip install ., or PYTHONPATH=build/release/python), numpy and torch. For each number of threads
the libraries' processes start once, on the first N processors of --cpus, and do what they are asked in turn. All but
the one that is asked are stopped (SIGSTOP): threads of OpenMP and OpenBLAS spin for a while after their work, on the
core that the next library needs. Each library has --processes of them, which take turns from round to round: the pages
that a process gets decide what meets in the caches, by up to a fifth, and stay as they are. Every result is compared
with NumPy's in double precision first. The order within a round turns by one place; a round times as many calls as take
2 ms, after a quarter as many to warm up (with several threads 10 ms), results freed as Python frees them. Prints for
each row the medians in microseconds per call and the ratio of the faster peer to Tern (above 1: Tern is faster), taken
within each round, then the geometric mean. Products of squares are in GFLOP/s, and with --peak
(build/release/benchmarks/bench_peak) beside the multiply-adds that the processor reaches in the same round. --json
keeps every sample; --read prints what several such files hold together.
"""
import argparse
import ctypes
import functools
import json
import multiprocessing
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zlib

LIBRARIES = ["numpy", "torch", "tern"]
SIZES = [10**2, 10**3, 10**4, 10**5, 10**6, 10**7]
SQUARES = [32, 64, 128, 256, 512, 1024, 2048]
SAMPLE_SECONDS = 2e-3
# Threads that have been stopped together may wake on one core; the system moves them at one of its ticks, 4 ms apart.
THREADS_WARM_SECONDS = 10e-3


class Row:
    """`make(size)` gives {contestant: call of no arguments}; `tolerance` is relative to the largest value; `flops` is a
    function of the size, of products only."""

    def __init__(self, name, make, tolerance, sizes=SIZES, flops=None):
        self.name, self.make, self.tolerance, self.sizes, self.flops = name, make, tolerance, sizes, flops


def rows(library):
    """The table, with the calls of one library, which alone is imported beside NumPy."""
    import numpy as np

    xp = __import__(library)
    generator = None

    def arrays_of(inputs, name, size):
        """The row's arrays as the library's: the same in every process."""
        nonlocal generator
        generator = np.random.default_rng([zlib.crc32(name.encode()), size])
        return [own(np.ascontiguousarray(a)) for a in inputs(size)]

    own = {"numpy": lambda a: a, "torch": lambda a: xp.from_numpy(a), "tern": lambda a: xp.asarray(a)}[library]

    def normal(*shape, dtype=np.float32):
        return generator.standard_normal(shape).astype(dtype)

    def positive(*shape):
        return generator.uniform(0.1, 3, shape).astype(np.float32)

    one = lambda size: [normal(size)]
    two = lambda size: [normal(size), normal(size)]
    single = 2.0**-22  # two float roundings of a value
    table = []

    def add(name, operation, inputs, tolerance=single, sizes=SIZES, **others):
        """`operation(xp)` is the function that is called; `others` are those of libraries that name it differently."""
        made = others.get(library, operation)

        def make(size):
            return {library: functools.partial(made(xp), *arrays_of(inputs, name, size))} if made else {}

        table.append(Row(name, make, tolerance, sizes))

    # Elementwise.
    add("add f32", lambda xp: xp.add, two)
    add("a * 2 f32", lambda xp: lambda a: a * 2, one)
    add("divide f32", lambda xp: xp.divide, lambda n: [normal(n), positive(n)], torch=lambda xp: xp.div)
    add("maximum f32", lambda xp: xp.maximum, two)
    for name in ["abs", "sqrt"]:
        add(f"{name} f32", lambda xp, name=name: getattr(xp, name), one if name == "abs" else lambda n: [positive(n)])
    for name in ["exp", "log", "sin", "tanh"]:
        inputs = (lambda n: [positive(n)]) if name == "log" else one
        add(f"{name} f32", lambda xp, name=name: getattr(xp, name), inputs, 2.0**-20)
    add("pow f32", lambda xp: xp.pow, lambda n: [positive(n), normal(n)], 2.0**-18, numpy=lambda xp: xp.power)
    add("a < b f32", lambda xp: xp.less, two, 0)
    add("where f32", lambda xp: xp.where, lambda n: [normal(n) > 0, normal(n), normal(n)])
    add("add i32", lambda xp: xp.add,
        lambda n: [generator.integers(-9999, 9999, n).astype(np.int32) for _ in range(2)], 0)  # fmt: skip
    add("add f64", lambda xp: xp.add, lambda n: [normal(n, dtype=np.float64) for _ in range(2)])
    add("exp f64", lambda xp: xp.exp, lambda n: [normal(n, dtype=np.float64)])
    # Broadcasting.
    multiply = {"operation": lambda xp: xp.multiply, "torch": lambda xp: xp.mul}
    add("rows + row f32", lambda xp: xp.add, lambda n: [normal(n // 50, 50), normal(50)])
    add("narrow rows + row f32", lambda xp: xp.add, lambda n: [normal(n // 10, 10), normal(10)])
    add("rows * column f32", inputs=lambda n: [normal(n // 50, 50), normal(n // 50, 1)], **multiply)
    add("column + row f32", lambda xp: xp.add, lambda n: [normal(n // 50, 1), normal(1, 50)])
    # Reductions.
    add("sum f32", lambda xp: xp.sum, lambda n: [positive(n)], 2.0**-16)
    add("sum f64", lambda xp: xp.sum, lambda n: [positive(n).astype(np.float64)])
    table_of_rows = lambda n: [positive(n // 50, 50)]
    add("sum of each row f32", lambda xp: lambda a: a.sum(1), table_of_rows, 2.0**-18,
        tern=lambda xp: lambda a: xp.sum(a, axis=1))  # fmt: skip
    add("sum of each column f32", lambda xp: lambda a: a.sum(0), table_of_rows, 2.0**-8,
        tern=lambda xp: lambda a: xp.sum(a, axis=0))  # fmt: skip
    add("max f32", lambda xp: xp.max, one, 0)
    add("argmax f32", lambda xp: xp.argmax, one, 0)
    add("mean f32", lambda xp: xp.mean, lambda n: [positive(n)], 2.0**-16)
    add("var f32", lambda xp: xp.var, lambda n: [positive(n)], 2.0**-14,
        torch=lambda xp: lambda a: xp.var(a, correction=0))  # fmt: skip
    add("cumulative sum f32", lambda xp: xp.cumulative_sum, lambda n: [positive(n)], 2.0**-8,
        numpy=lambda xp: xp.cumsum, torch=lambda xp: lambda a: xp.cumsum(a, 0))  # fmt: skip

    # Softmax.
    def numpy_softmax(a):
        e = np.exp(a - a.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    softmax = {"operation": lambda xp: numpy_softmax, "torch": lambda xp: lambda a: xp.softmax(a, -1),
               "tern": lambda xp: xp.nn.softmax}  # fmt: skip
    add("softmax of rows of 50 f32", inputs=lambda n: [normal(n // 50, 50)], tolerance=2.0**-18, **softmax)
    add("softmax of one row f32", inputs=lambda n: [normal(1, n)], tolerance=2.0**-16, **softmax)
    # Conversion.
    for source, target in [("float32", "float16"), ("float16", "float32"), ("float32", "float64"), ("float64", "float32"),
                           ("float32", "int32"), ("int32", "float32"), ("float32", "int8"), ("int64", "int32")]:  # fmt: skip
        add(f"{source} to {target}", lambda xp, to=target: lambda a, to=getattr(xp, to): a.astype(to),
            lambda n, of=source: [(50 * normal(n)).clip(-100, 100).astype(of)], 2.0**-10 if "16" in target else single,
            torch=lambda xp, to=target: lambda a, to=getattr(xp, to): a.to(to))  # fmt: skip
    add("float32 to bfloat16", lambda xp: lambda a: a.astype(xp.bfloat16), one, 2.0**-8, numpy=None,
        torch=lambda xp: lambda a: a.to(xp.bfloat16))  # fmt: skip
    # Sorting.
    add("sort f32", lambda xp: xp.sort, one, 0)
    add("sort i32", lambda xp: xp.sort, lambda n: [generator.integers(-(2**31), 2**31, n).astype(np.int32)], 0)
    add("argsort f32", lambda xp: xp.argsort, lambda n: [generator.permutation(n).astype(np.float32)], 0)
    add("sort rows of 50 f32", lambda xp: xp.sort, lambda n: [normal(n // 50, 50)], 0)
    # Products. The sizes are those of a matrix; NumPy's are OpenBLAS's, PyTorch's are MKL's.
    side = lambda n: [normal(int(n**0.5), int(n**0.5)) for _ in range(2)]
    add("matmul f32", lambda xp: xp.matmul, side, 2.0**-12)

    def squares(n):
        a, b = arrays_of(lambda n: [normal(n, n), normal(n, n)], "square matmul f32", n)
        calls = {library: functools.partial(xp.matmul, a, b)}
        if library == "torch":
            calls["oneDNN"] = functools.partial(xp.nn.functional.linear, a.to_mkldnn(), b.T.contiguous().to_mkldnn())
        return calls

    table.append(Row("square matmul f32", squares, 2.0**-12, SQUARES, lambda n: 2.0 * n**3))
    return table


# ---------------------------------------------------------------- a library's process


def as_numpy(library, value):
    """A result in double precision."""
    import numpy as np

    if isinstance(value, tuple):
        value = value[0]
    if library == "torch":
        value = (value.to_dense() if value.is_mkldnn else value).double().numpy()
    if library == "tern":
        import tern

        value = value.astype(tern.float32) if value.dtype == tern.bfloat16 else value
    return np.asarray(value).astype(np.float64)


def sample(call, repetitions):
    start = time.perf_counter()
    for _ in range(repetitions):
        call()
    return (time.perf_counter() - start) / repetitions


class Contestants:
    """The calls of a library for one row and size; what the parent may ask for is each method of its name."""

    def __init__(self, library, warm_seconds):
        self.library, self.table, self.warm_seconds = library, rows(library), warm_seconds
        self.calls, self.repetitions = {}, {}

    def sizes(self):
        """(name, {size: its floating point operations, of products only}) of each row."""
        return [(row.name, {size: row.flops and row.flops(size) for size in row.sizes}) for row in self.table]

    def make(self, row, size):
        """The names of those who take part."""
        self.calls = {}  # the last ones' arrays are freed first
        self.calls = self.table[row].make(size)
        return list(self.calls)

    def keep(self, name, path):
        import numpy as np

        np.save(path, as_numpy(self.library, self.calls[name]()))

    def compare(self, name, row, size, path):
        """What is wrong with the result beside the one that is kept, or None."""
        import numpy as np

        want, got = np.load(path), as_numpy(self.library, self.calls[name]())
        what = f"{self.table[row].name} of {size}, {name}"
        if got.shape != want.shape:
            return f"{what}: expected the shape {want.shape}, got {got.shape}"
        bound = self.table[row].tolerance * max(float(np.abs(want).max()), 1e-30)
        off = float(np.abs(got - want).max())
        return None if off <= bound else f"{what}: expected within {bound:g}, off by {off:g}"

    def calibrate(self, name):
        once = min(sample(self.calls[name], 1) for _ in range(3))
        self.repetitions[name] = max(1, int(SAMPLE_SECONDS / once))

    def sample(self, name):
        """Seconds of a call."""
        warm = time.perf_counter() + self.warm_seconds
        while True:
            sample(self.calls[name], max(1, self.repetitions[name] // 4))
            if time.perf_counter() >= warm:
                break
        return sample(self.calls[name], self.repetitions[name])


def serve(pipe, library, threads, cpus):
    """Answers what comes through the pipe until it closes, with the processors and threads of the contest."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a stopped process would outlive its parent
    os.sched_setaffinity(0, cpus)
    if library == "torch":
        import torch

        torch.set_num_threads(threads)
    contestants = Contestants(library, THREADS_WARM_SECONDS if threads > 1 else 0)
    pipe.send(None)
    while True:
        try:
            method, *arguments = pipe.recv()
        except EOFError:
            return
        pipe.send(getattr(contestants, method)(*arguments))


# ---------------------------------------------------------------- the contest


class Worker:
    """A library's process, stopped but while it answers."""

    def __init__(self, library, threads, cpus):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, library, threads, cpus), daemon=True)
        self.process.start()
        theirs.close()
        self.answer()

    def answer(self):
        answer = self.pipe.recv()
        os.kill(self.process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)  # until all of its threads are
        return answer

    def ask(self, *message):
        os.kill(self.process.pid, signal.SIGCONT)
        self.pipe.send(message)
        return self.answer()


class Contest:
    """All libraries with `threads` threads each, on the processors `cpus`, `processes` times."""

    def __init__(self, threads, cpus, processes, peak):
        count = str(threads)
        os.environ |= {"OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "MKL_NUM_THREADS": count}
        self.threads, self.cpus, self.peak = threads, cpus, peak
        self.sets = [{library: Worker(library, threads, cpus) for library in LIBRARIES} for _ in range(processes)]

    def close(self):
        for workers in self.sets:
            for worker in workers.values():
                worker.process.kill()

    def sizes(self):
        return self.sets[0]["numpy"].ask("sizes")

    def enter(self, row, size):
        """For each set of processes {contestant: its worker}, NumPy's first."""
        return [{name: worker for worker in workers.values() for name in worker.ask("make", row, size)}
                for workers in self.sets]  # fmt: skip

    def agree(self, entered, row, size):
        """Compares results with the first one's; prints those that are off."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "want.npy")
            first, *others = entered
            entered[first].ask("keep", first, path)
            wrong = [entered[name].ask("compare", name, row, size, path) for name in others]
        for text in filter(None, wrong):
            print(text, flush=True)
        return not any(wrong)

    def measure(self, entered, rounds, with_peak):
        """A sample a round, seconds: {contestant: […]}; and GFLOP/s that the processor reaches."""
        for workers in entered:
            for name, worker in workers.items():
                worker.ask("calibrate", name)
        order = list(entered[0])
        samples = {name: [] for name in order}
        peaks = []
        for i in range(rounds):
            workers = entered[i % len(entered)]
            for name in order:
                samples[name].append(workers[name].ask("sample", name))
            if workers is entered[-1]:
                order = order[1:] + order[:1]
            if with_peak and self.peak:
                command = [self.peak, "--threads", str(self.threads)]
                peaks.append(float(subprocess.check_output(["taskset", "-c", ",".join(map(str, self.cpus)), *command])))
        return samples, peaks

    def result(self, row, name, size, flops, rounds):
        """None where results disagree."""
        entered = self.enter(row, size)
        if not all(self.agree(workers, row, size) for workers in entered):
            return None
        samples, peaks = self.measure(entered, rounds, flops is not None)
        peers = [peer for peer in samples if peer != "tern"]
        ratios = [min(samples[peer][i] for peer in peers) / samples["tern"][i] for i in range(rounds)]
        return {"row": name, "size": size, "threads": self.threads, "ratio": statistics.median(ratios),
                "samples": samples, "flops": flops, "peaks": peaks}  # fmt: skip


def contest(arguments, threads, cpus):
    """Results of the rows that were asked for, and whether all agree."""
    held = Contest(threads, cpus, arguments.processes, arguments.peak)
    found, agree = [], True
    try:
        for row, (name, sizes) in enumerate(held.sizes()):
            if not re.search(arguments.rows, name):
                continue
            for size, flops in sizes.items():
                if arguments.sizes and size not in arguments.sizes:
                    continue
                result = held.result(row, name, size, flops, arguments.rounds)
                if result:
                    found.append(result)
                    print_row(result)
                else:
                    agree = False
    finally:
        held.close()
    return found, agree


# ---------------------------------------------------------------- what is printed


def rate(result, name):
    """GFLOP/s."""
    return result["flops"] / statistics.median(result["samples"][name]) / 1e9


def share(result):
    """Tern's part of the peak, or nothing."""
    return f"{rate(result, 'tern') / statistics.median(result['peaks']):.0%}" if result["peaks"] else ""


def print_row(result):
    if result["flops"]:
        figures = "  ".join(f"{name} {rate(result, name):8.1f}" for name in result["samples"])
        figures += f"  GFLOP/s {share(result)}"
    else:
        medians = {name: statistics.median(values) for name, values in result["samples"].items()}
        figures = "  ".join(f"{name} {1e6 * s:10.2f}" for name, s in medians.items()) + "  us"
    print(f"{result['threads']} {result['row']:26s} {result['size']:9d}  {result['ratio']:5.2f}x  {figures}", flush=True)


def print_summary(results):
    ratios = [r["ratio"] for r in results]
    slow = [r for r in results if r["ratio"] < 0.9]
    print(f"{len(ratios)} rows: geometric mean {statistics.geometric_mean(ratios):.2f}x, {len(slow)} below 0.90x")
    for result in sorted(slow, key=lambda r: r["ratio"]):
        print_row(result)


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
        heads = ["GFLOP/s, threads", *names, "peak", "Tern's share of it"]
        lines += ["", "| " + " | ".join(heads) + " |", "|---|" + "--:|" * (len(heads) - 1)]
        for r in products:
            peak = f"{statistics.median(r['peaks']):.0f}" if r["peaks"] else ""
            cells = [f"{rate(r, name):.0f}" for name in names] + [peak, share(r)]
            lines.append(f"| {r['size']}, {r['threads']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--cpus", default=",".join(map(str, sorted(os.sched_getaffinity(0)))))
    parser.add_argument("--rows", default="", help="regular expression that the names of rows must match")
    parser.add_argument("--sizes", type=int, nargs="+", help="elements, or the sides of squares; all by default")
    parser.add_argument("--processes", type=int, default=3, help="of each library; rounds go through them in turn")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--peak", help="the program bench_peak, to be run beside products of squares")
    parser.add_argument("--json", type=pathlib.Path, help="writes every sample here")
    parser.add_argument("--markdown", action="store_true", help="prints the ratios as a table at the end")
    parser.add_argument("--read", type=pathlib.Path, nargs="+", help="prints these results instead of measuring")
    arguments = parser.parse_args()
    cpus = [int(cpu) for cpu in arguments.cpus.split(",")]
    results, agree = [], True
    if arguments.read:
        results = [result for path in arguments.read for result in json.loads(path.read_text())]
    else:
        for threads in arguments.threads:
            if threads > len(cpus):
                parser.error(f"--cpus: expected at least {threads} processors, got {arguments.cpus}")
            found, all_agree = contest(arguments, threads, cpus[:threads])
            results, agree = results + found, agree and all_agree
    if results:
        print_summary(results)
    if arguments.markdown:
        print(markdown(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(not agree)


if __name__ == "__main__":
    main()
