# SPDX-License-Identifier: Apache-2.0
"""What the scripts beside this one share: running the program, making text, reading .npy and .safetensors."""
import array
import ast
import json
import math
import os
import pathlib
import random
import shutil
import struct
import subprocess
import tempfile
import unittest

BINARY = os.environ["TERN_BINARY"]
SOURCE = pathlib.Path(os.environ["TERN_SOURCE"])
DATA = SOURCE / "tests" / "data"
FIXTURES = [f"{model}-{variant}" for model in ("tiny", "tied")
            for variant in ("online", "packed-autobitlinear", "packed-bitlinear")]
VERBS = ["train", "run", "chat", "bench", "eval", "info", "pack", "logits", "tokenize", "devices"]


def tern(*arguments, stdin="", env=None, timeout=300):
    """Runs the program; the result has returncode, stdout and stderr as text."""
    return subprocess.run([BINARY, *map(str, arguments)], input=stdin, capture_output=True, encoding="utf-8",
                          env={**os.environ, **(env or {})}, timeout=timeout, check=False)


def words(count, seed=1):
    """Text with structure to learn: sentences of a small vocabulary, some of it not ASCII."""
    source = random.Random(seed)
    nouns = ["cat", "dog", "café", "river", "naïve painter", "moon", "日本", "tree"]
    verbs = ["sees", "likes", "follows", "paints", "finds"]
    lines = []
    for _ in range(count):
        lines.append(f"The {source.choice(nouns)} {source.choice(verbs)} the {source.choice(nouns)}.\n")
    return "".join(lines)


def read_npy(path):
    """(shape, values) of an f32 array in row-major order."""
    content = pathlib.Path(path).read_bytes()
    assert content[:8] == b"\x93NUMPY\x01\x00", content[:8]
    size = struct.unpack("<H", content[8:10])[0]
    header = ast.literal_eval(content[10:10 + size].decode("ascii"))
    assert header["descr"] == "<f4" and not header["fortran_order"], header
    values = array.array("f", content[10 + size:])
    assert len(values) == math.prod(header["shape"])
    return header["shape"], values


def read_safetensors(path, name):
    """(shape, values) of one tensor."""
    content = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    entry = json.loads(content[8:8 + size])[name]
    begin, end = (8 + size + offset for offset in entry["data_offsets"])
    return entry["shape"], array.array({"F32": "f", "I64": "q", "I32": "i"}[entry["dtype"]], content[begin:end])


class CliTest(unittest.TestCase):
    """A test with a directory of its own and words for what the program should do."""

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="tern-cli-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def file(self, name, content):
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    def succeed(self, *arguments, **options):
        result = tern(*arguments, **options)
        self.assertEqual(result.returncode, 0, f"{arguments}\n{result.stdout}{result.stderr}")
        return result

    def succeed_json(self, *arguments, **options):
        return json.loads(self.succeed(*arguments, "--json", **options).stdout)

    def refuse(self, *arguments, naming, status=1, **options):
        """The program ends with `status`, nothing on stdout, and a message that names what is at fault."""
        result = tern(*arguments, **options)
        self.assertEqual(result.returncode, status, f"{arguments}\n{result.stdout}{result.stderr}")
        self.assertIn(str(naming), result.stderr)
        if status == 1:
            self.assertRegex(result.stderr, r"(?m)^tern: \[[A-Za-z0-9_]+\] ")
        return result
