# SPDX-License-Identifier: Apache-2.0
"""What the array API says about data types and about the namespace itself."""
from dataclasses import dataclass

from . import _core
from ._core import DType, Tensor
from .errors import InvalidArgument

_BY_KIND = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_KINDS = {
    **{kind: (kind,) for kind in _BY_KIND},
    "integral": ("signed integer", "unsigned integer"),
    "numeric": ("signed integer", "unsigned integer", "real floating", "complex floating"),
}


@dataclass(frozen=True)
class finfo_object:
    """Limits of a floating-point type."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


@dataclass(frozen=True)
class iinfo_object:
    """Limits of an integer type."""

    bits: int
    max: int
    min: int
    dtype: DType


def _dtype_of(type):
    return type.dtype if isinstance(type, Tensor) else DType(type)


# Bits of the exponent and of the fraction.
_FLOATS = {"float16": (5, 10), "bfloat16": (8, 7), "float32": (8, 23), "float64": (11, 52)}


def finfo(type, /):
    """Limits of a floating-point dtype, or of a tensor's; of its parts where it is complex."""
    dtype = {"complex64": _core.float32, "complex128": _core.float64}.get(_dtype_of(type).name, _dtype_of(type))
    if dtype.name not in _FLOATS:
        raise InvalidArgument(f"[finfo] expected a floating-point dtype, got {dtype.name}")
    exponent, fraction = _FLOATS[dtype.name]
    top = 2 ** (exponent - 1)
    largest = (2.0 - 2.0**-fraction) * 2.0 ** (top - 1)
    return finfo_object(1 + exponent + fraction, 2.0**-fraction, largest, -largest, 2.0 ** (2 - top), dtype)


def iinfo(type, /):
    """Limits of an integer dtype, or of a tensor's."""
    dtype = _dtype_of(type)
    if "integer" not in dtype.kind:
        raise InvalidArgument(f"[iinfo] expected an integer dtype, got {dtype.name}")
    bits = 8 * dtype.itemsize
    if dtype.kind == "signed integer":
        return iinfo_object(bits, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), dtype)
    return iinfo_object(bits, 2**bits - 1, 0, dtype)


def isdtype(dtype, kind):
    """Whether a dtype is one, is of a kind ('integral', 'real floating', ...), or of one of a tuple of these."""
    dtype = DType(dtype)
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if not isinstance(kind, str):
        return dtype == kind
    if kind not in _KINDS:
        raise InvalidArgument(f"[isdtype] expected one of {', '.join(map(repr, _KINDS))}, got {kind!r}")
    return dtype.kind in _KINDS[kind]


def result_type(*arrays_and_dtypes):
    """The dtype that operations on these give."""
    raise NotImplementedError


def can_cast(from_, to, /):
    """Whether promotion may turn one dtype, or a tensor, into the other."""
    return result_type(from_, to) == to


class _Info:
    """What the namespace has."""

    def capabilities(self):
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 8}

    def default_device(self):
        return _core.default_device()

    def default_dtypes(self, *, device=None):
        return {
            "real floating": _core.float32,
            "complex floating": _core.complex64,
            "integral": _core.int64,
            "indexing": _core.int64,
        }

    def dtypes(self, *, device=None, kind=None):
        if kind is None:
            kinds = tuple(_BY_KIND)
        else:
            kinds = tuple(k for one in (kind if isinstance(kind, tuple) else (kind,)) for k in _KINDS[one])
        return {name: getattr(_core, name) for k in kinds for name in _BY_KIND[k]}

    def devices(self):
        return [_core.default_device()]


def __array_namespace_info__():
    """What this namespace has: devices, dtypes, defaults."""
    return _Info()
