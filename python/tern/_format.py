# SPDX-License-Identifier: Apache-2.0
"""How tensors print: as NumPy's arrays do, with their dtype."""
from . import _core

_EDGE = 3  # of a long axis, on each side
_LONGEST = 1000  # elements that are all shown


def _shown(length, shortened):
    """Indices of an axis, None standing for what is left out."""
    if not shortened or length <= 2 * _EDGE:
        return list(range(length))
    return [*range(_EDGE), None, *range(length - _EDGE, length)]


def _float_texts(values):
    """Texts of floats of one notation, with blanks for the zeros at the end of their fractions."""
    finite = [abs(v) for v in values if v == v and abs(v) != float("inf") and v != 0]
    scientific = bool(finite) and (max(finite) >= 1e8 or min(finite) < 1e-4 or max(finite) / min(finite) > 1e3)
    digits = 0
    for value in finite:
        text = f"{value:.4e}" if scientific else f"{value:.4f}"
        digits = max(digits, len(text.partition("e")[0].partition(".")[2].rstrip("0")))

    def text(value):
        if value != value or abs(value) == float("inf"):
            return str(value)
        if scientific:
            return f"{value:.{digits}e}"
        written = f"{value:.{digits}f}" if digits else f"{value:.0f}."
        kept = written.rstrip("0") if digits else written
        return kept.ljust(len(written))

    return [text(v) for v in values]


def _texts(values):
    if any(isinstance(v, complex) for v in values):
        parts = _float_texts([part for v in values for part in (v.real, v.imag)])
        return [re + ("" if im.startswith("-") else "+") + im + "j" for re, im in zip(parts[::2], parts[1::2])]
    if any(isinstance(v, float) for v in values):
        return _float_texts(values)
    return [str(v) for v in values]


def _corners(tensor, shortened):
    """The numbers that are shown, nested, in host memory."""
    if tensor.ndim == 0 or not shortened:
        return tensor.tolist()
    return [... if i is None else _corners(tensor[i], True) for i in _shown(tensor.shape[0], True)]


def _flat(nested):
    if isinstance(nested, list):
        for item in nested:
            yield from _flat(item)
    elif nested is not ...:
        yield nested


def _written(nested, texts, width, indent, depth):
    if nested is ...:
        return "..."
    if not isinstance(nested, list):
        return next(texts).rjust(width)
    parts = [_written(item, texts, width, indent + 1, depth - 1) for item in nested]
    if depth > 1:
        return "[" + (",\n" * (depth - 1) + " " * (indent + 1)).join(parts) + "]"
    lines, line = [], ""
    for part in parts:
        added = part if not line else line + ", " + part
        if line and indent + len(added) > 100:
            lines.append(line + ",")
            added = part
        line = added
    return "[" + ("\n" + " " * (indent + 1)).join([*lines, line]) + "]"


def tensor_repr(tensor):
    shortened = tensor.size > _LONGEST
    nested = _corners(tensor.detach(), shortened)
    texts = _texts(list(_flat(nested)))
    if tensor.ndim == 0:
        texts = [text.strip() for text in texts]
    body = _written(nested, iter(texts), max(map(len, texts), default=0) if tensor.ndim else 0, len("Tensor("), tensor.ndim)
    notes = [body, f"dtype={tensor.dtype}"]
    if tensor.size == 0 and tensor.shape != (0,) or shortened:
        notes.insert(1, f"shape={tensor.shape}")
    if tensor.device != _core.default_device() and tensor.device.name != "cpu":
        notes.append(f"device={tensor.device.name!r}")
    if tensor.requires_grad:
        notes.append("requires_grad=True")
    return "Tensor(" + ", ".join(notes) + ")"
