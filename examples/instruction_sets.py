# SPDX-License-Identifier: Apache-2.0
"""Instruction sets: a CPU's kernels are chosen when a device is opened, and all of them give the same bits.

Which ones this machine has goes to stderr; instruction_sets.cpp prints the same.
"""
import sys

import numpy as np

import tern
from tern import quant


def computed(device):
    """What is computed on each: some elementwise numbers, a product of matrices, and ternary sums."""
    # 0, 0.001, …, 1: as a vector, and 3 x 333 of them times 333 x 3.
    x = tern.arange(1001, device=device).astype(tern.float32) * 0.001
    a = tern.reshape(x[:999], (3, 333))

    # A row of 1, 2, …, 127 is its own quantization, the largest being 127. Its sums with 1, 1, 1, …, with 1, -1, 1, …
    # and with 0, 0, 0, … are 127·128/2 = 8128, 1 - 2 + 3 … + 127 = 64, and 0.
    row = tern.arange(1, 128, device=device).astype(tern.float32)
    codes = tern.zeros((3, 127), dtype=tern.int8, device=device)
    codes[0] = 1
    codes[1, ::2] = 1
    codes[1, 1::2] = -1
    return tern.exp(x), a @ a.T, quant.ternary_linear_sums(quant.quantize_rows(row), quant.pack_ternary(codes, 1.0))


def same_bits(a, b):
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


plain = computed(tern.Device("cpu", threads=1, isa="scalar"))
exponentials, product, sums = plain
# e is 2.71828183, of which a float holds 2.71828175.
print(f"the last of 1001 exponentials: {exponentials[-1]}")
# Sums of (i/1000)·(j/1000): the first is 332·333·665/6 / 10⁶ = 12.253…
print(f"a product\n{tern.to_string(product, precision=3)}")
print(f"ternary sums\n{sums}")

same = [True, True, True]
for isa in tern.Device.cpu_isas():
    device = tern.Device("cpu", isa=isa)
    print(device.description, file=sys.stderr)
    same = [so_far and same_bits(a, b) for so_far, a, b in zip(same, computed(device), plain)]
exponentials, product, sums = ("yes" if one else "no" for one in same)
print(f"the same bits with every instruction set: exponentials {exponentials}, product {product}, sums {sums}")
