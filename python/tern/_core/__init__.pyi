"""The compiled part of tern; import tern instead."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import os
from typing import Any, overload

import numpy

from tern._core import (
    _linalg as _linalg,
    _nn as _nn,
    _packed as _packed,
    _quant as _quant
)


class DType:
    """
    A data type: tern.float32 and its like. Compares equal to its name and to NumPy's dtype.
    """

    def __init__(self, dtype: object, /) -> None: ...

    @property
    def name(self) -> str: ...

    @property
    def itemsize(self) -> int: ...

    @property
    def kind(self) -> str: ...

    def __eq__(self, other: object, /) -> bool: ...

    def __hash__(self) -> int: ...

    def __repr__(self) -> str: ...

    def __str__(self) -> str: ...

    def __reduce__(self) -> tuple: ...

float32: DType = ...

bfloat16: DType = ...

float16: DType = ...

int8: DType = ...

uint8: DType = ...

int32: DType = ...

int64: DType = ...

bool: DType = ...

int16: DType = ...

uint16: DType = ...

uint32: DType = ...

uint64: DType = ...

float64: DType = ...

complex64: DType = ...

complex128: DType = ...

class FloatInfo:
    """Limits of a floating-point dtype; of its parts where it is complex."""

    @property
    def dtype(self) -> DType: ...

    @property
    def bits(self) -> int: ...

    @property
    def eps(self) -> float: ...

    @property
    def max(self) -> float: ...

    @property
    def min(self) -> float: ...

    @property
    def smallest_normal(self) -> float: ...

    @property
    def smallest_subnormal(self) -> float: ...

class IntegerInfo:
    """Limits of an integer dtype."""

    @property
    def dtype(self) -> DType: ...

    @property
    def bits(self) -> int: ...

    @property
    def max(self) -> int: ...

    @property
    def min(self) -> int: ...

def finfo(type: DType | Tensor, /) -> FloatInfo:
    """Limits of a floating-point dtype, or of a tensor's."""

def iinfo(type: DType | Tensor, /) -> IntegerInfo:
    """Limits of an integer dtype, or of a tensor's."""

def result_type(*arrays_and_dtypes: Tensor | DType | complex) -> DType:
    """The dtype that operations on these give."""

def can_cast(from_: DType | Tensor, to: DType, /) -> bool:
    """Whether promotion leads from one dtype to another."""

class MemoryStatistics:
    """Bytes of a device's memory."""

    @property
    def live(self) -> int: ...

    @property
    def peak(self) -> int: ...

    @property
    def reserved(self) -> int: ...

    @property
    def limit(self) -> int: ...

    def __repr__(self) -> str: ...

