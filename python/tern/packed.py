# SPDX-License-Identifier: Apache-2.0
"""Packed tensors: ternary values in 1.6 or 2 bits, signs in one, integers in 1 to 7, whose storage is really that small.

    >>> p = tern.packed.pack([[1, -1, 0], [0, 0, 1]], "ternary")
    >>> p.nbytes
    2
    >>> p[1].unpack(tern.float32)
    Tensor([0., 0., 1.], dtype=float32)
"""
from ._core import asarray as _asarray
from ._core import _packed
from ._core._packed import PackedTensor, load_safetensors, save_safetensors, types  # noqa: F401


def pack(values, type, *, saturate=False):
    """Numbers as a packed type, rounded to nearest even: any tensor or array of real numbers, or what asarray() takes.

    A number that the type does not hold is an error that names it, or becomes the nearest one where `saturate` is true
    (of "sign1" the sign, +1 of 0). NaN is always an error.
    """
    return _packed.pack(_asarray(values), type, saturate=saturate)


def from_bytes(bytes, shape, type):
    """A packed tensor over bytes that are there, uint8 [all extents but the last, bytes of a row], without a copy.

    They are checked: bytes that no values have are an error.
    """
    return _packed.from_bytes(_asarray(bytes), shape, type)
