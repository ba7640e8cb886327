# SPDX-License-Identifier: Apache-2.0
"""Ternary numerics: absmean codes, packed matrices, activations in 8 bits."""
from ._core._quant import (  # noqa: F401
    PackedTernary,
    QuantizedRows,
    mean_abs,
    pack_ternary,
    packed_codes,
    quantize_rows,
    ternary_codes,
    ternary_linear,
    ternary_linear_ste,
    ternary_linear_sums,
    unpack_ternary,
)


def absmean(weight):
    """(int8 codes -1, 0, 1; the scale that multiplies them): the quantization of b1.58 (arXiv 2402.17764)."""
    scale = max(mean_abs(weight), 1e-5)
    return ternary_codes(weight, scale), scale


def pack(weight):
    """A float matrix [rows, cols] as a packed ternary one, by absmean."""
    return pack_ternary(*absmean(weight))
