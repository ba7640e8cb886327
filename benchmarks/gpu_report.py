#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything that Tern shows on a GPU, in one JSON file: tests, sanitizers, and the figures of performance.md.

Usage: gpu_report.py --build BUILD --out FILE [--parts tests,sanitizers,ops,arrays,gemv,run,train,kernels,group,loss] [--microsoft FOLDER]
                     [--torch-train SCRIPT] [--data FILE …] [--quick]

BUILD is a build folder of the preset cuda. Each part runs programs of it and keeps what they print as JSON; a part that
fails is kept as its error and makes the exit code 1. Peers, where they are there, run beside in the same part:

  ops      small operations beside PyTorch (peers/cuda_ops.py)
  arrays   operations on arrays (the same with --arrays)
  gemv     one row by a matrix; --microsoft, the folder gpu of a checkout of github.com/microsoft/BitNet (peers/cuda_gemv.py)
  train    tokens per second; --torch-train, a script that trains models of the same shapes in PyTorch and prints a line
           "NAME params P tok/s T …" for each
  kernels  a step of training, kernel by kernel (kernel_table.py)
  group    tern train on one GPU and on two, where there are two and --data
  loss     loss curves of 6 seeds beside PyTorch's (peers/loss_curve.py), where there is --data: text files
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEEDS = "0,1,2,3,4,5"
# Out-of-memory errors of the runtime are what some tests want, and the kernels of cuBLASLt (nvjet) are not ours.
SANITIZERS = {"memcheck": ["--report-api-errors", "no"], "racecheck": ["--kernel-name-exclude", "kernel_substring=nvjet"]}
TRAINING = {
    "1.5M": ["--vocab", 2048, "--hidden", 128, "--layers", 6, "--heads", 2, "--kv-heads", 2, "--ffn", 384, "--batch", 16, "--tokens", 256],
    "17M": ["--vocab", 8192, "--hidden", 384, "--layers", 8, "--heads", 6, "--kv-heads", 6, "--ffn", 1024, "--batch", 64, "--tokens", 512],
    "110M": ["--vocab", 32768, "--hidden", 768, "--layers", 12, "--heads", 12, "--kv-heads", 12, "--ffn", 2048, "--batch", 32, "--tokens", 1024],
}


def run(command, timeout=600, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout, **options)


