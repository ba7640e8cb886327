#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Tern and other programs side by side on the same work, one after the other, round after round.

Usage: compare.py --peer NAME LLAMA_BENCH MODEL [ARGUMENTS] [--peer …] [--tern PATH] [--threads N…] [--cpus LIST]

A peer is a `llama-bench` program of its own tree, one model file, and further arguments for it as one word
("-fa 1"). Each round runs every contestant once with each number of threads, in an order that the next round turns by
one place; rounds of warm-up are not counted. N threads run on the first N processors of --cpus, each bound to its own.
Prints a Markdown table of medians with (lowest-highest); --json adds every sample.
The ratio of Tern to the fastest peer is taken within each round, so what slows a whole round cancels.
"""

import argparse
import json
import os
import pathlib
import platform
import resource
import shlex
import statistics
import subprocess
import sys
import time

MEASURES = {"prefill_tokens_per_s": "prefill", "decode_tokens_per_s": "decode"}
TERN = "Tern"
# bitnet.cpp keeps a whole batch of a matrix's results on each thread's stack.
STACK_BYTES = 512 << 20


class Failure(Exception):
    """A contestant did not run or did not print what was expected."""


class Contestant:
    """`command(threads)` is what to run, `read(document)` finds MEASURES in the JSON that it prints."""

    def __init__(self, name, command, read):
        self.name, self.command, self.read = name, command, read
        self.samples = {}  # threads: [{measure: tokens/s}, …], one a round

    def run(self, threads, cpus, timeout):
        """One process; adds nothing to `samples`."""
        command = ["taskset", "-c", ",".join(map(str, cpus[:threads])), *self.command(threads)]
        # What the OpenMP programs need to keep one thread on each processor; the others ignore it.
        environment = {**os.environ, "OMP_PROC_BIND": "true", "OMP_PLACES": "threads", "OMP_NUM_THREADS": str(threads)}
        try:
            result = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                env=environment,
                preexec_fn=widen_stack,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failure(f"{self.name}: {error}") from error
        if result.returncode != 0:
            last = "\n".join(result.stderr.splitlines()[-5:])
            raise Failure(f"{self.name}: exit status {result.returncode} of {shlex.join(command)}\n{last}")
        try:
            found = self.read(first_json(result.stdout))
            figures = {measure: float(found[measure]) for measure in MEASURES}
        except (KeyError, TypeError, ValueError) as error:
            raise Failure(
                f"{self.name}: expected JSON with {', '.join(MEASURES)}, got {error!r} from {shlex.join(command)}"
            ) from error
        if not all(0 < value < float("inf") for value in figures.values()):
            raise Failure(f"{self.name}: expected figures above 0, got {figures} from {shlex.join(command)}")
        return figures


def widen_stack():
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    soft = STACK_BYTES if hard == resource.RLIM_INFINITY else min(STACK_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))


def first_json(output):
    """The first line on that begins a JSON object or array; programs print notes around it."""
    lines = output.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.lstrip().startswith(("{", "[")):
            try:
                return json.JSONDecoder().raw_decode("".join(lines[number:]).lstrip())[0]
            except ValueError:
                continue
    raise ValueError("no JSON")


def llama_bench_figures(entries):
    """From llama-bench's array of tests: the one with a prompt alone and the one with generated tokens alone."""
    found = {}
    for entry in entries:
        if entry["n_prompt"] > 0 and entry["n_gen"] == 0:
            found["prefill_tokens_per_s"] = entry["avg_ts"]
        if entry["n_prompt"] == 0 and entry["n_gen"] > 0:
            found["decode_tokens_per_s"] = entry["avg_ts"]
    return found


def peer(name, program, model, extra, prompt, decode):
    def command(threads):
        return [
            program,
            "-m",
            model,
            "-t",
            str(threads),
            "-p",
            str(prompt),
            "-n",
            str(decode),
            "-r",
            "1",
            "-o",
            "json",
            *extra,
        ]

    return Contestant(name, command, llama_bench_figures)


def tern(program, shape, extra, prompt, decode):
    def command(threads):
        return [
            program,
            "bench",
            "--shape",
            shape,
            "--json",
            "--threads",
            str(threads),
            "--prompt",
            str(prompt),
            "--decode",
            str(decode),
            *extra,
        ]

    return Contestant(TERN, command, lambda document: document)


def measure(contestants, arguments):
    """Fills every contestant's samples."""
    start = time.monotonic()
    for turn in range(arguments.warm_up + arguments.repetitions):
        counted = turn >= arguments.warm_up
        if turn > arguments.warm_up and time.monotonic() - start > arguments.seconds:
            break
        shift = turn % len(contestants)
        for threads in arguments.threads:
            for contestant in contestants[shift:] + contestants[:shift]:
                figures = contestant.run(threads, arguments.cpus, arguments.timeout)
                if counted:
                    contestant.samples.setdefault(threads, []).append(figures)
                if not arguments.quiet:
                    label = f"round {turn - arguments.warm_up + 1}" if counted else "warm-up"
                    values = ", ".join(f"{title} {figures[name]:.1f}" for name, title in MEASURES.items())
                    print(f"{label}: {contestant.name}, {threads} threads: {values}", file=sys.stderr)


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "samples": values}


def summaries(contestants, threads):
    return {
        contestant.name: {
            count: {name: spread([sample[name] for sample in contestant.samples[count]]) for name in MEASURES}
            for count in threads
        }
        for contestant in contestants
    }


