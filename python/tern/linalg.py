# SPDX-License-Identifier: Apache-2.0
"""Linear algebra over LAPACK: the array API's extension, and what NumPy users expect besides."""
from ._core import matmul, matrix_transpose, tensordot, vecdot  # noqa: F401
from ._core._linalg import (  # noqa: F401
    cholesky,
    cond,
    cross,
    det,
    diagonal,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    expm,
    inv,
    kron,
    lstsq,
    lu,
    matrix_norm,
    matrix_power,
    matrix_rank,
    outer,
    pinv,
    qr,
    slogdet,
    solve,
    svd,
    svdvals,
    trace,
    vector_norm,
)
from .errors import LinalgError  # noqa: F401
