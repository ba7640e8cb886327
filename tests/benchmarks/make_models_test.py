# SPDX-License-Identifier: Apache-2.0
"""Reads the files of benchmarks/peers/make_models.py weight by weight, by formulas that share nothing with its packers.

Needs numpy.
"""

import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

FOLDER = pathlib.Path(os.environ["TERN_SOURCE"]) / "benchmarks" / "peers"
sys.path.insert(0, str(FOLDER))
import make_models  # noqa: E402

SHAPE = make_models.SHAPES["tiny"]
SEED = 5


class Gguf:
    """Header and bytes of a GGUF file, version 3; values are read with struct alone."""

    def __init__(self, path):
        self.bytes, self.at = path.read_bytes(), 0
        magic, version, tensors, keys = self.take("4sIQQ")
        assert (magic, version) == (b"GGUF", 3)
        self.keys = {}
        for _ in range(keys):
            name = self.text()
            self.keys[name] = self.value(self.take("I")[0])
        self.tensors = {}
        for _ in range(tensors):
            name = self.text()
            dimensions = self.take(f"{self.take('I')[0]}Q")
            self.tensors[name] = (dimensions, *self.take("IQ"))
        self.start = (self.at + 31) // 32 * 32

    def take(self, form):
        values = struct.unpack_from("<" + form, self.bytes, self.at)
        self.at += struct.calcsize("<" + form)
        return values

    def text(self):
        (size,) = self.take("Q")
        return self.take(f"{size}s")[0].decode()

    def value(self, kind):
        if kind == 8:
            return self.text()
        if kind == 9:
            element, count = self.take("IQ")
            return [self.value(element) for _ in range(count)]
        return self.take({4: "I", 5: "i", 6: "f", 7: "?"}[kind])[0]


def trit(byte, place):
    """The digit number `place`, 0 the lowest, of a byte that holds ceil(256 n / 243) for a number n of five trits."""
    number = byte * 243 // 256
    return number // 3**place % 3


