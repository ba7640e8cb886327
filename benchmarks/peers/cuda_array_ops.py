# SPDX-License-Identifier: Apache-2.0
"""PyTorch's side of the operations on arrays of bench_device_ops (benchmarks/device_array_ops.cpp), by their names.

Each result is first compared with that of the same function on a CPU, of the same operands in double.
"""
import math
import re
import sys

import torch

F32, F64, F16, BF16, C64 = torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.complex64
WIDE = {F32: F64, BF16: F64, C64: torch.complex128}
EXACT = 0
DEVICE = "cuda"


def normal(*shape, dtype=F32):
    return torch.randn(*shape, device=DEVICE, dtype=dtype)


def integers(*shape, bound, dtype=torch.int64):
    return torch.randint(bound, shape, device=DEVICE, dtype=dtype)


def one(dtype=F32):
    return lambda *shape: [normal(*shape, dtype=dtype)]


def two(dtype=F32):
    return lambda *shape: [normal(*shape, dtype=dtype), normal(*shape, dtype=dtype)]


def factors(dtype):
    return lambda m, k, n: [normal(m, k, dtype=dtype), normal(k, n, dtype=dtype)]


def positive(dtype=F32):
    """Of one sign: the error of a sum is relative to the sum."""
    return lambda *shape: [torch.rand(*shape, device=DEVICE, dtype=dtype)]


def masked(n):
    return [integers(n, bound=2).bool()]


# Operands of extents, the operation, and the greatest relative error.
OPERATIONS = {
    "add f32": (two(), torch.add, 1e-7),
    "add f64": (two(F64), torch.add, EXACT),
    "multiply i32": (lambda n: [integers(n, bound=1 << 31, dtype=torch.int32) for _ in range(2)], torch.mul, EXACT),
    "exp f32": (one(), torch.exp, 1e-6),
    "tanh f64": (one(F64), torch.tanh, 1e-14),
    "where f32": (lambda n: masked(n) + two()(n), torch.where, EXACT),
    "i32 to f32": (lambda n: [integers(n, bound=1 << 31, dtype=torch.int32)], lambda x: x.to(F32), EXACT),
    "f32 to f16": (one(), lambda x: x.to(F16), EXACT),
    "bf16 to f32": (one(BF16), lambda x: x.to(F32), EXACT),
    "sum f32": (positive(), torch.sum, 1e-5),
    "sum f64": (positive(F64), torch.sum, 1e-13),
    "sum axis 1 f32": (positive(), lambda x: x.sum(1), 1e-5),
    "sum axis 0 f32": (positive(), lambda x: x.sum(0), 1e-5),
    "max f32": (one(), lambda x: x.amax(), EXACT),
    "argmax axis 1 f32": (one(), lambda x: x.argmax(1), EXACT),
    "mean f32": (positive(), torch.mean, 1e-5),
    "var f32": (one(), lambda x: x.var(correction=0), 1e-5),
    "cumulative_sum f32": (positive(), lambda x: x.cumsum(-1), 1e-4),
    "cumulative_sum i64": (lambda n: [integers(n, bound=1 << 62)], lambda x: x.cumsum(-1), EXACT),
    "softmax f32": (one(), lambda x: x.softmax(-1), 1e-6),
    "sort f32": (one(), lambda x: torch.sort(x, stable=True).values, EXACT),
    "argsort f32": (one(), lambda x: torch.argsort(x, stable=True), EXACT),
    "take rows f32": (lambda rows, columns: [normal(rows, columns), integers(rows, bound=rows)], lambda x, i: x.index_select(0, i), EXACT),
    "take f32": (lambda n: [normal(n), integers(n, bound=n)], lambda x, i: x[i], EXACT),
    "select by mask f32": (lambda n: one()(n) + masked(n), lambda x, mask: x[mask], EXACT),
    "put_along_axis f32": (
        lambda n: [torch.zeros(n, device=DEVICE), torch.randperm(n, device=DEVICE), normal(n)],
        lambda x, i, values: x.scatter_(0, i, values),
        EXACT,
    ),
    "transpose f32": (one(), lambda x: x.t().contiguous(), EXACT),
    "concat f32": (lambda n, parts: [normal(n) for _ in range(parts)], lambda *parts: torch.cat(parts), EXACT),
    "matmul f64": (factors(F64), torch.matmul, 1e-13),
    "matmul c64": (factors(C64), torch.matmul, 1e-5),
}
MISSING = {"matmul i32"}

# The mean of the numbers and of their squares.
RANDOM = {"normal f32": (torch.randn, 0, 1), "uniform f32": (torch.rand, 1 / 2, 1 / 3)}


def check_agrees(name, got, want, tolerance):
    got, want = (x.cpu().to(torch.complex128 if x.is_complex() else F64) for x in (got, want))
    if got.shape != want.shape:
        sys.exit(f"PyTorch's {name}: expected shape {tuple(want.shape)}, got {tuple(got.shape)}")
    error = (torch.linalg.vector_norm(got - want) / torch.linalg.vector_norm(want)).item()
    if not error <= tolerance:
        sys.exit(f"PyTorch's {name}: expected a relative error of at most {tolerance}, got {error}")


def check_random(name, x, mean, mean_square):
    x = x.double()
    for got, want in ((x.mean().item(), mean), (x.square().mean().item(), mean_square)):
        if abs(got - want) > 8 / math.sqrt(x.numel()):
            sys.exit(f"PyTorch's {name}: expected a mean of {want}, got {got}")


def array_operation(name):
    """The same of PyTorch, or none where it has none."""
    what, extents = re.fullmatch(r"(.*?) (\d+(?: x \d+)*)", name).groups()
    extents = [int(extent) for extent in extents.split(" x ")]
    if what in MISSING:
        return None
    if what in RANDOM:
        draw, mean, mean_square = RANDOM[what]
        run = lambda: draw(*extents, device=DEVICE)
        check_random(name, run(), mean, mean_square)
        return run
    if what not in OPERATIONS:
        sys.exit(f"expected an operation that this script knows, got {name}")
    operands, call, tolerance = OPERATIONS[what]
    tensors = operands(*extents)
    on_host = [x.cpu().to(WIDE.get(x.dtype, x.dtype)) for x in tensors]
    check_agrees(name, call(*tensors), call(*on_host), tolerance)
    return lambda: call(*tensors)
