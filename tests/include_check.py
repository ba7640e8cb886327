#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds every #include of the project to the ladder of layers (docs/architecture.md).

Usage: include_check.py [ROOT]. Prints each violation as file:line: sentence and exits with 1 if there is any.
It first checks itself on lines that must and must not be caught.
"""
import pathlib
import re
import sys
import tempfile

# What each folder of src may include besides itself and what these may include in turn. A device is devices/<name>.
LADDER = {
    "base": [],
    "core": ["base"],
    "memory": ["base", "core"],
    "device": ["base", "core"],
    "devices": ["base", "core", "memory", "device"],
    "distributed": ["base", "core", "device"],
    "formats": ["base", "core"],
    "autograd": ["core", "device"],
    "ops": ["device", "autograd"],
    "linalg": ["ops"],
    "quant": ["ops"],
    "nn": ["quant"],
    "io": ["formats", "core"],
    "models": ["nn", "quant", "io"],
    "jinja": ["base"],
    "text": ["base", "jinja"],
    "grammar": ["text"],
    "train": ["distributed", "nn", "models", "io", "text"],
    "engine": ["ops", "nn", "models", "text", "grammar"],
}

# The layer that each public header belongs to.
PUBLIC = {
    "error": "base",
    "error_kinds": "base",
    "dtype": "core",
    "promotion": "core",
    "scalar": "core",
    "kv_type": "core",
    "packed_type": "core",
    "packed_tensor": "core",
    "packed": "ops",
    "shape": "core",
    "tensor": "core",
    "interop": "core",
    "device": "core",
    "memory": "core",
    "memory_pressure": "memory",
    "ternary_layout": "core",
    "matmul_precision": "core",
    "distributed": "distributed",
    "autograd": "autograd",
    "ops": "ops",
    "elementwise": "ops",
    "linalg": "linalg",
    "reductions": "ops",
    "sorting": "ops",
    "creation": "ops",
    "einsum": "ops",
    "indexing": "ops",
    "manipulation": "ops",
    "print": "ops",
    "random": "ops",
    "io": "io",
    "text": "text",
    "chat": "text",
    "grammar": "grammar",
    "model": "models",
    "train": "train",
    "engine": "engine",
}

SUFFIXES = {".h", ".inl", ".cpp", ".cu", ".cuh"}
INCLUDE = re.compile(r'\s*#\s*include\s*(?:"([^"]+)"|<(tern/[^>]+)>)')
DIRECTIVE = re.compile(r"\s*#\s*(\w+)\s*(.*)")


def reachable(folder):
    """The folder and everything below it on the ladder."""
    found, pending = set(), [folder]
    while pending:
        current = pending.pop()
        if current not in found:
            found.add(current)
            pending += LADDER[current]
    return found


def owner(path):
    """The folder of src that an include path names, a device with its name: 'core', 'devices/cpu'."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "devices" else parts[0]


def layer_of_public(path):
    return PUBLIC.get(path.removeprefix("tern/").removesuffix(".h"))


def may_include(folder, path):
    """None, or why a file of this folder of src may not include the path."""
    if path.startswith("tern/"):
        layer = layer_of_public(path)
        if layer is None:
            return f"{path} is not in the list of public headers (PUBLIC in include_check.py)"
        return None if layer in reachable(folder.split("/")[0]) else f"{folder} is below {layer}, to which {path} belongs"
    target = owner(path)
    if target.split("/")[0] not in LADDER or "/" not in path:
        return f'"{path}" is not a path from src/'
    if target == folder:
        return None
    if target.startswith("devices/"):
        return f"{folder} may not include a device ({path})"
    allowed = reachable(folder.split("/")[0])
    return None if target in allowed else f"{folder} may not include {target} ({path})"


def check_src(root, file, path):
    folder = owner(file.relative_to(root / "src").as_posix())
    if folder.split("/")[0] not in LADDER:
        return f"src/{folder} is not on the ladder (LADDER in include_check.py)"
    return may_include(folder, path)


