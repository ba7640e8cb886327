# SPDX-License-Identifier: Apache-2.0
"""Devices: the same program on a CPU and on a GPU, with the same exact sums: acceleration.py [DEVICE], "cpu" unless it
is named. acceleration.cpp prints the same.
"""
import math
import sys

import tern
from tern import quant


def integers(shape, step, period, offset, device):
    """The numbers 0, 1, … times `step`, modulo `period`, less `offset`: small integers in no plain order."""
    values = [i * step % period - offset for i in range(math.prod(shape))]
    return tern.reshape(tern.asarray(values, dtype=tern.float32, device=device), shape)


# Where this build or this machine lacks the device, the error says what there is.
try:
    device = tern.Device(sys.argv[1] if len(sys.argv) > 1 else "cpu")
except tern.Error as error:
    sys.exit(str(error))
print(device.description, file=sys.stderr)

# 512 x 256 times 256 x 128, of integers so small that floats add them exactly. The sum of all elements of a product
# is that of (sum of column k of a) · (sum of row k of b).
a, b = integers((512, 256), 7, 11, 5, device), integers((256, 128), 5, 13, 6, device)
product = a @ b
columns, rows = tern.sum(a, axis=0), tern.sum(b, axis=1)
print(f"a product begins with {product[0, :4]}")
print(f"its sum {tern.sum(product)}, by columns and rows {tern.sum(columns * rows)}")

# BitLinear with 4 rows of 256 activations in 8 bits and 128 x 256 weights of -1, 0, 1.
x, weight = integers((4, 256), 9, 255, 127, device), integers((128, 256), 3, 7, 3, device)
codes, scale = quant.absmean(weight)
sums = quant.ternary_linear_sums(quant.quantize_rows(x), quant.pack_ternary(codes, scale))
print(f"ternary sums begin with {sums[0, :4]}")

# The same in plain integers. x's rows hold -127 to 127, so that they are their own quantization.
plain = [[sum(int(p) * q for p, q in zip(row, out)) for out in codes.tolist()] for row in x.tolist()]
print(f"as plain integers have them: {'yes' if sums.tolist() == plain else 'no'}")
