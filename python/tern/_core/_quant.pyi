"""Ternary numerics."""

from typing import overload

import tern._core
import tern._core._packed


class QuantizedRows:
    """Activations in int8 per row: x is about q / scale."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def q(self) -> tern._core.Tensor: ...

    @property
    def scale(self) -> tern._core.Tensor: ...

    @property
    def sums(self) -> tern._core.Tensor: ...

    def __repr__(self) -> str: ...

class PackedTernary:
    """A ternary matrix in the layout of its device."""

    @property
    def bytes(self) -> tern._core.Tensor: ...

    @property
    def rows(self) -> int: ...

    @property
    def cols(self) -> int: ...

    @property
    def scale(self) -> float: ...

    def __repr__(self) -> str: ...

def mean_abs(w: tern._core.Tensor) -> float:
    """The mean of |w|: the absmean scale of b1.58."""

def ternary_codes(w: tern._core.Tensor, scale: float) -> tern._core.Tensor:
    """clip(round(w / scale), -1, 1) as int8."""

@overload
def pack_ternary(codes: tern._core.Tensor, scale: float) -> PackedTernary:
    """int8 codes -1, 0, 1 [rows, cols] in the layout of their device."""

@overload
def pack_ternary(codes: tern._core._packed.PackedTensor, scale: float) -> PackedTernary:
    """
    The same of a packed tensor of a ternary type, whose codes never exist as a whole.
    """

def unpack_ternary(packed: PackedTernary) -> tern._core.Tensor:
    """The int8 codes of a packed matrix."""

def quantize_rows(x: tern._core.Tensor) -> QuantizedRows:
    """Activations in int8 by the largest of each row."""

def ternary_linear(x: QuantizedRows, w: PackedTernary) -> tern._core.Tensor:
    """
    x times the transposed w by exact integer sums, then one scale per row.
    """

def ternary_linear_sums(x: QuantizedRows, w: PackedTernary) -> tern._core.Tensor:
    """The int32 sums themselves."""

def ternary_linear_ste(x: tern._core.Tensor, xq: QuantizedRows, master: tern._core.Tensor, codes: tern._core.Tensor, w: PackedTernary) -> tern._core.Tensor:
    """
    ternary_linear with the straight-through gradient to x and to the master weights.
    """

def packed_codes(packed: PackedTernary, type: str = 'ternary') -> tern._core._packed.PackedTensor:
    """The codes of a packed matrix as a packed tensor."""
