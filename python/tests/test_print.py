# SPDX-License-Identifier: Apache-2.0
"""What tensors look like as text: exactly what NumPy makes of the same numbers."""
import numpy as np
import pytest

import tern

FLOATS = ["float16", "float32", "float64"]
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


NUMPY_NAMES = {"edge_items": "edgeitems", "line_width": "max_line_width"}


def same(array, **options):
    tensor = tern.asarray(array)
    assert tern.to_string(tensor, **options) == np.array2string(
        array, **{NUMPY_NAMES.get(name, name): value for name, value in options.items()}
    )


def floats(rng, dtype, count):
    """Numbers of one or of several sizes, short and long ones, with some that are not finite."""
    spread = rng.choice([0, 1, 4, 40])
    with np.errstate(over="ignore", under="ignore"):
        values = rng.standard_normal(count) * 10.0 ** rng.integers(-spread, spread + 1, count)
        if rng.random() < 0.5:
            values = np.round(values, rng.integers(0, 4))
        if rng.random() < 0.3:
            values = np.where(rng.random(count) < 0.3, rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], count), values)
        return values.astype(dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats(dtype):
    rng = np.random.default_rng(1)
    for _ in range(400):
        values = floats(rng, dtype, rng.integers(1, 12))
        same(values)
        same(values, precision=int(rng.integers(0, 12)), suppress_small=bool(rng.random() < 0.5))


def test_every_half():
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    for value in every[np.isfinite(every)]:
        same(value[None])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_of_two(dtype):
    """Their neighbours below are nearer than those above, which is where shortest decimals go wrong."""
    limits = np.finfo(dtype)
    for exponent in range(limits.minexp - limits.nmant, limits.maxexp):
        power = np.ldexp(np.ones(1, dtype), exponent)
        same(power)
        same(power, precision=20)
        same(np.nextafter(power, np.zeros_like(power)))


def test_bfloat16_shows_the_shortest_digits_that_tell_its_numbers_apart():
    every = tern.asarray((np.arange(1 << 15, dtype=np.uint32) << 16).view(np.float32)).astype(tern.bfloat16)
    values = np.asarray(every.astype(tern.float32))
    for start in range(0, 1 << 15, 997):
        value = values[start]
        if not np.isfinite(value):
            continue
        text = str(every[start : start + 1])[1:-1]
        assert tern.asarray([float(text)]).astype(tern.bfloat16).astype(tern.float32).item() == value
        assert len(text) <= 12
    assert str(tern.asarray([1 / 3, 0.1]).astype(tern.bfloat16)) == "[0.334 0.1  ]"


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex(dtype):
    rng = np.random.default_rng(2)
    part = {"complex64": "float32", "complex128": "float64"}[dtype]
    for _ in range(200):
        count = rng.integers(1, 9)
        values = np.empty(count, dtype)
        values.real, values.imag = floats(rng, part, count), floats(rng, part, count)
        same(values)


@pytest.mark.parametrize("dtype", INTEGERS + ["bool"])
def test_integers(dtype):
    rng = np.random.default_rng(3)
    if dtype == "bool":
        same(rng.random((3, 5)) < 0.5)
        same(np.array(True))
        return
    limits = np.iinfo(dtype)
    same(np.array([limits.min, limits.max, 0], dtype))
    same(rng.integers(limits.min, limits.max, (4, 40), dtype, endpoint=True))


@pytest.mark.parametrize(
    "shape",
    [(), (0,), (0, 3), (2, 0), (1,), (7,), (1000,), (1001,), (3, 4), (2, 3, 4), (2, 1, 2, 3), (40, 40), (5, 7, 40), (6, 200), (7, 200)]
    + [(2, 3, 2, 100), (1,) * 8, (3,) * 7],
)
def test_shapes(shape):
    values = (np.arange(np.prod(shape, dtype=int)) * 1.5 - 7).astype(np.float32).reshape(shape)
    for array in (values, values.astype(np.int32), values.T, np.flip(values)):
        assert str(tern.asarray(array)) == np.array2string(array)
    same(values, line_width=30, edge_items=2, threshold=5, separator=",")
    assert repr(tern.asarray(values)).startswith("Tensor(" + np.array2string(values, separator=", ", prefix="Tensor(", suffix=")"))


def test_notes():
    assert repr(tern.zeros((0, 3))) == "Tensor([], shape=(0, 3), dtype=float32)"
    assert repr(tern.zeros((2,), dtype=tern.int8)) == "Tensor([0, 0], dtype=int8)"
    # On a line of its own where it does not fit.
    assert repr(tern.arange(13)).endswith("12], dtype=int64)")
    assert repr(tern.arange(14)).endswith("13],\n       dtype=int64)")
    assert "requires_grad=True" in repr(tern.nn.parameter(tern.ones((1,))))
    assert repr(tern.zeros((100, 100))).endswith("shape=(100, 100), dtype=float32)")


def test_errors():
    with pytest.raises(tern.Error, match=r"\[to_string\] expected a precision in \[0, 20\], got 21"):
        tern.to_string(tern.ones((1,)), precision=21)
    with pytest.raises(tern.Error, match=r"\[to_string\] expected edge_items > 0, got 0"):
        tern.to_string(tern.ones((1,)), edge_items=0)