class Device:
    """
    A machine that stores tensors and computes: a CPU with some threads, or a GPU.
    """

    def __init__(self, name: str = 'cpu', *, threads: int = 0, isa: str = '', ordinal: int = 0, memory_limit: int = 0) -> None:
        """
        Opens a device. Tensors of two devices do not mix, even where both are the same machine.
        """

    @staticmethod
    def names() -> list[str]:
        """Names that it can be opened by, whether this machine has one or not."""

    @staticmethod
    def cpu_isas() -> list[str]:
        """Instruction sets of a CPU that this machine has, slowest first."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def isa(self) -> str: ...

    @property
    def threads(self) -> int: ...

    def synchronize(self) -> None:
        """Waits until everything that was asked of the device is done."""

    def memory_statistics(self) -> MemoryStatistics:
        """What its memory holds."""

    def trim_memory(self) -> None:
        """Gives memory that is free back to the system."""

    def __eq__(self, arg: Device, /) -> bool: ...

    def __hash__(self) -> int: ...

    def __repr__(self) -> str: ...

    def __str__(self) -> str: ...

def default_device() -> Device:
    """The device of tensors that name none: the CPU."""

class _Rows:
    def __iter__(self) -> Iterator[Tensor]: ...

    def __next__(self) -> Tensor: ...

class Tensor:
    """
    A strided view of numbers of one dtype on a device. Made by asarray, zeros, ... and by operations.
    """

    def __init__(self, array: Any, /) -> None:
        """
        Over the memory of a NumPy array or of whatever has __dlpack__ or a buffer, where it can be shared; asarray has the choices. Functions that take a Tensor take such an array in its place.
        """

    __array_priority__: int = 1000

    @property
    def dtype(self) -> DType: ...

    @property
    def device(self) -> Device: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def strides(self) -> tuple[int, ...]:
        """In elements; 0 of an axis that was broadcast."""

    @property
    def ndim(self) -> int: ...

    @property
    def size(self) -> int: ...

    @property
    def itemsize(self) -> int: ...

    @property
    def nbytes(self) -> int: ...

    @property
    def T(self) -> Tensor:
        """A matrix transposed, as a view."""

    @property
    def mT(self) -> Tensor:
        """The last two axes swapped, as a view."""

    def is_contiguous(self) -> bool: ...

    def shares_storage_with(self, arg: Tensor, /) -> bool: ...

    def memory_report(self) -> dict[str, Any]:
        """
        Where the elements lie, how many bytes they have, and how many tensors share the block.
        """

    @property
    def data_ptr(self) -> int:
        """The address of the first element."""

    def item(self) -> object:
        """The only element, as Python's number."""

    def tolist(self) -> Any:
        """Nested lists of numbers."""

    def __bool__(self) -> bool: ...

    def __int__(self) -> int: ...

    def __float__(self) -> float: ...

    def __complex__(self) -> complex: ...

    def __index__(self) -> int: ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Tensor: ...

    def __setitem__(self, key: Any, value: Tensor | complex, /) -> None: ...

    def __iter__(self) -> Iterator[Tensor]: ...

    def astype(self, dtype: DType, /, *, copy: bool = True) -> Tensor: ...

    def __copy__(self) -> Tensor: ...

    def __deepcopy__(self, arg: object, /) -> Tensor: ...

    def to_device(self, device: Device | str, /, *, stream: object = None) -> Tensor: ...

    @property
    def requires_grad(self) -> bool: ...

    @requires_grad.setter
    def requires_grad(self, arg: bool, /) -> None: ...

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward() added up, float32; None before."""

    @grad.setter
    def grad(self, grad: Tensor | None) -> None: ...

    def detach(self) -> Tensor:
        """The same elements, cut off from the graph."""

    def backward(self, grad: Tensor | None = None) -> None:
        """
        Adds the gradient of this tensor, weighted by grad (1 for one element), to .grad of every leaf that requires one.
        """

    def __repr__(self) -> str: ...

    def __str__(self) -> str: ...

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        """The module tern, as the array API's namespace."""

    def __array__(self, dtype: object = None, *, copy: bool | None = None) -> numpy.ndarray:
        """
        A NumPy array over the same memory, which lives as long as either of them.
        """

    def __dlpack__(self, *, stream: object = None, max_version: tuple[int, int] | None = None, dl_device: tuple[int, int] | None = None, copy: bool | None = None) -> Any:
        """A DLPack capsule of the same memory."""

    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's numbers of the device."""

    def numpy(self) -> numpy.ndarray:
        """A NumPy array over the same memory."""

    def __add__(self, other: Tensor | complex, /) -> Tensor: ...

    def __radd__(self, other: Tensor | complex, /) -> Tensor: ...

    def __iadd__(self, other: Tensor | complex, /) -> Tensor: ...

    def __sub__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rsub__(self, other: Tensor | complex, /) -> Tensor: ...

    def __isub__(self, other: Tensor | complex, /) -> Tensor: ...

    def __mul__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rmul__(self, other: Tensor | complex, /) -> Tensor: ...

    def __imul__(self, other: Tensor | complex, /) -> Tensor: ...

    def __truediv__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rtruediv__(self, other: Tensor | complex, /) -> Tensor: ...

    def __itruediv__(self, other: Tensor | complex, /) -> Tensor: ...

    def __floordiv__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rfloordiv__(self, other: Tensor | complex, /) -> Tensor: ...

    def __ifloordiv__(self, other: Tensor | complex, /) -> Tensor: ...

    def __mod__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rmod__(self, other: Tensor | complex, /) -> Tensor: ...

    def __imod__(self, other: Tensor | complex, /) -> Tensor: ...

    def __and__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rand__(self, other: Tensor | complex, /) -> Tensor: ...

    def __iand__(self, other: Tensor | complex, /) -> Tensor: ...

    def __or__(self, other: Tensor | complex, /) -> Tensor: ...

    def __ror__(self, other: Tensor | complex, /) -> Tensor: ...

    def __ior__(self, other: Tensor | complex, /) -> Tensor: ...

    def __xor__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rxor__(self, other: Tensor | complex, /) -> Tensor: ...

    def __ixor__(self, other: Tensor | complex, /) -> Tensor: ...

    def __lshift__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rlshift__(self, other: Tensor | complex, /) -> Tensor: ...

    def __ilshift__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rshift__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rrshift__(self, other: Tensor | complex, /) -> Tensor: ...

    def __irshift__(self, other: Tensor | complex, /) -> Tensor: ...

    def __matmul__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rmatmul__(self, other: Tensor | complex, /) -> Tensor: ...

    def __imatmul__(self, other: Tensor | complex, /) -> Tensor: ...

    def __pow__(self, other: Tensor | complex, /) -> Tensor: ...

    def __rpow__(self, other: Tensor | complex, /) -> Tensor: ...

    def __ipow__(self, other: Tensor | complex, /) -> Tensor: ...

    def __eq__(self, other: Tensor | complex, /) -> Tensor: ...

    def __ne__(self, other: Tensor | complex, /) -> Tensor: ...

    def __lt__(self, other: Tensor | complex, /) -> Tensor: ...

    def __le__(self, other: Tensor | complex, /) -> Tensor: ...

    def __gt__(self, other: Tensor | complex, /) -> Tensor: ...

    def __ge__(self, other: Tensor | complex, /) -> Tensor: ...

    def __neg__(self) -> Tensor: ...

    def __abs__(self) -> Tensor: ...

    def __pos__(self) -> Tensor: ...

    def __invert__(self) -> Tensor: ...

    def __hash__(self, /):
        """Return hash(self)."""

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """tern.sum"""

    def prod(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """tern.prod"""

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """tern.mean"""

    def max(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """tern.max"""

    def min(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """tern.min"""

    def any(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """tern.any"""

    def all(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """tern.all"""

    def var(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """tern.var"""

    def std(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """tern.std"""

    def argmax(self, axis: int | None = None) -> Tensor:
        """tern.argmax"""

    def argmin(self, axis: int | None = None) -> Tensor:
        """tern.argmin"""

    def reshape(self, *shape: int | tuple[int, ...]) -> Tensor:
        """tern.reshape"""

    def transpose(self, *axes: int | tuple[int, ...]) -> Tensor:
        """Axes in a new order; reversed if none is given."""

    def flatten(self) -> Tensor:
        """A copy with one axis."""

    def ravel(self) -> Tensor:
        """With one axis; a view where strides allow."""

    def copy(self) -> Tensor:
        """A copy."""

def to_string(x: Tensor, *, precision: int = 8, suppress_small: bool = False, threshold: int = 1000, edge_items: int = 3, line_width: int = 75, indent: int = 0, suffix: int = 0, separator: str = ' ') -> str:
    """The elements as text, as numpy.array2string writes them."""

def asarray(obj: Any, /, *, dtype: DType | None = None, device: Device | str | None = None, copy: bool | None = None) -> Tensor:
    """
    A tensor of numbers, nested sequences of them, or over the memory of a tensor, a NumPy array or whatever has __dlpack__ or a buffer. copy: True copies, False never does (an Error where it must), None where it must.
    """

def from_dlpack(x: Any, /, *, device: Device | str | None = None, copy: bool | None = None) -> Tensor:
    """A tensor over the memory of an object that has __dlpack__."""

def abs(x: Tensor, /) -> Tensor:
    """|x|"""

def negative(x: Tensor, /) -> Tensor:
    """-x"""

def positive(x: Tensor, /) -> Tensor:
    """A copy of x."""

def sign(x: Tensor, /) -> Tensor:
    """-1, 0 or 1; x / |x| of complex numbers."""

def square(x: Tensor, /) -> Tensor:
    """x * x"""

def sqrt(x: Tensor, /) -> Tensor:
    """The square root."""

def reciprocal(x: Tensor, /) -> Tensor:
    """1 / x"""

def floor(x: Tensor, /) -> Tensor:
    """Rounded down."""

def ceil(x: Tensor, /) -> Tensor:
    """Rounded up."""

def trunc(x: Tensor, /) -> Tensor:
    """Rounded towards 0."""

def round(x: Tensor, /) -> Tensor:
    """Rounded to the nearest integer, ties to even."""

def add(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 + x2"""

def subtract(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 - x2"""

def multiply(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 * x2"""

def divide(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 / x2"""

def floor_divide(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 // x2"""

def remainder(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 % x2, of the divisor's sign."""

def pow(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 ** x2"""

def hypot(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """sqrt(x1**2 + x2**2), without overflow in between."""

def copysign(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """|x1| with the sign of x2."""

def nextafter(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """The neighbour of x1 on the way to x2."""

def minimum(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """The smaller of two; NaN if either is."""

def maximum(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """The larger of two; NaN if either is."""

def clip(x: Tensor, /, min: Tensor | float | None = None, max: Tensor | float | None = None) -> Tensor:
    """x, or the bound that it is beyond."""

def where(condition: Tensor, x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 where condition is true, else x2."""

def exp(x: Tensor, /) -> Tensor:
    """e to the power of x."""

def expm1(x: Tensor, /) -> Tensor:
    """exp(x) - 1, exact near 0."""

def log(x: Tensor, /) -> Tensor:
    """The natural logarithm."""

def log1p(x: Tensor, /) -> Tensor:
    """log(1 + x), exact near 0."""

def log2(x: Tensor, /) -> Tensor:
    """The logarithm to base 2."""

def log10(x: Tensor, /) -> Tensor:
    """The logarithm to base 10."""

def sin(x: Tensor, /) -> Tensor:
    """The sine."""

def cos(x: Tensor, /) -> Tensor:
    """The cosine."""

def tan(x: Tensor, /) -> Tensor:
    """The tangent."""

def asin(x: Tensor, /) -> Tensor:
    """The inverse sine."""

def acos(x: Tensor, /) -> Tensor:
    """The inverse cosine."""

def atan(x: Tensor, /) -> Tensor:
    """The inverse tangent."""

def sinh(x: Tensor, /) -> Tensor:
    """The hyperbolic sine."""

def cosh(x: Tensor, /) -> Tensor:
    """The hyperbolic cosine."""

def tanh(x: Tensor, /) -> Tensor:
    """The hyperbolic tangent."""

def asinh(x: Tensor, /) -> Tensor:
    """The inverse hyperbolic sine."""

def acosh(x: Tensor, /) -> Tensor:
    """The inverse hyperbolic cosine."""

def atanh(x: Tensor, /) -> Tensor:
    """The inverse hyperbolic tangent."""

def real(x: Tensor, /) -> Tensor:
    """The real part, as a view."""

def imag(x: Tensor, /) -> Tensor:
    """The imaginary part, as a view."""

def conj(x: Tensor, /) -> Tensor:
    """The complex conjugate."""

def atan2(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """The angle of the point (x2, x1)."""

def logaddexp(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """log(exp(x1) + exp(x2))"""

def isfinite(x: Tensor, /) -> Tensor:
    """Whether x is neither infinite nor NaN."""

def isinf(x: Tensor, /) -> Tensor:
    """Whether x is infinite."""

def isnan(x: Tensor, /) -> Tensor:
    """Whether x is NaN."""

def signbit(x: Tensor, /) -> Tensor:
    """Whether the sign is negative, of -0 and NaN, too."""

def logical_not(x: Tensor, /) -> Tensor:
    """Whether x is 0."""

def bitwise_invert(x: Tensor, /) -> Tensor:
    """~x"""

def equal(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 == x2"""

def not_equal(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 != x2"""

def less(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 < x2"""

def less_equal(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 <= x2"""

def greater(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 > x2"""

def greater_equal(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 >= x2"""

def logical_and(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """Whether both are other than 0."""

def logical_or(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """Whether one is other than 0."""

def logical_xor(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """Whether just one is other than 0."""

def bitwise_and(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 & x2"""

def bitwise_or(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 | x2"""

def bitwise_xor(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 ^ x2"""

def bitwise_left_shift(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 << x2"""

def bitwise_right_shift(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor:
    """x1 >> x2"""

def empty(shape: int | tuple[int, ...], *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """Elements of no particular value."""

def zeros(shape: int | tuple[int, ...], *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """Zeros."""

def ones(shape: int | tuple[int, ...], *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """Ones."""

def empty_like(x: Tensor, /, *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """Elements of no particular value, of x's shape and dtype."""

def zeros_like(x: Tensor, /, *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """Zeros of x's shape and dtype."""

def ones_like(x: Tensor, /, *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """Ones of x's shape and dtype."""

def full(shape: int | tuple[int, ...], fill_value: complex, *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """One number everywhere."""

def full_like(x: Tensor, /, fill_value: complex, *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """One number everywhere, of x's shape and dtype."""

def arange(start: float, /, stop: float | None = None, step: float = 1, *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """
    Numbers from start to before stop (from 0 to before start, where stop is None).
    """

def linspace(start: complex, stop: complex, /, num: int, *, dtype: DType | None = None, device: Device | str | None = None, endpoint: bool = True) -> Tensor:
    """num numbers at even distances from start to stop."""

def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """Ones on a diagonal, zeros elsewhere."""

def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Matrices with zeros above a diagonal."""

def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Matrices with zeros below a diagonal."""

def diag(x: Tensor, /, *, k: int = 0) -> Tensor:
    """A matrix's diagonal, or the matrix that has a vector there."""

def meshgrid(*arrays: Tensor, indexing: str = 'xy') -> list[Tensor]:
    """The coordinates of a grid."""

def sum(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, dtype: DType | None = None, keepdims: bool = False) -> Tensor:
    """
    The sum over axes, or of all elements; without dtype, integers and bool in 64 bits.
    """

def prod(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, dtype: DType | None = None, keepdims: bool = False) -> Tensor:
    """
    The product over axes, or of all elements; without dtype, integers and bool in 64 bits.
    """

def mean(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """The mean over axes, or of all elements."""

def max(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """The largest element."""

def min(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """The smallest element."""

def any(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """Whether an element is not 0."""

def all(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """Whether all elements are not 0."""

def count_nonzero(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """How many elements are not 0."""

def logsumexp(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """log(sum(exp(x))), without overflow."""

def var(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance: sum(|x - mean|**2) / (n - correction)."""

def std(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The root of the variance."""

def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The first index of the largest element."""

def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The first index of the smallest element."""

def median(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """The element in the middle, or the mean of the two in the middle."""

def quantile(x: Tensor, q: float | Sequence[float], /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, method: str = 'linear') -> Tensor:
    """
    What a share q of the elements lies below, by NumPy's methods; of several q, along a new first axis.
    """

def cumulative_sum(x: Tensor, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False) -> Tensor:
    """
    Sums of all elements up to each; without dtype, integers and bool in 64 bits.
    """

def cumulative_prod(x: Tensor, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False) -> Tensor:
    """
    Products of all elements up to each; without dtype, integers and bool in 64 bits.
    """

def diff(x: Tensor, /, *, axis: int = -1, n: int = 1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
    """x[i + 1] - x[i], n times."""

def reshape(x: Tensor, /, shape: int | tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """
    The elements in row-major order under a new shape, of which one extent may be -1; a view where strides allow.
    """

def permute_dims(x: Tensor, /, axes: tuple[int, ...]) -> Tensor:
    """Axes in a new order, as a view."""

def matrix_transpose(x: Tensor, /) -> Tensor:
    """The last two axes swapped, as a view."""

def swapaxes(x: Tensor, axis1: int, axis2: int, /) -> Tensor:
    """Two axes swapped, as a view."""

def moveaxis(x: Tensor, source: int | tuple[int, ...], destination: int | tuple[int, ...], /) -> Tensor:
    """Axes moved to other places, as a view."""

def broadcast_to(x: Tensor, /, shape: tuple[int, ...]) -> Tensor:
    """A view of a larger shape."""

def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """Views of the shape to which all broadcast."""

def broadcast_shapes(*shapes: int | tuple[int, ...]) -> tuple[int, ...]:
    """The shape to which all broadcast."""

def expand_dims(x: Tensor, /, axis: int) -> Tensor:
    """A new axis of one, as a view."""

def squeeze(x: Tensor, /, axis: int | tuple[int, ...]) -> Tensor:
    """Without axes of one, as a view."""

def flip(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """In reverse along axes, as a view."""

def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The parts along an axis, without it, as views."""

def split(x: Tensor, /, indices_or_sections: int | Sequence[int], *, axis: int = 0) -> list[Tensor]:
    """Parts of an axis, as views."""

def concat(arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor:
    """Joined along an axis; without one, flattened before."""

def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """Joined along a new axis."""

def roll(x: Tensor, /, shift: int | tuple[int, ...], *, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """Moved along axes, what leaves at one end coming in at the other."""

def repeat(x: Tensor, repeats: int | Tensor, /, *, axis: int | None = None) -> Tensor:
    """Each element of an axis so many times after each other."""

def tile(x: Tensor, repetitions: tuple[int, ...], /) -> Tensor:
    """x, so many times along each axis."""

def pad(x: Tensor, /, pad_width: Sequence[tuple[int, int]], *, mode: str = 'constant', constant_values: complex = 0) -> Tensor:
    """Wider by so many elements before and after each axis."""

def astype(x: Tensor, dtype: DType, /, *, copy: bool = True, device: Device | str | None = None) -> Tensor:
    """Converted to a dtype; integers that it lacks wrap."""

def cast_saturating(x: Tensor, dtype: DType, /) -> Tensor:
    """
    Converted to a dtype; integers that it lacks become the nearest that it has.
    """

def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """Elements of an axis by their indices."""

def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """x[..., indices[..., i, ...], ...]"""

def put_along_axis(x: Tensor, indices: Tensor, values: Tensor | complex, /, *, axis: int = -1) -> None:
    """
    x[..., indices[..., i, ...], ...] = values[..., i, ...], in place; of several values for one element the last remains. values broadcast to what take_along_axis gives.
    """

def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The matrix product over the last two axes."""

def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """
    The elements along an axis in order, NaNs last. What is equal keeps its order.
    """

def argsort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """Where the elements of sort(x) were."""

def topk(x: Tensor, k: int, /, *, axis: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest elements along an axis in order, and their indices."""

def searchsorted(x1: Tensor, x2: Tensor, /, *, side: str = 'left', sorter: Tensor | None = None) -> Tensor:
    """Where values could be put into a sorted axis to keep it in order."""

def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """Where x is not 0: indices for each axis."""

def isin(x1: Tensor, x2: Tensor, /, *, invert: bool = False) -> Tensor:
    """Whether each element of x1 is one of x2."""

def unique_all(x: Tensor, /) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """
    Each value once, where it is first, which value each element has, and how many have it.
    """

def unique_counts(x: Tensor, /) -> tuple[Tensor, Tensor]:
    """Each value once, and how many elements have it."""

def unique_inverse(x: Tensor, /) -> tuple[Tensor, Tensor]:
    """Each value once, and which value each element has."""

def unique_values(x: Tensor, /) -> Tensor:
    """Each value once."""

def einsum(subscripts: str, *operands: Tensor) -> Tensor:
    """Einstein's sums: 'ij,jk->ik'."""

def tensordot(x1: Tensor, x2: Tensor, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor:
    """Sums of products over axes of both."""

def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Sums of conj(x1) * x2 along an axis."""

class Generator:
    """Random numbers, the same for a seed on every machine (Philox4x32-10)."""

    def __init__(self, seed: int, counter: int = 0) -> None:
        """
        The numbers from a counter on: Generator(g.seed, g.counter) goes on where g is.
        """

    @property
    def seed(self) -> int: ...

    @property
    def counter(self) -> int: ...

    def __repr__(self) -> str: ...

    def uniform(self, shape: int | tuple[int, ...] = (), low: float = 0, high: float = 1, *, dtype: DType = float32, device: Device | str | None = None) -> Tensor:
        """Even in [low, high)."""

    def normal(self, shape: int | tuple[int, ...] = (), mean: float = 0, deviation: float = 1, *, dtype: DType = float32, device: Device | str | None = None) -> Tensor:
        """Normal numbers."""

    def exponential(self, shape: int | tuple[int, ...] = (), mean: float = 1, *, dtype: DType = float32, device: Device | str | None = None) -> Tensor:
        """Exponential numbers of this mean."""

    def integers(self, low: int, high: int, shape: int | tuple[int, ...] = (), *, dtype: DType = int64, device: Device | str | None = None) -> Tensor:
        """Integers of [low, high), each as likely as any other."""

    def bits(self, shape: int | tuple[int, ...] = (), *, dtype: DType = uint64, device: Device | str | None = None) -> Tensor:
        """Integers all of whose bits are random."""

    @overload
    def bernoulli(self, probability: float, shape: int | tuple[int, ...] = (), *, device: Device | str | None = None) -> Tensor:
        """True with this probability."""

    @overload
    def bernoulli(self, probabilities: Tensor) -> Tensor:
        """True with the probability of each element."""

    def permutation(self, count: int, *, device: Device | str | None = None) -> Tensor:
        """0 ... count-1 in random order."""

    def shuffled(self, x: Tensor, axis: int = 0) -> Tensor:
        """x with the elements of an axis in random order."""

    @overload
    def choice(self, count: int, shape: int | tuple[int, ...] = (), *, replace: bool = True, device: Device | str | None = None) -> Tensor:
        """Numbers of [0, count); without replacement, distinct ones."""

    @overload
    def choice(self, probabilities: Tensor, shape: int | tuple[int, ...] = ()) -> Tensor:
        """Numbers of [0, len(probabilities)), each with its probability."""

def load_safetensors(path: str | os.PathLike, *, device: Device | str | None = None) -> dict[str, Tensor]:
    """
    Every tensor of a file, over the mapped file; what is written to them stays in memory.
    """

def save_safetensors(path: str | os.PathLike, tensors: dict[str, Tensor], metadata: dict[str, str] = {}) -> None:
    """Creates or replaces a file in one step."""

def load_npy(path: str | os.PathLike, *, device: Device | str | None = None) -> Tensor:
    """The array in a .npy file."""

def save_npy(path: str | os.PathLike, tensor: Tensor) -> None:
    """Creates or replaces a .npy file in one step."""

class Grammar:
    """A set of texts that a model may write."""

    @staticmethod
    def parse(gbnf: str) -> Grammar:
        """Reads GBNF, llama.cpp's notation."""

    @staticmethod
    def json() -> Grammar:
        """Any JSON value."""

    @staticmethod
    def from_json_schema(schema: str | dict | bool) -> Grammar:
        """
        JSON texts that are instances of a schema, given as text or as the object that it describes.
        """

    def matches(self, text: str) -> bool:
        """Whether a whole text is one of the grammar's."""

class Tokenizer:
    """
    A byte-level BPE tokenizer, as Hugging Face's tokenizer.json describes it.
    """

    @staticmethod
    def load(path: str | os.PathLike) -> Tokenizer:
        """Reads a tokenizer.json, or the one in a directory."""

    @staticmethod
    def train(texts: Sequence[str], *, vocab_size: int = 4096, split: str = ..., special_tokens: Sequence[str] = ['<|begin_of_text|>', '<|end_of_text|>'], min_frequency: int = 2) -> Tokenizer:
        """Learns a vocabulary from texts."""

    def encode(self, text: str | bytes, *, parse_special: bool = True) -> list[int]:
        """
        The ids of a text; special tokens in it become their ids unless parse_special is False. None is added.
        """

    def decode(self, ids: Any, *, skip_special: bool = False) -> str:
        """The text of ids."""

    def decode_bytes(self, ids: Any, *, skip_special: bool = False) -> bytes:
        """The same, byte for byte."""

    @property
    def vocab_size(self) -> int:
        """The largest id plus one."""

    def token_to_id(self, token: str) -> int | None:
        """The id of a token as tokenizer.json writes it, or None."""

    def id_to_bytes(self, id: int) -> bytes:
        """The bytes that an id stands for."""

    def is_special(self, id: int) -> bool: ...

    def save(self, path: str | os.PathLike) -> None:
        """Writes tokenizer.json in one step."""

    def __len__(self) -> int: ...

    def __repr__(self) -> str: ...

class ChatTemplate:
    """A model's chat template: messages as the text that it was trained on."""

    @staticmethod
    def load(path: str | os.PathLike, template_file: str = '') -> ChatTemplate:
        """The template of a model directory."""

    @staticmethod
    def parse(jinja: str, tokens: Mapping[str, str] = {}) -> ChatTemplate:
        """A template from memory."""

    def render(self, messages: list[dict], add_generation_prompt: bool = True, **variables: Any) -> str:
        """The text of messages [{'role': ..., 'content': ...}, ...]."""

class StreamDecoder:
    """Decodes ids one at a time and never splits a character."""

    def __init__(self, tokenizer: Tokenizer, skip_special: bool = False) -> None: ...

    def push(self, id: int) -> str: ...

    def finish(self) -> str: ...

class ModelConfig:
    """Hyper-parameters, named as in Hugging Face's config.json."""

    def __init__(self, **fields: Any) -> None: ...

    @property
    def architecture(self) -> str: ...

    @architecture.setter
    def architecture(self, arg: str, /) -> None: ...

    @property
    def vocab_size(self) -> int: ...

    @vocab_size.setter
    def vocab_size(self, arg: int, /) -> None: ...

    @property
    def hidden_size(self) -> int: ...

    @hidden_size.setter
    def hidden_size(self, arg: int, /) -> None: ...

    @property
    def intermediate_size(self) -> int: ...

    @intermediate_size.setter
    def intermediate_size(self, arg: int, /) -> None: ...

    @property
    def num_hidden_layers(self) -> int: ...

    @num_hidden_layers.setter
    def num_hidden_layers(self, arg: int, /) -> None: ...

    @property
    def num_attention_heads(self) -> int: ...

    @num_attention_heads.setter
    def num_attention_heads(self, arg: int, /) -> None: ...

    @property
    def num_key_value_heads(self) -> int: ...

    @num_key_value_heads.setter
    def num_key_value_heads(self, arg: int, /) -> None: ...

    @property
    def max_position_embeddings(self) -> int: ...

    @max_position_embeddings.setter
    def max_position_embeddings(self, arg: int, /) -> None: ...

    @property
    def rope_theta(self) -> float: ...

    @rope_theta.setter
    def rope_theta(self, arg: float, /) -> None: ...

    @property
    def rms_norm_eps(self) -> float: ...

    @rms_norm_eps.setter
    def rms_norm_eps(self, arg: float, /) -> None: ...

    @property
    def initializer_range(self) -> float: ...

    @initializer_range.setter
    def initializer_range(self, arg: float, /) -> None: ...

    @property
    def tie_word_embeddings(self) -> bool: ...

    @tie_word_embeddings.setter
    def tie_word_embeddings(self, arg: bool, /) -> None: ...

    @property
    def hidden_act(self) -> str: ...

    @hidden_act.setter
    def hidden_act(self, arg: str, /) -> None: ...

    @property
    def bos_token_id(self) -> int: ...

    @bos_token_id.setter
    def bos_token_id(self, arg: int, /) -> None: ...

    @property
    def eos_token_ids(self) -> list[int]: ...

    @eos_token_ids.setter
    def eos_token_ids(self, arg: Sequence[int], /) -> None: ...

    def __repr__(self) -> str: ...

class ModelInfo:
    """What a model is made of."""

    @property
    def parameters(self) -> int: ...

    @property
    def ternary_parameters(self) -> int: ...

    @property
    def ternary_bytes(self) -> int: ...

    @property
    def resident_bytes(self) -> int: ...

    @property
    def head_bytes(self) -> int: ...

    @property
    def bits_per_weight(self) -> float: ...

    @property
    def f32_bytes(self) -> int: ...

    @property
    def f16_bytes(self) -> int: ...

    @property
    def packed_bytes(self) -> int: ...

    def __repr__(self) -> str: ...

class _Model:
    """What tern.Model is made of."""

    @staticmethod
    def load(path: str | os.PathLike, device: Device | str | None = None, head: str | None = None) -> _Model: ...

    @staticmethod
    def create(config: ModelConfig, seed: int = 0, device: Device | str | None = None) -> _Model: ...

    @property
    def config(self) -> ModelConfig: ...

    @property
    def device(self) -> Device: ...

    @property
    def packed(self) -> bool:
        """Whether it has ternary codes only, and no masters to train."""

    @property
    def info(self) -> ModelInfo: ...

    @property
    def head(self) -> str:
        """How the head computes logits: 'full', 'screened', 'int8' or 'int4'."""

    @head.setter
    def head(self, arg: str, /) -> None: ...

    def __call__(self, ids: Any) -> Tensor:
        """Logits [batch, tokens, vocab] of ids [batch, tokens]."""

    def training_logits(self, ids: Any) -> Tensor:
        """The same logits with the graph behind them: for losses of one's own."""

    def loss(self, ids: Any, labels: Any = None, *, recompute: bool = False) -> Tensor:
        """
        The mean cross-entropy of labels (ids itself if None), as Hugging Face defines it: the logits of a token are held against the next label, and -100 is ignored.
        """

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """Names as in Hugging Face's files, and the weights themselves."""

    def requantize(self) -> None:
        """
        Quantizes the masters anew: to be called after they change, before the model runs.
        """

    def save(self, path: str | os.PathLike, *, packed: bool | None = None) -> None:
        """
        Writes config.json and model.safetensors: ternary codes (packed=True) or f32 masters; as it is held if None.
        """

    def __repr__(self) -> str: ...

class TokenLogprob:
    @property
    def id(self) -> int: ...

    @property
    def logprob(self) -> float: ...

    def __repr__(self) -> str: ...

class GeneratedToken:
    @property
    def id(self) -> int: ...

    @property
    def logprob(self) -> float | None: ...

    @property
    def top(self) -> list[TokenLogprob]: ...

class GenerateResult:
    """What was generated."""

    @property
    def text(self) -> str: ...

    @property
    def ids(self) -> list[int]: ...

    @property
    def logprobs(self) -> list[GeneratedToken]: ...

    @property
    def finish_reason(self) -> str:
        """'stop', 'length', 'context' or 'cancelled'."""

    @property
    def prompt_tokens(self) -> int: ...

    @property
    def cached_tokens(self) -> int: ...

    @property
    def drafted_tokens(self) -> int: ...

    @property
    def accepted_tokens(self) -> int: ...

    @property
    def prefill_tokens_per_second(self) -> float: ...

    @property
    def decode_tokens_per_second(self) -> float: ...

    def __str__(self) -> str: ...

    def __repr__(self) -> str: ...

class Engine:
    """Runs many requests at once (continuous batching), one step at a time."""

    def __init__(self, model: _Model, tokenizer: Tokenizer, *, kv: str = 'f16', max_sequences: int = 16, kv_tokens: int = 0, prefill_chunk: int = 512, reuse_prefixes: bool = True, speculation: _Model | str | None = None, max_draft: int = 8) -> None: ...

    def submit(self, prompt: Any, *, max_tokens: int = 128, temperature: float = 0.0, top_k: int = 0, top_p: float = 1.0, min_p: float = 0.0, repetition_penalty: float = 1.0, seed: int = 0, stop: Sequence[str] = (), stop_ids: Sequence[int] = (), ignore_eos: bool = False, add_bos: bool = True, grammar: Grammar | None = None, top_logprobs: int = -1, context: str = 'stop', keep: int = 0, on_text: Callable[[str], object] | None = None) -> int:
        """
        Queues a request and gives its number. The prompt is text or ids. on_text gets each piece of text once it is final and ends the request by returning something false other than None.
        """

    def step(self) -> bool:
        """One pass over what runs. False when nothing is left to do."""

    def run_until_idle(self) -> None:
        """Steps until nothing is left to do. Ctrl-C ends it between two steps."""

    def cancel(self, id: int) -> bool:
        """Ends a request before the next step, with what it has."""

    def take(self, id: int) -> GenerateResult | None:
        """The result of a finished request, once; None while it waits or runs."""

class _Adamw:
    """What tern.optim.AdamW is made of."""

    def __init__(self, named_parameters: Sequence[tuple[str, Tensor]]) -> None: ...

    def gradient_norm(self) -> float: ...

    def step(self, *, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, grad_scale: float) -> None: ...

    @property
    def steps(self) -> int: ...

    def state(self) -> dict[str, Tensor]: ...

    def load_state(self, state: dict[str, Tensor], steps: int) -> None: ...

def _clip_scale(norm: float, max_norm: float) -> float: ...

class TrainConfig:
    """
    All that a training run depends on besides its data: the fields of `tern train`, the model's included.
    """

    def __init__(self, **fields: Any) -> None: ...

    def __getattr__(self, name: str, /) -> Any: ...

    def to_dict(self) -> dict: ...

    @property
    def model(self) -> ModelConfig: ...

    def scheduled_rates(self, step: int) -> tuple[float, float]:
        """Learning rate and weight decay of a step, counted from 1."""

    def __repr__(self) -> str: ...

class StepReport:
    """What a finished step reports."""

    @property
    def step(self) -> int: ...

    @property
    def steps(self) -> int: ...

    @property
    def loss(self) -> float: ...

    @property
    def grad_norm(self) -> float: ...

    @property
    def lr(self) -> float: ...

    @property
    def tokens(self) -> int: ...

    @property
    def tokens_per_second(self) -> float: ...

    @property
    def seconds_left(self) -> float: ...

    @property
    def validation_loss(self) -> float | None: ...

    @property
    def validation_bits_per_byte(self) -> float | None: ...

    def __repr__(self) -> str: ...

class Evaluation:
    """A model measured on a text."""

    @property
    def tokens(self) -> int: ...

    @property
    def loss(self) -> float: ...

    @property
    def perplexity(self) -> float: ...

    @property
    def bits_per_byte(self) -> float: ...

    @property
    def tokens_per_second(self) -> float: ...

    def __repr__(self) -> str: ...

def _train(config: TrainConfig, train_ids: object, validation_ids: object | None, validation_bytes_per_token: float, tokenizer: Tokenizer, directory: str | os.PathLike, resume: bool, on_step: object | None, on_warning: object | None, device: Device | str | None | None) -> _Model: ...

def _evaluate(model: _Model, ids: object, bytes: int, window: int, kv: str) -> Evaluation: ...
