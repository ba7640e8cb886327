# SPDX-License-Identifier: Apache-2.0
"""How tensors print: as NumPy's arrays do, with their dtype."""
from . import _core

_LINE = 75
_LONGEST = 1000  # elements that are all shown
_OPENING = "Tensor("


def tensor_repr(tensor):
    shortened = tensor.size > _LONGEST
    text = _OPENING + _core.to_string(tensor, separator=", ", indent=len(_OPENING), suffix=1)
    notes = []
    if tensor.size == 0 and tensor.shape != (0,) or shortened:
        notes.append(f"shape={tensor.shape}")
    notes.append(f"dtype={tensor.dtype}")
    if tensor.device != _core.default_device() and tensor.device.name != "cpu":
        notes.append(f"device={tensor.device.name!r}")
    if tensor.requires_grad:
        notes.append("requires_grad=True")
    return _with_notes(text, notes, len(_OPENING))


def _with_notes(text, notes, indent):
    """The text and its notes, on its last line where there is room."""
    notes = ", ".join(notes) + ")"
    last_line = text[text.rfind("\n") + 1 :]
    fits = len(last_line) + len(", ") + len(notes) <= _LINE
    return text + (", " if fits else ",\n" + " " * indent) + notes


def packed_repr(tensor):
    notes = [f"type={tensor.type!r}"]
    if tensor.size == 0 and tensor.shape != (0,) or tensor.size > _LONGEST:
        notes.insert(0, f"shape={tensor.shape}")
    if tensor.device != _core.default_device() and tensor.device.name != "cpu":
        notes.append(f"device={tensor.device.name!r}")
    opening = "PackedTensor("
    if tensor.size > _LONGEST:
        return opening + ", ".join([*notes, f"nbytes={tensor.nbytes}"]) + ")"
    text = opening + _core.to_string(tensor.unpack(), separator=", ", indent=len(opening), suffix=1)
    return _with_notes(text, notes, len(opening))