def check_public(root, file, path):
    if not path.startswith("tern/"):
        return f"a public header may include only public headers, not {path}"
    layer = layer_of_public(file.relative_to(root / "include").as_posix())
    if layer is None:
        return "the header is not in the list of public headers (PUBLIC in include_check.py)"
    return may_include(layer, path)


def check_user(root, file, path):
    """apps, examples and python: public headers, and files of their own."""
    if path.startswith("tern/"):
        return None if (root / "include" / path).exists() else f"there is no public header {path}"
    own = root / file.relative_to(root).parts[0]
    if (file.parent / path).exists() or (own / path).exists():
        return None
    return f"only include/tern is open to {own.name}, not {path}"


def violations(root):
    """(file, line number, sentence) of everything that breaks the ladder under root."""
    rules = {"src": check_src, "include": check_public, "apps": check_user, "examples": check_user, "python": check_user}
    for top, rule in rules.items():
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in SUFFIXES:
                continue
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                include = INCLUDE.match(line)
                sentence = rule(root, file, include[1] or include[2]) if include else None
                directive = DIRECTIVE.match(line)
                if top == "include" and directive and directive[1] != "include" and line.strip() != "#pragma once":
                    sentence = f"a public header has no #{directive[1]}"
                if sentence:
                    yield file.relative_to(root).as_posix(), number, sentence


GOOD = {
    "src/core/a.cpp": '#include "base/check.h"\n#include "tern/tensor.h"\n#include "core/b.h"\n#include <vector>\n',
    "src/train/a.cpp": '#include "base/check.h"\n#include "autograd/tape.h"\n#include "tern/model.h"\n',
    "src/devices/cpu/isa/a.cpp": '#include "devices/cpu/generic/x.inl"\n#include "device/kernels.h"\n',
    "include/tern/tensor.h": '#pragma once\n#include <span>\n#include "tern/error.h"\n',
    "apps/cli/main.cpp": '#include "verbs.h"\n#include "tern/tensor.h"\n',
    "apps/cli/verbs.h": "#pragma once\n",
}
BAD = {
    "src/base/a.cpp": '#include "core/storage.h"\n',
    "src/base/b.cpp": '#include "tern/tensor.h"\n',
    "src/core/a.cpp": '\n  #  include "ops/call.h"\n',
    "src/core/b.cpp": '#include <tern/ops.h>\n',
    "src/formats/a.cpp": '#include "device/kernels.h"\n',
    "src/io/a.cpp": '#include "text/bpe.h"\n',
    "src/ops/a.cpp": '#include "devices/cpu/dispatch.h"\n',
    "src/ops/b.cpp": '#include "call.h"\n',
    "src/ops/c.cpp": '#include "tern/unknown.h"\n',
    "src/devices/cpu/a.cpp": '#include "devices/cuda/handle.h"\n',
    "src/devices/cpu/b.cpp": '#include "formats/format.h"\n',
    "src/misc/a.cpp": '#include "base/check.h"\n',
    "include/tern/tensor.h": '#include "core/storage.h"\n',
    "include/tern/shape.h": '#include "tern/ops.h"\n',
    "include/tern/dtype.h": "#ifdef __AVX2__\n",
    "include/tern/error.h": "#define TERN_ERROR 1\n",
    "apps/cli/main.cpp": '#include "base/check.h"\n',
    "examples/a.cpp": '#include "tern/nothing.h"\n',
}


def found_in(files):
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content, encoding="utf-8")
        return {file for file, _, _ in violations(root)}


def check_itself():
    assert found_in(GOOD) == set(), f"caught good lines of {found_in(GOOD)}"
    assert found_in(BAD) == set(BAD), f"did not catch {set(BAD) - found_in(BAD)}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    check_itself()
    bad = list(violations(root.resolve()))
    for file, number, sentence in bad:
        print(f"{file}:{number}: {sentence}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
