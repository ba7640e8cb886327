"""Integers of a few bits whose storage is that small."""

import os
from typing import Any

import tern._core


class PackedTensor:
    """
    Ternary values or integers of 1 to 7 bits, whose storage is really that small. Made by pack(); indexing leading axes gives views.
    """

    @property
    def type(self) -> str:
        """'ternary', 'u4', ..."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def ndim(self) -> int: ...

    @property
    def size(self) -> int:
        """How many values."""

    @property
    def nbytes(self) -> int:
        """Bytes of the values, which are packed."""

    @property
    def device(self) -> tern._core.Device: ...

    @property
    def bytes(self) -> tern._core.Tensor:
        """
        The bytes themselves, without a copy: uint8, a row of values in a row of bytes.
        """

    def unpack(self, dtype: tern._core.DType = 'int8') -> tern._core.Tensor:
        """The values as a tensor."""

    def repack(self, type: str, *, saturate: bool = False) -> PackedTensor:
        """
        The same values as another type. What that does not hold is an error, or becomes the nearest value.
        """

    def reshape(self, shape: tuple[int, ...]) -> PackedTensor:
        """Other leading axes; the last one stays."""

    def copy(self) -> PackedTensor: ...

    def to_device(self, device: tern._core.Device | str) -> PackedTensor: ...

    def memory_report(self) -> dict[str, Any]:
        """Where the bytes lie, how many there are, and who shares them."""

    def __getitem__(self, key: Any, /) -> PackedTensor: ...

    def __len__(self) -> int: ...

    def __eq__(self, other: object, /) -> bool:
        """The same type, shape and values."""

    def __copy__(self) -> PackedTensor: ...

    def __deepcopy__(self, memo: object) -> PackedTensor: ...

    def __repr__(self) -> str: ...

    __hash__: None = None

def pack(values: tern._core.Tensor, type: str, *, saturate: bool = False) -> PackedTensor: ...

def from_bytes(bytes: tern._core.Tensor, shape: tuple[int, ...], type: str) -> PackedTensor: ...

types: tuple = ...

def load_safetensors(path: str | os.PathLike, *, device: tern._core.Device | str | None = None) -> dict[str, tern._core.Tensor | PackedTensor]:
    """Every tensor of a file, packed ones as such, over the mapped file."""

def save_safetensors(path: str | os.PathLike, tensors: dict[str, tern._core.Tensor | PackedTensor], metadata: dict[str, str] = {}) -> None:
    """
    Creates or replaces a file in one step. To other readers packed tensors are their bytes.
    """
