#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""LAPACK's own test programs on tern::linalg.

Usage: lapack_testers.py SHIM [FOLDER]. Runs the programs of Debian's liblapack-test, which lie in FOLDER, with SHIM
(lapack_shim.cpp) preloaded, prints what they say of each group of routines, and exits with 1 when one of them reports a
result beyond its threshold that the library alone passes, or when Tern answered no call of a routine. (OpenBLAS's zgeev
fails some of its own: values without vectors are to have the bits of those with them, and its kernels round differently.)
Tests of error exits are left out: they are about LAPACK's arguments. Exits with 77 where the programs are not installed.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

FOLDER = "/usr/lib/x86_64-linux-gnu/lapack"

# Program, input, the lines of the input's last part that are kept (None: all), the routines that must be Tern's.
RUNS = [
    ("xlintstd", "dtest.in", ("DGE", "DPO", "DLS"), ("getrf", "getrs", "potrf", "potrs", "gelsd")),
    ("xlintstz", "ztest.in", ("ZGE", "ZPO", "ZLS"), ("getrf", "getrs", "potrf", "potrs", "gelsd")),
    ("xeigtstd", "svd.in", None, ("gesdd", "gesvd")),
    ("xeigtstz", "svd.in", None, ("gesdd", "gesvd")),
    ("xeigtstd", "sep.in", None, ("syevd",)),
    ("xeigtstz", "sep.in", None, ("syevd",)),
    ("xeigtstd", "ded.in", None, ("geev",)),
    ("xeigtstz", "zed.in", None, ("geev",)),
]

GROUP = re.compile(r"^[SDCZ][A-Z0-9]{2}(\s+\d+\s+List types.*)?$")
ERROR_EXITS = re.compile(r"^T(\s+Put T to test the error exits.*)?$")


def prepared(text, keep):
    """The input without tests of error exits, and of a list of groups those to keep."""
    lines = [ERROR_EXITS.sub("F", line.rstrip()) for line in text.splitlines()]
    if keep:
        lines = [line for line in lines if not GROUP.match(line) or line.startswith(keep)]
    return "\n".join(lines) + "\n"


def lines_of(program, given, shim=None, counts=None):
    """What the program says of the input, line by line."""
    environment = dict(os.environ, OPENBLAS_NUM_THREADS="1")
    if shim:
        environment.update(LD_PRELOAD=shim, TERN_SHIM_COUNTS=str(counts))
    done = subprocess.run([program], input=given, text=True, capture_output=True, env=environment)
    lines = [line.strip() for line in done.stdout.splitlines()]
    if done.returncode != 0:
        lines.append(f"failed to pass: exit status {done.returncode}: {done.stderr[-500:]}")
    return lines


def failures(lines):
    return [line for line in lines if "failed to pass" in line or "error messages recorded" in line]


def run(shim, program, given, routines):
    """The sentences of the program, the routines with how many calls Tern answered, what is wrong, what the library's own."""
    with tempfile.TemporaryDirectory() as directory:
        counts = pathlib.Path(directory) / "counts"
        lines = lines_of(program, given, shim, counts)
        answered = dict(line.split() for line in counts.read_text().splitlines()) if counts.exists() else {}
    said = [line for line in lines if "passed the threshold" in line]
    wrong = failures(lines) + ([] if said else ["it says nothing"])
    own = set(failures(lines_of(program, given))) if wrong else set()
    missing = [f"Tern answered no call of {name}" for name in routines if int(answered.get(name, 0)) == 0]
    calls = ", ".join(f"{name} {answered[name]}" for name in routines if name in answered)
    return said, calls, [line for line in wrong if line not in own] + missing, [line for line in wrong if line in own]


def main():
    shim, folder = sys.argv[1], pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else FOLDER)
    if not (folder / "xlintstd").exists():
        print(f"lapack_testers: no test programs of LAPACK in {folder} (Debian: liblapack-test)")
        return 77
    failed = False
    for program, given, keep, routines in RUNS:
        text = prepared((folder / given).read_text(), keep)
        said, calls, wrong, own = run(shim, folder / program, text, routines)
        print(f"== {program} < {given}: answered by Tern: {calls}")
        for line in said + wrong + [line + " (so says the library alone)" for line in own]:
            print(f"   {line}")
        failed = failed or bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
