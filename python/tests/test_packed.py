# SPDX-License-Identifier: Apache-2.0
"""Packed tensors against NumPy's packbits and plain sums of digits."""
import copy

import numpy as np
import pytest
import tern
from tern import packed

RANGES = {"ternary": (-1, 1), "ternary2": (-1, 1), "sign1": (-1, 1)}
RANGES |= {f"i{k}": (-(2 ** (k - 1)), 2 ** (k - 1) - 1) for k in range(2, 8)}
RANGES |= {f"u{k}": (0, 2**k - 1) for k in range(1, 8)}


def some_values(type, shape, seed=0):
    low, high = RANGES[type]
    values = np.random.default_rng(seed).integers(low, high + 1, shape, dtype=np.int8)
    return np.where(values == 0, np.int8(1), values) if type == "sign1" else values


def reference_bytes(type, values):
    """Rows of bytes, by packbits; base 3 by sums of powers."""
    rows = values.reshape(-1, values.shape[-1]) if values.ndim else values.reshape(1, 1)
    if type == "ternary":
        digits = np.zeros((len(rows), -(-rows.shape[1] // 5) * 5), dtype=np.int64)
        digits[:, : rows.shape[1]] = rows + 1
        out = (digits.reshape(len(rows), -1, 5) * 3 ** np.arange(5)).sum(-1).astype(np.uint8)
    else:
        k = {"ternary2": 2, "sign1": 1}.get(type) or int(type[1:])
        fields = {"ternary2": rows + 1, "sign1": rows > 0}.get(type, rows).astype(np.uint8)
        bits = np.unpackbits(fields[..., None], axis=-1, count=k, bitorder="little")
        out = np.packbits(bits.reshape(len(rows), -1), axis=-1, bitorder="little")
    return out.reshape(*values.shape[:-1], -1)


def test_types():
    assert packed.types == tuple(RANGES)


@pytest.mark.parametrize("type", RANGES)
@pytest.mark.parametrize("shape", [(1,), (5,), (8,), (3, 17), (2, 3, 40), (2, 4099), (0,), (3, 0), (0, 3)])
def test_bytes_are_those_of_packbits(type, shape):
    values = some_values(type, shape)
    p = packed.pack(values, type)
    assert (p.type, p.shape, p.ndim, p.size) == (type, shape, len(shape), values.size)
    if values.size:
        assert np.array_equal(np.asarray(p.bytes), reference_bytes(type, values))
    assert p.nbytes == p.bytes.size
    for dtype in ("int8", "int64", "float16", "bfloat16", "float32", "float64", "bool"):
        got = p.unpack(dtype)
        assert got.dtype == dtype and got.shape == shape
        assert np.array_equal(np.asarray(got.astype("float64")), values.astype(bool if dtype == "bool" else float))


def test_one_value():
    p = packed.pack(-1, "ternary")
    assert (p.shape, p.size, p.nbytes) == ((), 1, 1) and p.unpack().item() == -1
    with pytest.raises(TypeError):
        len(p)


@pytest.mark.parametrize("source", RANGES)
@pytest.mark.parametrize("target", RANGES)
def test_repack(source, target):
    values = some_values(source, (3, 50))
    low, high = RANGES[target]
    p = packed.pack(values, source)
    expected = np.where(values < 0, -1, 1) if target == "sign1" else np.clip(values, low, high)
    assert np.array_equal(np.asarray(p.repack(target, saturate=True).unpack()), expected)
    if np.array_equal(expected, values):
        assert p.repack(target) == packed.pack(values, target)
    else:
        with pytest.raises(tern.Error, match="values of " + target):
            p.repack(target)


def test_rounding():
    halves = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], dtype=np.float32)
    assert packed.pack(halves, "i3").unpack().tolist() == np.rint(halves).tolist()
    with pytest.raises(tern.Error, match=r"got 1.5 at \[1\]"):
        packed.pack([0.5, 1.5], "ternary")
    assert packed.pack([0.5, 1.5, -7, float("inf")], "ternary", saturate=True).unpack().tolist() == [0, 1, -1, 1]
    for saturate in (False, True):
        with pytest.raises(tern.Error, match=r"got nan at \[0, 1\]"):
            packed.pack([[1.0, float("nan")]], "i4", saturate=saturate)
    with pytest.raises(tern.Error, match="real dtype"):
        packed.pack([1j], "i4")
    with pytest.raises(tern.Error, match="expected one of ternary"):
        packed.pack([1], "i9")


def test_views():
    values = some_values("i5", (4, 6, 11))
    p = packed.pack(values, "i5")
    for key in [0, -1, slice(1, 3), slice(None, None, -1), (slice(None), 2), (2, slice(4, 0, -3)), (..., 3, slice(None)),
                (1, ...), (1, 2), (slice(3, 3),), (np.int64(2),), (slice(0, 4, 3), slice(None), slice(None)), ...]:
        got = p[key]
        assert got.shape == values[key].shape
        assert np.array_equal(np.asarray(got.unpack()), values[key])
        assert got.memory_report()["sharers"] > 1 or key is ...
        assert got.copy().memory_report()["sharers"] == 1 and got.copy() == got
    assert np.array_equal(np.asarray(p.reshape((-1, 11)).unpack()), values.reshape(-1, 11))
    for key in [(0, 0, 0), (..., slice(0, 2)), (slice(None),) * 2 + (slice(None, None, -1),), 4, None, [0], True, (0, 0, 0, 0),
                (slice(None), slice(None), ..., slice(None), slice(None)), (slice(None),) * 4]:
        with pytest.raises(tern.Error):
            p[key]
    with pytest.raises(tern.Error):
        p.reshape((6, 4, 12))


def test_bytes_are_shared():
    memory = np.zeros((2, 3), dtype=np.uint8)
    p = packed.from_bytes(memory, (2, 12), "u2")
    memory[1, 0] = 0b11100100
    assert p[1].unpack().tolist() == [0, 1, 2, 3] + [0] * 8
    for bad, shape, type in [(243, (2, 15), "ternary"), (3, (2, 12), "ternary2"), (255, (2, 7), "i3")]:
        with pytest.raises(tern.Error, match="row"):
            packed.from_bytes(np.full((2, 3), bad, dtype=np.uint8), shape, type)
    with pytest.raises(tern.Error, match="expected bytes"):
        packed.from_bytes(memory, (2, 13), "u2")


def test_equality_and_copies():
    p = packed.pack([[1, 0], [1, 0]], "u1")
    assert p == packed.pack([[1, 0], [1, 0]], "u1") and p[0] == p[1]
    assert p != packed.pack([[1, 0], [1, 1]], "u1") and p != p.repack("u2") and p != 3 and p != None  # noqa: E711
    with pytest.raises(TypeError):
        hash(p)
    assert copy.copy(p) == p and copy.deepcopy(p) == p
    assert copy.copy(p).memory_report()["sharers"] == copy.deepcopy(p).memory_report()["sharers"] == 1


def test_text():
    assert repr(packed.pack([[1, -1, 0], [0, 0, 1]], "ternary")) == (
        "PackedTensor([[ 1, -1,  0],\n              [ 0,  0,  1]], type='ternary')")
    assert repr(packed.pack(7, "u3")) == "PackedTensor(7, type='u3')"
    assert repr(packed.pack(np.zeros((0, 3)), "u3")) == "PackedTensor([], shape=(0, 3), type='u3')"
    assert repr(packed.pack(tern.zeros((100, 100)), "ternary")) == (
        "PackedTensor(shape=(100, 100), type='ternary', nbytes=2000)")


def test_memory_report():
    report = packed.pack(tern.zeros((1000, 1000)), "ternary").memory_report()
    assert report["bytes"] == report["storage_bytes"] == 200_000
    assert report["bits_per_value"] == 1.6
    assert (report["type"], report["shape"], report["sharers"], report["owned"]) == ("ternary", (1000, 1000), 1, True)


def test_files(tmp_path):
    tensors = {type: packed.pack(some_values(type, (3, 29)), type) for type in RANGES}
    tensors["floats"] = tern.asarray([1.5, 2.5])
    packed.save_safetensors(tmp_path / "mixed.safetensors", tensors, {"who": "test"})
    loaded = packed.load_safetensors(tmp_path / "mixed.safetensors")
    assert loaded.keys() == tensors.keys()
    assert loaded["floats"].tolist() == [1.5, 2.5]
    assert all(loaded[type] == tensors[type] for type in RANGES)
    assert tern.load_safetensors(tmp_path / "mixed.safetensors")["u7"].dtype == "uint8"
    tern.save_safetensors(tmp_path / "bad.safetensors", {"w": tern.zeros((2, 2), dtype="uint8")}, {"tern.packed.w": "u9 [2]"})
    with pytest.raises(tern.Error, match="expected a packed type"):
        packed.load_safetensors(tmp_path / "bad.safetensors")


def test_ternary_products():
    codes = some_values("ternary", (48, 130))
    p = packed.pack(codes, "ternary")
    w = tern.quant.pack_ternary(p, 0.25)
    x = tern.quant.quantize_rows(tern.asarray(np.random.default_rng(1).standard_normal((4, 130)).astype(np.float32)))
    assert np.array_equal(np.asarray(tern.quant.ternary_linear_sums(x, w)), np.asarray(x.q)[:, :130].astype(int) @ codes.T)
    assert tern.quant.packed_codes(w) == p
    assert tern.quant.packed_codes(w, "i4").unpack().tolist() == codes.tolist()
    with pytest.raises(tern.Error, match="ternary type"):
        tern.quant.pack_ternary(p.repack("i4"), 1.0)
