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
    notes = ", ".join(notes) + ")"
    last_line = text[text.rfind("\n") + 1 :]
    fits = len(last_line) + len(", ") + len(notes) <= _LINE
    return text + (", " if fits else ",\n" + " " * len(_OPENING)) + notes
