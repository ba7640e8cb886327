#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes GGUF files with random ternary weights, for measuring other programs on the work that `tern bench` does.

Usage: make_models.py DIRECTORY [NAME…] [--shape 2b-4t|tiny] [--seed N] [--jobs N]

NAME is BODY-HEAD, written to DIRECTORY/BODY-HEAD.gguf; without one, all of MODELS are written. Bodies: i2_s
(bitnet.cpp on x86), iq2_bn, iq2_bn_r4, iq1_bn (ik_llama.cpp). Heads, which are the embedding, too (tied): f16, q6_k,
q4_0.

All files of one seed hold the same weights: codes -1, 0, 1 with 33 % zeros, one scale per matrix that f16 holds
exactly, and an embedding of 64 levels that f16 and q6_k hold exactly (q4_0 rounds it to 16). The tokenizer is a dummy
of the right size. Needs numpy.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import struct
import sys

import numpy as np

Shape = collections.namedtuple("Shape", "hidden layers heads kv_heads ffn vocabulary context")
SHAPES = {
    "2b-4t": Shape(2560, 30, 20, 5, 6912, 128256, 4096),  # bitnet-b1.58-2B-4T, arXiv 2504.12285
    "tiny": Shape(512, 2, 4, 1, 1280, 768, 4096),  # for checking the layouts against a reference
}
ROPE_THETA = 500000.0
RMS_EPSILON = 1e-5
MODELS = ["i2_s-f16", "i2_s-q6_k", "iq2_bn-q6_k", "iq2_bn-q4_0", "iq2_bn_r4-q6_k", "iq2_bn_r4-q4_0", "iq1_bn-q6_k"]
EMBEDDING_STEP = 2.0**-10  # between two levels of the embedding
LEVELS_MIDDLE = 32  # the level that means 0

# Elements of a matrix that are made and packed at once: bounds memory, and its rows divide evenly among threads.
CHUNK = 1 << 22


def pack_i2_s(codes, scale):
    """32 bytes per 128 weights: c[p] << 6 | c[32 + p] << 4 | c[64 + p] << 2 | c[96 + p]; a scale follows the matrix."""
    c = codes.reshape(-1, 4, 32)
    return c[:, 0] << 6 | c[:, 1] << 4 | c[:, 2] << 2 | c[:, 3]


def with_row_heads(heads, packed):
    """A row's (or row group's) scales in front of its packed bytes."""
    return np.concatenate([heads.view(np.uint8).reshape(len(packed), -1), packed.reshape(len(packed), -1)], axis=1)