def ratios(results, threads):
    """Tern over the peer with the highest median, per measure and number of threads; a sample is a round's pair."""
    found = {}
    for count in threads:
        found[count] = {}
        for name in MEASURES:
            peers = {who: result[count][name] for who, result in results.items() if who != TERN}
            fastest = max(peers, key=lambda who: peers[who]["median"])
            pairs = zip(results[TERN][count][name]["samples"], peers[fastest]["samples"])
            found[count][name] = {"peer": fastest, **spread([ours / theirs for ours, theirs in pairs])}
    return found


def table(results, ratio, threads):
    columns = [(count, name) for count in threads for name in MEASURES]
    lines = [
        "| tokens/s | "
        + " | ".join(f"{MEASURES[name]}, {count} thread{'s' * (count > 1)}" for count, name in columns)
        + " |",
        "|---|" + "--:|" * len(columns),
    ]

    def row(title, cells):
        lines.append(f"| {title} | " + " | ".join(cells) + " |")

    for who, result in results.items():
        cells = [result[count][name] for count, name in columns]
        row(who, [f"{cell['median']:.1f} ({cell['low']:.1f}-{cell['high']:.1f})" for cell in cells])
    if ratio:
        cells = [ratio[count][name] for count, name in columns]
        row(
            "Tern / fastest peer",
            [f"**{cell['median']:.2f}** ({cell['low']:.2f}-{cell['high']:.2f}), {cell['peer']}" for cell in cells],
        )
    return "\n".join(lines)


def machine(cpus):
    name = platform.processor()
    try:
        info = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
        name = next(line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {"processor": name, "cpus": cpus, "kernel": platform.release(), "load_before": os.getloadavg()[0]}


def cpu_list(value):
    """1,4-6 means 1, 4, 5 and 6."""
    cpus = []
    for part in value.split(","):
        first, _, last = part.partition("-")
        cpus.extend(range(int(first), int(last or first) + 1))
    return cpus


def parsed(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--peer",
        nargs="+",
        action="append",
        default=[],
        metavar="WORD",
        help="name, llama-bench program, model file, and its further arguments as one word",
    )
    parser.add_argument("--tern", metavar="PATH", help="the tern program")
    parser.add_argument(
        "--tern-arguments", default="", metavar="TEXT", help="further arguments of tern bench, as one word"
    )
    parser.add_argument(
        "--shape", default="2b-4t", help="Tern's shape, the one that the peers' models have (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--cpus", type=cpu_list, help="processors to run on, like 0-3,8 (default: those that this process may use)"
    )
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=1, help="rounds that are not counted (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="begin no further round after this long (default: no limit)"
    )
    parser.add_argument("--timeout", type=float, default=600, help="seconds for one process (default: %(default)s)")
    parser.add_argument(
        "--json", metavar="FILE", help="write settings, samples and ratios to FILE, or - for standard output"
    )
    parser.add_argument("--quiet", action="store_true", help="no line for each run")
    arguments = parser.parse_args(argv)
    arguments.cpus = arguments.cpus or sorted(os.sched_getaffinity(0))
    if not arguments.peer and not arguments.tern:
        parser.error("expected --tern or at least one --peer")
    for words in arguments.peer:
        if not 3 <= len(words) <= 4:
            parser.error(f"expected --peer NAME LLAMA_BENCH MODEL [ARGUMENTS], got {' '.join(words)}")
    names = [words[0] for words in arguments.peer] + [TERN] * bool(arguments.tern)
    if len(set(names)) != len(names):
        parser.error(f"expected names that differ, got {', '.join(names)}")
    if min(arguments.threads) < 1 or max(arguments.threads) > len(arguments.cpus):
        parser.error(f"expected 1 to {len(arguments.cpus)} threads, one for each processor, got {arguments.threads}")
    if arguments.repetitions < 1 or arguments.warm_up < 0:
        parser.error("expected at least one repetition and no negative warm-up")
    return arguments


def main(argv=None):
    arguments = parsed(argv)
    contestants = [
        peer(name, program, model, shlex.split(" ".join(extra)), arguments.prompt, arguments.decode)
        for name, program, model, *extra in arguments.peer
    ]
    if arguments.tern:
        contestants.append(
            tern(
                arguments.tern,
                arguments.shape,
                shlex.split(arguments.tern_arguments),
                arguments.prompt,
                arguments.decode,
            )
        )
    host = machine(arguments.cpus)
    try:
        measure(contestants, arguments)
    except Failure as error:
        print(f"compare: {error}", file=sys.stderr)
        return 1
    results = summaries(contestants, arguments.threads)
    ratio = ratios(results, arguments.threads) if arguments.tern and arguments.peer else None
    document = {
        "machine": host,
        "settings": {
            name: getattr(arguments, name)
            for name in ("shape", "threads", "prompt", "decode", "repetitions", "warm_up")
        },
        "commands": {
            contestant.name: shlex.join(contestant.command(arguments.threads[-1])) for contestant in contestants
        },
        "results": results,
        "ratios": ratio,
    }
    if arguments.json and arguments.json != "-":
        pathlib.Path(arguments.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document) if arguments.json == "-" else table(results, ratio, arguments.threads))
    return 0


if __name__ == "__main__":
    sys.exit(main())
