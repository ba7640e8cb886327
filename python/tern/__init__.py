# SPDX-License-Identifier: Apache-2.0
"""Ternary (1.58-bit, BitNet) networks: train, quantize, pack and run them, with tensors as NumPy users expect them.

    >>> import tern
    >>> m = tern.load("model")            # a Hugging Face directory
    >>> m.generate("The old house").text
    >>> m.loss(ids).backward()

The array namespace follows the Python array API standard, 2024.12. Floats are float32 where nothing else says, as
gradients are.
"""
import math as _math

from ._core import *  # noqa: F403: the array namespace
from ._namespace import __array_namespace_info__, isdtype
from .errors import Error, InvalidArgument, LinalgError, NotFound, OutOfMemory, OutOfRange, WrongType
from .model import Model, load
from . import linalg, nn, optim, quant, random
from .training import TrainConfig, evaluate, train

__version__ = "0.1.0"
__array_api_version__ = "2024.12"

e, pi, inf, nan, newaxis = _math.e, _math.pi, _math.inf, _math.nan, None
Array = Tensor  # noqa: F405

del _math