# The weight at (row, column) of a rows x k matrix at offset `at` of the bytes `b`, as a float, by format.
def i2_s(b, at, rows, k, row, column):
    n = row * k + column
    code = b[at + n // 128 * 32 + n % 32] >> (6 - n % 128 // 32 * 2) & 3
    return (code - 1) * struct.unpack_from("<f", b, at + rows * k // 4)[0]


def iq2_bn(b, at, rows, k, row, column):
    at += row * (4 + k // 4)
    code = b[at + 4 + column // 64 * 16 + column % 16] >> column % 64 // 16 * 2 & 3
    return (code - 1) * struct.unpack_from("<f", b, at)[0]


def iq2_bn_r4(b, at, rows, k, row, column):
    at += row // 4 * 4 * (4 + k // 4)
    place = column // 64 * 64 + column % 64 // 16 * 16 + row % 4 * 4 + column % 4
    code = b[at + 16 + place] >> column % 16 // 4 * 2 & 3
    return (code - 1) * struct.unpack_from("<4f", b, at)[row % 4]


def iq1_bn(b, at, rows, k, row, column):
    at += row * (2 + k // 64 * 13)
    block, sixteen, place = at + 2 + column // 64 * 13, column % 64 // 16, column % 16
    code = trit(b[block + 12], sixteen) if place == 15 else trit(b[block + sixteen * 3 + place // 5], place % 5)
    return (code - 1) * struct.unpack_from("<e", b, at)[0]


def f16(b, at, rows, k, row, column):
    return struct.unpack_from("<e", b, at + 2 * (row * k + column))[0]


def q6_k(b, at, rows, k, row, column):
    n = row * k + column
    block, half, quarter, place = at + n // 256 * 210, n % 256 // 128, n % 128 // 32, n % 32
    low = b[block + half * 64 + quarter % 2 * 32 + place] >> quarter // 2 * 4 & 15
    high = b[block + 128 + half * 32 + place] >> quarter * 2 & 3
    (scale,) = struct.unpack_from("<b", b, block + 192 + half * 8 + quarter * 2 + place // 16)
    return struct.unpack_from("<e", b, block + 208)[0] * scale * ((high << 4 | low) - 32)


def q4_0(b, at, rows, k, row, column):
    n = row * k + column
    block, place = at + n // 32 * 18, n % 32
    return struct.unpack_from("<e", b, block)[0] * ((b[block + 2 + place % 16] >> place // 16 * 4 & 15) - 8)


READERS = {36: i2_s, 135: iq2_bn, 335: iq2_bn_r4, 134: iq1_bn, 1: f16, 14: q6_k, 2: q4_0}
TYPES = {"i2_s": 36, "iq2_bn": 135, "iq2_bn_r4": 335, "iq1_bn": 134, "f16": 1, "q6_k": 14, "q4_0": 2}


class MakeModels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        names = [*make_models.MODELS, "i2_s-q4_0", "iq1_bn-f16"]
        paths = make_models.write_models(cls.temporary.name, names, SHAPE, SEED, 2)
        cls.files = {name: Gguf(path) for name, path in zip(names, paths)}
        # What every file should hold: {tensor: (kind, values)}, codes and levels as they were drawn.
        cls.truth = {}
        for index, tensor in enumerate(make_models.tensors(SHAPE)):
            rows = (0, tensor.rows)
            assert make_models.row_chunks(tensor) == [rows], tensor  # the tiny shape's are not cut
            if tensor.kind == "norm":
                cls.truth[tensor.name] = ("norm", make_models.norm_of(SEED, index, tensor))
            elif tensor.kind == "matrix":
                codes = make_models.codes_of(SEED, index, tensor, rows).astype(int) - 1
                cls.truth[tensor.name] = ("matrix", codes * make_models.scale_of(index))
            else:
                levels = make_models.levels_of(SEED, index, tensor, rows).astype(int)
                cls.truth[tensor.name] = ("embedding", (levels - 32) / 1024)

    def test_every_tensor_is_there_once_without_overlap(self):
        for name, file in self.files.items():
            self.assertEqual(list(file.tensors), list(self.truth), name)
            body, head = name.rsplit("-", 1)
            end = 0
            for tensor, (dimensions, kind, offset) in file.tensors.items():
                what, values = self.truth[tensor]
                self.assertEqual(kind, {"norm": 0, "matrix": TYPES[body], "embedding": TYPES[head]}[what], tensor)
                self.assertEqual(dimensions, tuple(reversed(values.shape)))
                self.assertEqual(offset % 32, 0)
                self.assertGreaterEqual(offset, end)
                end = offset + values.size // 5
            self.assertEqual(len(file.keys["tokenizer.ggml.tokens"]), SHAPE.vocabulary)
            self.assertEqual(len(set(file.keys["tokenizer.ggml.tokens"])), SHAPE.vocabulary)
            self.assertEqual(file.keys["bitnet-b1.58.block_count"], SHAPE.layers)

    def test_weights_are_those_drawn(self):
        choose = random.Random(1)
        for name, file in self.files.items():
            for tensor, (_, kind, offset) in file.tensors.items():
                what, values = self.truth[tensor]
                at = file.start + offset
                if what == "norm":
                    self.assertEqual(
                        struct.unpack_from(f"<{len(values)}f", file.bytes, at), tuple(values), (name, tensor)
                    )
                    continue
                rows, k = values.shape
                places = [(choose.randrange(rows), choose.randrange(k)) for _ in range(500)]
                places += [(0, column) for column in range(256)] + [(rows - 1, k - 1 - column) for column in range(256)]
                for row, column in places:
                    read = READERS[kind](file.bytes, at, rows, k, row, column)
                    expected = values[row, column]
                    if kind == TYPES["q4_0"]:  # the nearest of 16 levels, at most 7
                        self.assertLessEqual(
                            abs(read - min(expected, 7 * 4 / 1024)), 2 / 1024, (name, tensor, row, column)
                        )
                    else:
                        self.assertEqual(read, expected, (name, tensor, row, column))

    def test_zeros_are_a_third_and_signs_balance(self):
        for tensor, (what, values) in self.truth.items():
            if what == "matrix":  # five standard deviations of the share of the smallest matrix
                self.assertLess(abs((values == 0).mean() - 85 / 256), 5 * (2 / 9 / values.size) ** 0.5, tensor)
                self.assertLess(abs((values > 0).mean() - 85 / 256), 5 * (2 / 9 / values.size) ** 0.5, tensor)

    def test_chunks_do_not_show(self):
        whole = make_models.Tensor("w", "matrix", 20, 512)
        small, make_models.CHUNK = make_models.CHUNK, 4 * 512
        try:
            self.assertEqual(make_models.row_chunks(whole), [(0, 4), (4, 8), (8, 12), (12, 16), (16, 20)])
            with tempfile.TemporaryDirectory() as folder:
                for name in self.files:
                    (path,) = make_models.write_models(folder, [name], SHAPE, SEED, 3)
                    tensor = make_models.tensors(SHAPE)[2]
                    rows = make_models.row_chunks(tensor)
                    drawn = (
                        make_models.np.concatenate(
                            [make_models.codes_of(SEED, 2, tensor, part) for part in rows]
                        ).astype(int)
                        - 1
                    )
                    file = Gguf(path)
                    _, kind, offset = file.tensors[tensor.name]
                    for row in range(0, tensor.rows, 37):
                        for column in range(0, tensor.k, 41):
                            read = READERS[kind](file.bytes, file.start + offset, tensor.rows, tensor.k, row, column)
                            self.assertEqual(read, drawn[row, column] * make_models.scale_of(2), (name, row, column))
        finally:
            make_models.CHUNK = small

    def test_command_line(self):
        with tempfile.TemporaryDirectory() as folder:
            run = [
                sys.executable,
                "-B",
                FOLDER / "make_models.py",
                folder,
                "--shape",
                "tiny",
                "--seed",
                str(SEED),
                "--jobs",
                "1",
            ]
            done = subprocess.run([*run, "iq1_bn-q6_k"], capture_output=True, text=True, check=True)
            self.assertIn("iq1_bn-q6_k.gguf", done.stdout)
            self.assertEqual((pathlib.Path(folder) / "iq1_bn-q6_k.gguf").read_bytes(), self.files["iq1_bn-q6_k"].bytes)
            for wrong in ("iq1_bn", "q6_k", "tl9-q6_k", "i2_s-q9"):
                failed = subprocess.run([*run, wrong], capture_output=True, text=True, check=False)
                self.assertEqual(failed.returncode, 2)
                self.assertIn(f"got {wrong}", failed.stderr)


if __name__ == "__main__":
    unittest.main()