def checked(command, **options):
    done = run(command, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit code {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def program(build, name):
    found = [path for path in sorted(build.rglob(name)) if path.is_file() and os.access(path, os.X_OK)]
    if not found:
        raise RuntimeError(f"expected a program {name} below {build}, found none")
    return found[0]


def on_gpu():
    return {**os.environ, "TERN_TEST_DEVICE": "cuda"}


def tests(build, _):
    out = {}
    names = {path.name for path in build.rglob("*_test") if path.is_file() and os.access(path, os.X_OK)}
    if (build / "CTestTestfile.cmake").exists():  # else a folder of programs, all of them for any device
        listed = checked(["ctest", "--test-dir", build, "-N", "-L", "any_device"])
        names = {name for name in names if f" {name}\n" in listed}
    for name in sorted(names):
        start = time.monotonic()
        done = run([program(build, name), "--gtest_brief=1"], env=on_gpu())
        failed = sorted({line.split("]", 1)[1].split(" (")[0].strip() for line in done.stdout.splitlines() if line.startswith("[  FAILED  ]") and "." in line})
        out[name] = {"exit_code": done.returncode, "failed": failed, "seconds": round(time.monotonic() - start, 1)}
    if any(result["exit_code"] for result in out.values()):
        out["error"] = "tests failed"
    return out


def sanitizers(build, _):
    """Small shapes of all kernels (tests/sanitized.txt)."""
    out = {}
    for line in (ROOT / "tests/sanitized.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        name, select = line.split()
        for tool, options in SANITIZERS.items():
            command = ["compute-sanitizer", "--tool", tool, *options, "--error-exitcode", 9, program(build, name), "--gtest_brief=1", f"--gtest_filter={select}"]
            done = run(command, timeout=1800, env=on_gpu())
            summary = [line for line in done.stdout.splitlines() if "SUMMARY" in line]
            out[f"{tool} {name}"] = {"exit_code": done.returncode, "summary": summary[-1:]}
    if any(result["exit_code"] for result in out.values()):
        out["error"] = "a sanitizer reported something, or a test failed under it"
    return out


def printed_json(script, *options):
    """What a script of this folder writes to its option --json."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "out.json"
        checked([sys.executable, ROOT / "benchmarks" / script, "--json", file, *options])
        return json.loads(file.read_text())


def has_torch():
    return run([sys.executable, "-c", "import torch"]).returncode == 0


def device_ops(build, *options):
    bench = program(build, "bench_device_ops")
    if not has_torch():
        return json.loads(checked([bench, "--json", *options]))
    return printed_json("peers/cuda_ops.py", "--tern", bench, *options)


def ops(build, _):
    return device_ops(build)


def arrays(build, _):
    return device_ops(build, "--arrays")


def gemv(build, arguments):
    bench = program(build, "bench_device_gemv")
    if not arguments.microsoft:
        return json.loads(checked([bench, "--json"]))
    return printed_json("peers/cuda_gemv.py", "--tern", bench, "--microsoft", arguments.microsoft)


def running(build, arguments):
    tern = program(build, "tern")
    common = [tern, "bench", "--device", "cuda", "--shape", "2b-4t", "--json", "--no-kernels", "--repetitions", 2 if arguments.quick else 5]
    return {
        "one sequence": json.loads(checked([*common, "--head", "screened", "--decode", 256])),
        "batches": json.loads(checked([*common, "--head", "screened", "--batch", "64,256", "--decode", 64])),
        "prefill": json.loads(checked([*common, "--head", "screened", "--prompt", 2048, "--prompt-batch", 8, "--chunk", 16384])),
    }


def training_shape(name):
    return ["--device", "cuda", "--precision", "bf16", *TRAINING[name]]


def training(build, arguments):
    bench = program(build, "bench_train_step")
    steps = ["--steps", 5 if arguments.quick else 20]
    out = {name: json.loads(checked([bench, *training_shape(name), "--json", *steps])) for name in TRAINING}
    for name in TRAINING:
        launched = json.loads(checked([bench, *training_shape(name), "--json", *steps, "--no-recording"]))
        out[name]["tokens_per_s without recordings"] = launched["tokens_per_s"]
    if arguments.torch_train:
        text = checked([sys.executable, arguments.torch_train])
        out["torch"] = {name: float(rate) for name, rate in re.findall(r"^(.+?) params \S+ tok/s (\S+)", text, re.MULTILINE)}
    return out


def kernels(build, _):
    # Without recordings, since a profiler may look at a graph as a whole.
    bench = program(build, "bench_train_step")
    return {name: printed_json("kernel_table.py", "--marked", "--", bench, *training_shape(name), "--no-recording", "--profile") for name in ["17M", "110M"]}


def group(build, arguments):
    """The 110 M shape, as many sequences on each of two GPUs as on one; and the losses where both make the same sums."""
    tern, launch = program(build, "tern"), [sys.executable, ROOT / "tests/distributed/launch.py", 2]
    shape = {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 12, "num_key_value_heads": 12, "sequence_length": 1024}
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)

        def log(name, start, *options):
            common = ["--data", *arguments.data, "--out", work / name, "--config", work / "config.json", "--device", "cuda", "--precision", "bf16", "--progress", "lines"]
            checked([*start, tern, "train", *common, *options])
            return [json.loads(line) for line in (work / name / "log.jsonl").read_text().splitlines()]

        def rate(steps):
            """Tokens per second after the first 20 steps."""
            seconds = sum(step[f"{part}_seconds"] for step in steps[20:] for part in ["quantize", "forward", "backward", "optimizer"])
            return (steps[-1]["tokens"] - steps[19]["tokens"]) / seconds

        (work / "config.json").write_text(json.dumps({"vocab_size": 32768, **shape}))
        log("first", [], "--batch-size", 1, "--steps", 1)
        steps = ["--tokenizer", work / "first", "--steps", 60 if arguments.quick else 120]
        out = {"one": [], "two": []}
        for turn in range(2):
            out["one"].append(rate(log(f"one{turn}", [], "--batch-size", 32, *steps)))
            out["two"].append(rate(log(f"two{turn}", launch, "--batch-size", 64, *steps)))
        out["times"] = [two / one for one, two in zip(out["one"], out["two"])]
        few = [*steps[:2], "--steps", 30]
        both = log("both", launch, "--batch-size", 32, *few)
        after = log("after", [], "--batch-size", 16, "--accumulate", 2, *few)
        out["greatest difference of losses"] = max(abs(a["loss"] - b["loss"]) for a, b in zip(both, after, strict=True))
    return out


def loss(build, arguments):
    script = [sys.executable, ROOT / "benchmarks/peers/loss_curve.py"]
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        curves = {name: work / f"{name}.json" for name in ["bf16", "f32", "torch", "compared"]}
        precisions = ["bf16"] if arguments.quick else ["bf16", "f32"]
        for precision in precisions:
            tern = [*script, "tern", "--tern", program(build, "tern"), "--data", *arguments.data, "--work", work, "--precision", precision]
            checked([*tern, "--seeds", SEEDS, "--out", curves[precision]])
        checked([*script, "torch", "--work", work, "--seeds", SEEDS, "--out", curves["torch"]])
        # Its exit code is in its result, too.
        run([*script, "compare", "--torch", curves["torch"], "--tern", *(curves[precision] for precision in precisions), "--out", curves["compared"]])
        out = {name: json.loads(file.read_text()) for name, file in curves.items() if file.exists()}
    if "error" in out["compared"]:
        out["error"] = out["compared"]["error"]
    return out


PARTS = {"tests": tests, "sanitizers": sanitizers, "ops": ops, "arrays": arrays, "gemv": gemv, "run": running, "train": training, "kernels": kernels, "group": group, "loss": loss}

WITH_DATA = {"group", "loss"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--parts", help="all, if not given")
    parser.add_argument("--microsoft", type=pathlib.Path)
    parser.add_argument("--torch-train", type=pathlib.Path)
    parser.add_argument("--data", nargs="+", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, and loss curves in bf16 alone")
    arguments = parser.parse_args()
    gpu = checked(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]).strip().splitlines()
    possible = [part for part in PARTS if (part not in WITH_DATA or arguments.data) and (part != "group" or len(gpu) > 1)]
    parts = arguments.parts.split(",") if arguments.parts else possible
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        parser.error(f"expected parts among {', '.join(PARTS)}, got {', '.join(unknown)}")
    for part in WITH_DATA.intersection(parts):
        if not arguments.data:
            parser.error(f"--data: expected text files for the part {part}, got none")
    commit = run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"]).stdout.strip()
    report = {"date": datetime.date.today().isoformat(), "gpus": gpu, "commit": commit}
    bad = False
    for part in parts:
        print(part, flush=True)
        try:
            report[part] = PARTS[part](arguments.build.resolve(), arguments)
        except (RuntimeError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
            report[part] = {"error": str(error)}
        bad = bad or "error" in report[part]
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {arguments.out}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