def pack_iq2_bn(codes, scale):
    """A row: f32 scale; 16 bytes per 64 weights: c[p] | c[16 + p] << 2 | c[32 + p] << 4 | c[48 + p] << 6."""
    rows, k = codes.shape
    c = codes.reshape(rows, k // 64, 4, 16)
    packed = c[:, :, 0] | c[:, :, 1] << 2 | c[:, :, 2] << 4 | c[:, :, 3] << 6
    return with_row_heads(np.full(rows, scale, np.float32), packed)


def pack_iq2_bn_r4(codes, scale):
    """Four rows r: four f32 scales; 64 bytes per 4 x 64 weights: c[r][16 l + 4 m + i] is in bits 2 m, 2 m + 1 of byte
    16 l + 4 r + i."""
    rows, k = codes.shape
    c = codes.reshape(rows // 4, 4, k // 64, 4, 4, 4)  # group, r, block, l, m, i
    packed = c[..., 0, :] | c[..., 1, :] << 2 | c[..., 2, :] << 4 | c[..., 3, :] << 6
    packed = np.ascontiguousarray(packed.transpose(0, 2, 3, 1, 4))  # group, block, l, r, i
    return with_row_heads(np.full(rows, scale, np.float32), packed.reshape(rows // 4, -1))


def ceil_of_256(numbers):
    """Five trits as a number below 243 become the byte ceil(256 · number / 243)."""
    return ((256 * np.arange(243) + 242) // 243).astype(np.uint8)[numbers]


def pack_iq1_bn(codes, scale):
    """A row: f16 scale; 13 bytes per 64 weights: twelve of five weights each, three per 16 (the first weight is the
    lowest digit), then one of the four weights 15, 31, 47, 63."""
    rows, k = codes.shape
    c = codes.reshape(rows, k // 64, 4, 16)
    fives = c[..., :15].reshape(rows, k // 64, 12, 5)
    numbers = fives[..., 0] + 3 * fives[..., 1] + 9 * fives[..., 2] + 27 * fives[..., 3] + 81 * fives[..., 4]
    last = c[..., 15]
    last = last[..., 0] + 3 * last[..., 1] + 9 * last[..., 2] + 27 * last[..., 3]
    packed = ceil_of_256(np.concatenate([numbers, last[..., None]], axis=-1))
    return with_row_heads(np.full(rows, scale, np.float16), packed.reshape(rows, -1))


def pack_f16(levels):
    table = ((np.arange(64) - LEVELS_MIDDLE) * EMBEDDING_STEP).astype(np.float16)
    return table[levels]


def pack_q6_k(levels):
    """210 bytes per 256: low 4 bits (128 bytes), high 2 bits (64), sixteen int8 scales, f16 scale; each half of a block
    is 4 x 32 levels."""
    q = levels.reshape(-1, 2, 4, 32)
    low = np.concatenate([q[:, :, 0] & 15 | (q[:, :, 2] & 15) << 4, q[:, :, 1] & 15 | (q[:, :, 3] & 15) << 4], axis=-1)
    high = q[:, :, 0] >> 4 | q[:, :, 1] >> 4 << 2 | q[:, :, 2] >> 4 << 4 | q[:, :, 3] >> 4 << 6
    blocks = np.empty((len(q), 210), np.uint8)
    blocks[:, :128] = low.reshape(-1, 128)
    blocks[:, 128:192] = high.reshape(-1, 64)
    blocks[:, 192:208] = 16
    blocks[:, 208:] = np.frombuffer(np.float16(EMBEDDING_STEP / 16).tobytes(), np.uint8)
    return blocks


def pack_q4_0(levels):
    """18 bytes per 32: f16 scale; byte p is q[p] | q[16 + p] << 4, a value scale · (q - 8). Rounded from 64 levels."""
    q = np.minimum((levels + 2) >> 2, 15).astype(np.uint8).reshape(-1, 2, 16)
    blocks = np.empty((len(q), 18), np.uint8)
    blocks[:, :2] = np.frombuffer(np.float16(EMBEDDING_STEP * 4).tobytes(), np.uint8)
    blocks[:, 2:] = q[:, 0] | q[:, 1] << 4
    return blocks


# ggml type, GGUF file type, bytes of a matrix or of a row of K weights, packer.
Body = collections.namedtuple("Body", "type file_type size pack")
Head = collections.namedtuple("Head", "type size pack")
BODIES = {
    "i2_s": Body(36, 40, lambda rows, k: rows * k // 4 + 32, pack_i2_s),
    "iq2_bn": Body(135, 137, lambda rows, k: rows * (4 + k // 4), pack_iq2_bn),
    "iq2_bn_r4": Body(335, 337, lambda rows, k: rows * (4 + k // 4), pack_iq2_bn_r4),
    "iq1_bn": Body(134, 136, lambda rows, k: rows * (2 + k // 64 * 13), pack_iq1_bn),
}
HEADS = {
    "f16": Head(1, lambda rows, k: rows * k * 2, pack_f16),
    "q6_k": Head(14, lambda rows, k: rows * k // 256 * 210, pack_q6_k),
    "q4_0": Head(2, lambda rows, k: rows * k // 32 * 18, pack_q4_0),
}
F32 = 0

# name, kind (norm, matrix, embedding), rows, K. A norm has K elements.
Tensor = collections.namedtuple("Tensor", "name kind rows k")


def tensors(shape):
    head = shape.hidden // shape.heads
    result = [Tensor("token_embd.weight", "embedding", shape.vocabulary, shape.hidden)]
    for layer in range(shape.layers):
        for name, kind, rows, k in [
            ("attn_norm", "norm", 1, shape.hidden),
            ("attn_q", "matrix", shape.hidden, shape.hidden),
            ("attn_k", "matrix", shape.kv_heads * head, shape.hidden),
            ("attn_v", "matrix", shape.kv_heads * head, shape.hidden),
            ("attn_sub_norm", "norm", 1, shape.hidden),
            ("attn_output", "matrix", shape.hidden, shape.hidden),
            ("ffn_norm", "norm", 1, shape.hidden),
            ("ffn_gate", "matrix", shape.ffn, shape.hidden),
            ("ffn_up", "matrix", shape.ffn, shape.hidden),
            ("ffn_sub_norm", "norm", 1, shape.ffn),
            ("ffn_down", "matrix", shape.hidden, shape.ffn),
        ]:
            result.append(Tensor(f"blk.{layer}.{name}.weight", kind, rows, k))
    result.append(Tensor("output_norm.weight", "norm", 1, shape.hidden))
    return result


def random_bytes(count, *seed):
    generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed)))
    return generator.integers(0, 2**64, size=-(-count // 8), dtype=np.uint64).view(np.uint8)[:count]


def row_chunks(tensor):
    """Row ranges of at most about CHUNK elements, in whole groups of four rows."""
    step = max(4, CHUNK // tensor.k // 4 * 4)
    return [(first, min(first + step, tensor.rows)) for first in range(0, tensor.rows, step)]


def codes_of(seed, index, tensor, rows):
    """Codes 0, 1, 2 (for -1, 0, 1) of the given row range of the tensor that is number `index`, uint8 [rows, K]."""
    count = (rows[1] - rows[0]) * tensor.k
    noise = random_bytes(count, seed, index, rows[0])
    return ((noise > 85).view(np.uint8) + (noise > 170)).reshape(-1, tensor.k)


def levels_of(seed, index, tensor, rows):
    """Levels 0…63 of the given rows of the embedding, uint8 [rows, K]."""
    return (random_bytes((rows[1] - rows[0]) * tensor.k, seed, index, rows[0]) >> 2).reshape(-1, tensor.k)


def scale_of(index):
    """A matrix's scale, near what gives unit-variance outputs for unit-variance inputs at K = 2560; exact in f16."""
    return (8 + index % 8) / 512


def norm_of(seed, index, tensor):
    return (random_bytes(tensor.k, seed, index).astype(np.float32) + 128) / 256


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def key(name, kind, value):
    kinds = {"u32": (4, "<I"), "f32": (6, "<f"), "bool": (7, "<?")}
    if kind == "text":
        return text(name) + struct.pack("<I", 8) + text(value)
    if kind == "texts":
        return text(name) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
    if kind == "i32s":
        return text(name) + struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
    return text(name) + struct.pack("<I", kinds[kind][0]) + struct.pack(kinds[kind][1], value)


def byte_alphabet():
    """The 256 characters that byte-level BPE writes for the 256 bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte if byte in printable else 256 + others.index(byte)) for byte in range(256)]


def metadata(shape, file_type):
    arch = "bitnet-b1.58"
    control = shape.vocabulary - 256  # the last 256 tokens are control tokens, as in Llama 3
    tokens = byte_alphabet() + [f"word{i}" for i in range(256, control)]
    tokens += [f"<|control_{i}|>" for i in range(control, shape.vocabulary)]
    keys = [
        key("general.architecture", "text", arch),
        key("general.name", "text", "random ternary weights"),
        key("general.file_type", "u32", file_type),
        key(f"{arch}.vocab_size", "u32", shape.vocabulary),
        key(f"{arch}.context_length", "u32", shape.context),
        key(f"{arch}.embedding_length", "u32", shape.hidden),
        key(f"{arch}.block_count", "u32", shape.layers),
        key(f"{arch}.feed_forward_length", "u32", shape.ffn),
        key(f"{arch}.rope.dimension_count", "u32", shape.hidden // shape.heads),
        key(f"{arch}.attention.head_count", "u32", shape.heads),
        key(f"{arch}.attention.head_count_kv", "u32", shape.kv_heads),
        key(f"{arch}.attention.layer_norm_rms_epsilon", "f32", RMS_EPSILON),
        key(f"{arch}.rope.freq_base", "f32", ROPE_THETA),
        key("tokenizer.ggml.model", "text", "gpt2"),
        key("tokenizer.ggml.pre", "text", "llama-bpe"),
        key("tokenizer.ggml.tokens", "texts", tokens),
        key("tokenizer.ggml.token_type", "i32s", [3 if i >= control else 1 for i in range(shape.vocabulary)]),
        key("tokenizer.ggml.merges", "texts", ["a b", "c d"]),
        key("tokenizer.ggml.bos_token_id", "u32", control),
        key("tokenizer.ggml.eos_token_id", "u32", control + 1),
        key("tokenizer.ggml.padding_token_id", "u32", control + 1),
        key("tokenizer.ggml.add_bos_token", "bool", True),
    ]
    return keys


class GgufFile:
    """One output file: its header is written at once, tensors' bytes at their offsets by any thread."""

    ALIGNMENT = 32

    def __init__(self, path, name, shape):
        body, head = name.rsplit("-", 1)
        self.body, self.head = BODIES[body], HEADS[head]
        keys = metadata(shape, self.body.file_type)
        header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors(shape)), len(keys)) + b"".join(keys)
        self.offsets, offset = [], 0
        for tensor in tensors(shape):
            dimensions = [tensor.k] if tensor.kind == "norm" else [tensor.k, tensor.rows]
            header += text(tensor.name) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
            header += struct.pack("<IQ", self.type(tensor), offset)
            self.offsets.append(offset)
            offset += -(-self.size(tensor, tensor.rows) // self.ALIGNMENT) * self.ALIGNMENT
        self.start = -(-len(header) // self.ALIGNMENT) * self.ALIGNMENT
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.ftruncate(self.file, self.start + offset)
        self.write_at(0, header)

    def type(self, tensor):
        return {"norm": F32, "matrix": self.body.type, "embedding": self.head.type}[tensor.kind]

    def size(self, tensor, rows):
        if tensor.kind == "norm":
            return 4 * tensor.k
        return (self.body if tensor.kind == "matrix" else self.head).size(rows, tensor.k)

    def write_at(self, offset, data):
        view = memoryview(data).cast("B")
        while view:
            written = os.pwrite(self.file, view, offset)
            view, offset = view[written:], offset + written

    def write(self, index, tensor, row, data):
        """`data` is the packed rows from `row` on of tensor number `index`."""
        skipped = self.size(tensor, row) - self.size(tensor, 0) if tensor.kind != "norm" else 0
        self.write_at(self.start + self.offsets[index] + skipped, np.ascontiguousarray(data))

    def close(self):
        os.close(self.file)


def write_models(directory, names, shape, seed, jobs):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{name}.gguf" for name in names]
    files = [GgufFile(path, name, shape) for path, name in zip(paths, names)]

    def write_rows(index, tensor, rows):
        if tensor.kind == "norm":
            data = norm_of(seed, index, tensor)
            for file in files:
                file.write(index, tensor, 0, data)
            return
        values = (codes_of if tensor.kind == "matrix" else levels_of)(seed, index, tensor, rows)
        packed = {}  # by packer: several files share a body or a head
        for file in files:
            if tensor.kind == "embedding":
                pack = file.head.pack
                data = packed[pack] if pack in packed else packed.setdefault(pack, pack(values))
            else:
                pack = file.body.pack
                data = packed[pack] if pack in packed else packed.setdefault(pack, pack(values, scale_of(index)))
            file.write(index, tensor, rows[0], data)
            if tensor.kind == "matrix" and pack is pack_i2_s and rows[1] == tensor.rows:
                tail = struct.pack("<f28x", scale_of(index))
                file.write_at(file.start + file.offsets[index] + tensor.rows * tensor.k // 4, tail)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        work = [
            pool.submit(write_rows, index, tensor, rows)
            for index, tensor in enumerate(tensors(shape))
            for rows in row_chunks(tensor)
        ]
        for done in concurrent.futures.as_completed(work):
            done.result()
    for file in files:
        file.close()
    return paths


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"BODY-HEAD (default: {' '.join(MODELS)})")
    parser.add_argument("--shape", choices=SHAPES, default="2b-4t")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="threads (default: all)")
    arguments = parser.parse_intermixed_args()
    names = arguments.names or MODELS
    for name in names:
        body, _, head = name.rpartition("-")
        if body not in BODIES or head not in HEADS:
            parser.error(f"expected BODY-HEAD of {', '.join(BODIES)} and {', '.join(HEADS)}, got {name}")
    for path in write_models(arguments.directory, names, SHAPES[arguments.shape], arguments.seed, arguments.jobs):
        print(f"{path}  {path.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    sys.exit(main())
