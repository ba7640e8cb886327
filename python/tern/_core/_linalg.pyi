"""Linear algebra."""



def cholesky(x: Tensor, /, *, upper: bool = False) -> Tensor:
    """l with x = l @ l.mT, or its transpose."""

def qr(x: Tensor, /, *, mode: str = 'reduced') -> tuple[Tensor, Tensor]:
    """Q with orthonormal columns and R upper triangular: x = Q @ R."""

def svd(x: Tensor, /, *, full_matrices: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """U, S descending and Vh: x = U @ diag(S) @ Vh."""

def svdvals(x: Tensor, /) -> Tensor:
    """Singular values, descending."""

def lu(x: Tensor, /) -> tuple[Tensor, Tensor, Tensor]:
    """P, L and U: x = P @ L @ U, by partial pivoting."""

def eigh(x: Tensor, /) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors of symmetric matrices."""

def eig(x: Tensor, /) -> tuple[Tensor, Tensor]:
    """Complex eigenvalues and eigenvectors."""

def eigvalsh(x: Tensor, /) -> Tensor:
    """Eigenvalues of symmetric matrices, ascending."""

def eigvals(x: Tensor, /) -> Tensor:
    """Complex eigenvalues."""

def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """x with x1 @ x = x2."""

def solve_triangular(x1: Tensor, x2: Tensor, /, *, upper: bool = False) -> Tensor:
    """x with x1 @ x = x2, of x1's lower or upper triangle."""

def lu_factor(x: Tensor, /) -> tuple[Tensor, Tensor]:
    """
    The factors of x in the form that lu_solve takes: L below U, and pivots.
    """

def lu_solve(factors: tuple[Tensor, Tensor], x2: Tensor, /) -> Tensor:
    """solve() with what lu_factor found."""

def lstsq(a: Tensor, b: Tensor, /, *, rtol: float | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """
    The shortest x that minimizes |b - a @ x|, the residuals, the rank and the singular values.
    """

def inv(x: Tensor, /) -> Tensor:
    """The inverse."""

def pinv(x: Tensor, /, *, rtol: float | Tensor | None = None) -> Tensor:
    """The Moore-Penrose inverse."""

def matrix_rank(x: Tensor, /, *, rtol: float | Tensor | None = None) -> Tensor:
    """How many singular values are above rtol times the largest."""

def det(x: Tensor, /) -> Tensor:
    """The determinant."""

def slogdet(x: Tensor, /) -> tuple[Tensor, Tensor]:
    """The determinant's sign and the logarithm of its modulus."""

def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: float | str = 'fro') -> Tensor:
    """The norm of matrices: 'fro', 'nuc', 1, -1, 2, -2, inf or -inf."""

def vector_norm(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, ord: float = 2, keepdims: bool = False) -> Tensor:
    """The norm of vectors along axes, or of all elements."""

def norm(x: Tensor, /, *, ord: float | None = None, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """
    NumPy's norm: the 2-norm over axes, or of all elements; with ord, of vectors along one axis, of matrices in two.
    """

def cond(x: Tensor, p: float | str | None = None, /) -> Tensor:
    """The condition number."""

def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """The diagonals of matrices, as a view."""

def trace(x: Tensor, /, *, offset: int = 0, dtype: DType | None = None) -> Tensor:
    """The sum of the diagonal; without dtype, integers in 64 bits."""

def kron(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The Kronecker product."""

def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The products of two vectors' elements."""

def expm(x: Tensor, /) -> Tensor:
    """e to the power of a matrix."""

def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The product of vectors of three."""

def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """x @ x @ ..., n times."""
