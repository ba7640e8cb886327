# SPDX-License-Identifier: Apache-2.0
"""What the array API says about data types and about the namespace itself."""
from . import _core
from ._core import DType
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


class _Info:
    """What the namespace has."""

    def capabilities(self):
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 32}

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
