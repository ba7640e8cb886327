#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where the time of a step goes on an NVIDIA GPU, kernel by kernel, beside what the GPU could do at most.

Usage: kernel_table.py [--marked] [--last KERNEL] [--csv FILE] [--json FILE] [--ncu NCU] -- PROGRAM ARGUMENTS …
       kernel_table.py [--last KERNEL] [--json FILE] --csv FILE

The first runs the program under Nsight Compute, which reads the metrics below for each launch (25 ms each), or with --marked
for those between the program's own marks, as bench_train_step --profile has them around a step, and keeps what it prints in
--csv; the second reads such a file. With --last, one step of a program without marks is looked at: the launches behind the
last but one run of a kernel of that name up to the last one; without it, all that were profiled.

For each kernel: launches and microseconds of the step, its share, bytes of device memory that it moved and operations that
it did in a second, and of the larger of the two what part it is of what the GPU can do at most: PEAKS, from the vendor's
data sheet, but for memory, which is measured (a copy, bytes read and written). bf16, f16 and int8 are operations of tensor
cores; fma are instructions of the pipe for f32, each taken for 32 multiply-adds, though integer ones are among them. A
kernel near 100 % has reached its roof; what it moves may still be more than it has to.
Kernels run one by one under the profiler, so that launches that overlap take less together than here.
"""
import argparse
import csv
import io
import json
import pathlib
import re
import subprocess
import sys

TIME = "gpu__time_duration.sum"  # nanoseconds
BYTES = ["dram__bytes_read.sum", "dram__bytes_write.sum"]
# What counts them, and operations for each count.
OPERATIONS = {
    "fma": ("sm__inst_executed_pipe_fma.sum", 64),
    "bf16": ("sm__ops_path_tensor_src_bf16_dst_fp32.sum", 1),
    "f16": ("sm__ops_path_tensor_src_fp16.sum", 1),
    "int8": ("sm__ops_path_tensor_src_int8.sum", 1),
}
METRICS = [TIME, *BYTES, *(metric for metric, _ in OPERATIONS.values())]
# Bytes and operations a second: H100 SXM, H200.
PEAKS = {
    "H100": {"memory": 3.0e12, "fma": 66.9e12, "bf16": 989e12, "f16": 989e12, "int8": 1979e12},
    "H200": {"memory": 4.3e12, "fma": 66.9e12, "bf16": 989e12, "f16": 989e12, "int8": 1979e12},
}


def profiled(arguments):
    options = ["--clock-control", "none", "--csv", "--page", "raw", "--print-units", "base", "--metrics", ",".join(METRICS)]
    if arguments.marked:
        options += ["--profile-from-start", "off"]
    done = subprocess.run([arguments.ncu, *options, *arguments.command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{arguments.ncu}: exit code {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def plain(name):
    """A kernel's name without namespaces, parameters and what its template arguments are made of."""
    name = re.sub(r"\(anonymous namespace\)::|<unnamed>::|\(int\)|\(bool\)|\b(tern|cuda)::", "", name)
    name = re.sub(r"^void ", "", name)
    depth = 0
    for at, letter in enumerate(name):
        depth += (letter == "<") - (letter == ">")
        if letter == "(" and depth == 0:
            return name[:at]
    return name


def launches_of(text):
    """Kernel names and metrics, in the order of the launches, and the GPU of PEAKS."""
    begin = text.find('"ID"')
    if begin < 0:
        sys.exit("expected ncu's csv with a line that begins with \"ID\", found none")
    launches, gpu = [], "H100"
    for row in csv.DictReader(io.StringIO(text[begin:])):
        if not row["ID"]:
            continue  # the line of units
        gpu = next((name for name in PEAKS if name in (row.get("device__attribute_display_name") or "")), gpu)
        number = lambda metric: float((row.get(metric) or "0").replace(",", ""))
        launches.append({"kernel": plain(row["Kernel Name"]), "metrics": {metric: number(metric) for metric in METRICS}})
    return launches, PEAKS[gpu]


def step_of(launches, last):
    """The launches of the last whole step, which a run of kernels named `last` ends."""
    is_last = [last in launch["kernel"] for launch in launches]
    ends = [i + 1 for i in range(len(launches)) if is_last[i] and (i + 1 == len(launches) or not is_last[i + 1])]
    if len(ends) < 2:
        sys.exit(f"expected two steps that end with a kernel {last}, found {len(ends)}")
    return launches[ends[-2] : ends[-1]]


def table(launches, peaks):
    rows = {}
    for launch in launches:
        row = rows.setdefault(launch["kernel"], {"kernel": launch["kernel"], "launches": 0, "us": 0.0, "bytes": 0.0, **{kind: 0.0 for kind in OPERATIONS}})
        metrics = launch["metrics"]
        row["launches"] += 1
        row["us"] += metrics[TIME] * 1e-3
        row["bytes"] += sum(metrics[metric] for metric in BYTES)
        for kind, (metric, each) in OPERATIONS.items():
            row[kind] += each * metrics[metric]
    total = sum(row["us"] for row in rows.values())
    for row in rows.values():
        seconds = row["us"] * 1e-6
        row["share"] = row["us"] / total
        row["gb_per_s"] = row["bytes"] / seconds * 1e-9
        kind = max(OPERATIONS, key=lambda kind: row[kind] / peaks[kind])
        row["operations"] = kind
        row["tera_per_s"] = row[kind] / seconds * 1e-12
        of_memory, of_units = row["bytes"] / seconds / peaks["memory"], row[kind] / seconds / peaks[kind]
        row["roof"] = "memory" if of_memory >= of_units else kind
        row["of_roof"] = max(of_memory, of_units)
        for kind in OPERATIONS:
            del row[kind]
    return sorted(rows.values(), key=lambda row: -row["us"])


def print_table(rows):
    print("| kernel | launches | us | share | GB/s | T/s | of its roof |\n|---|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        rate = f"{row['tera_per_s']:.1f} {row['operations']}" if row["tera_per_s"] >= 0.05 else ""
        print(f"| {row['kernel'][:100]} | {row['launches']} | {row['us']:.0f} | {100 * row['share']:.1f} % | {row['gb_per_s']:.0f} | {rate} | {100 * row['of_roof']:.0f} % {row['roof']} |")
    us = sum(row["us"] for row in rows)
    print(f"| all | {sum(row['launches'] for row in rows)} | {us:.0f} | 100 % | {sum(row['bytes'] for row in rows) / us * 1e-3:.0f} | | {100 * sum(row['of_roof'] * row['share'] for row in rows):.0f} % on average |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--last", help="a part of the name of the kernel that ends a step")
    parser.add_argument("--marked", action="store_true")
    parser.add_argument("--ncu", default="ncu")
    parser.add_argument("command", nargs="*", metavar="PROGRAM ARGUMENTS", help="what to profile, behind --")
    arguments = parser.parse_args()
    if arguments.command:
        text = profiled(arguments)
        if arguments.csv:
            arguments.csv.write_text(text)
    elif arguments.csv:
        text = arguments.csv.read_text()
    else:
        parser.error("expected a program to profile, or --csv of one that was")
    launches, peaks = launches_of(text)
    rows = table(step_of(launches, arguments.last) if arguments.last else launches, peaks)
    print_table(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps({"peaks": peaks, "kernels": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
