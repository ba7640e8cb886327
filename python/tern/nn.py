# SPDX-License-Identifier: Apache-2.0
"""Networks: functions, and modules made of them."""
import math as _math

from . import _core
from ._core import Tensor
from ._core._nn import (  # noqa: F401
    attention,
    cross_entropy,
    cross_entropy_rows,
    embedding,
    linear,
    linear_cross_entropy,
    relu,
    relu2,
    relu2_gate,
    rms_norm,
    rope,
    rsqrt,
    sigmoid,
    silu,
    softmax,
)
from ._core._quant import mean_abs, pack_ternary, quantize_rows, ternary_codes, ternary_linear_ste


class Module:
    """A part of a network: tensors that require gradients, and modules, found among its attributes."""

    def named_parameters(self, prefix=""):
        """(name, tensor) of every parameter, in the order in which attributes were set."""
        for name, value in vars(self).items():
            yield from _named(prefix + name, value)

    def parameters(self):
        return [value for _, value in self.named_parameters()]

    def zero_grad(self):
        for value in self.parameters():
            value.grad = None

    def __call__(self, *arguments, **keywords):
        return self.forward(*arguments, **keywords)

    def __repr__(self):
        parts = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if not isinstance(value, Tensor))
        return f"{type(self).__name__}({parts})"


def _named(name, value):
    if isinstance(value, Tensor):
        if value.requires_grad:
            yield name, value
    elif isinstance(value, Module):
        yield from value.named_parameters(name + ".")
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from _named(f"{name}.{i}", item)


def parameter(tensor) -> Tensor:
    """A leaf over the same elements, whose gradient is kept."""
    tensor = tensor.detach()
    tensor.requires_grad = True
    return tensor


def _normal(shape, scale, seed):
    return _core.Generator(seed).normal(shape, 0.0, scale)


class Linear(Module):
    """x times the transposed weight [out, in]."""

    def __init__(self, in_features, out_features, *, seed=0):
        self.weight = parameter(_normal((out_features, in_features), 1 / _math.sqrt(in_features), seed))

    def forward(self, x):
        return linear(x, self.weight)


class BitLinear(Module):
    """A linear layer of b1.58 (arXiv 2402.17764): ternary weights by absmean, activations in 8 bits by row, both with the
    straight-through gradient."""

    def __init__(self, in_features, out_features, *, seed=0):
        self.weight = parameter(_normal((out_features, in_features), 1 / _math.sqrt(in_features), seed))

    def forward(self, x):
        master = self.weight.detach()
        scale = max(mean_abs(master), 1e-5)
        codes = ternary_codes(master, scale)
        return ternary_linear_ste(x, quantize_rows(x.detach()), self.weight, codes, pack_ternary(codes, scale))


class RMSNorm(Module):
    """x * weight / sqrt(mean(x * x) + eps) over the last axis."""

    def __init__(self, features, eps=1e-5):
        self.weight = parameter(_core.ones(features))
        self.eps = eps

    def forward(self, x):
        return rms_norm(x, self.weight, self.eps)


class Embedding(Module):
    """Rows of a table."""

    def __init__(self, count, features, *, seed=0):
        self.weight = parameter(_normal((count, features), 0.02, seed))

    def forward(self, ids):
        return embedding(self.weight, ids)


class Sequential(Module):
    """One after the other: modules and functions."""

    def __init__(self, *parts):
        self.parts = list(parts)

    def forward(self, x):
        for part in self.parts:
            x = part(x)
        return x
