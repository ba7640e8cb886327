# SPDX-License-Identifier: Apache-2.0
"""Mixed precision: what 64, 32 and 16 bits of a float hold, and where they may be used. mixed_precision.cpp prints the
same.
"""
import tern


def show(what, x):
    print(f"{what}\n{x}")


def numbers(values, dtype):
    return tern.asarray(values, dtype=tern.float64).astype(dtype)


def error_of(x, exact, dtype):
    """The greatest difference from exact numbers, in halves of the distance from 1 to the next number of a dtype."""
    return tern.max(abs(x.astype(tern.float64) - exact) / abs(exact)) / (tern.finfo(dtype).eps / 2)


# 53, 24, 11 and 8 significant bits: 16, 7, 4 and 3 digits or so of 1/3.
for dtype in (tern.float64, tern.float32, tern.float16, tern.bfloat16):
    third = numbers([1 / 3], dtype)
    print(f"{third.itemsize} bytes: {tern.to_string(third, precision=16)}")

# float16 ends at 65504: what is rounded to more is infinite. bfloat16 has float32's range and an eighth of float16's
# precision: of 65504 it makes 2^16.
show("65504, 65519, 65520 and 1e-8 in float16", numbers([65504, 65519, 65520, 1e-8], tern.float16))
show("in bfloat16", numbers([65504, 65519, 65520, 1e-8], tern.bfloat16).astype(tern.float32))

# Ties go to even: from 1 the next of bfloat16 is 1 + 2^-7 = 1.0078125; half of the way there is rounded down to 1,
# and from the next to the one behind it up.
step = 2**-7
show("1 + 1/2, 1 and 3/2 steps of bfloat16", numbers([1 + step / 2, 1 + step, 1 + 1.5 * step], tern.bfloat16).astype(tern.float32))

# A sum that is rounded at every step sticks at 256, where the next number is 258. sum() adds in float32.
sticky = numbers([0], tern.bfloat16)
for _ in range(1000):
    sticky = sticky + 1
show("1000 ones, added one after the other in bfloat16", sticky)
show("by sum()", tern.sum(tern.ones((1000,), dtype=tern.bfloat16)))

# A weight that learns in small steps needs 32 bits: 1 - 0.001 is 1 in bfloat16.
show("1 - 0.001 in bfloat16", numbers([1], tern.bfloat16) - numbers([0.001], tern.bfloat16))
show("in float32", numbers([1], tern.float32) - numbers([0.001], tern.float32))

# Products of matrices add in float32, too, and are rounded once, whatever their length: by half a step at most, to
# which the thousand roundings on the way, of 2^-24 each, add less than 2 %.
a = tern.reshape((tern.sin(tern.arange(2000).astype(tern.float64)) + 2).astype(tern.bfloat16), (2, 1000))
wide = a.astype(tern.float64)
error = error_of(a @ a.T, wide @ wide.T, tern.bfloat16)
show("a product of bfloat16 is half a step from the exact one at most", error < 1.02)

# Gradients are float32, whatever they are of: the derivative of x³ at 1.5 is 3·1.5² = 6.75.
x = tern.nn.parameter(numbers([1.5], tern.float16))
(x * x * x).backward()
show("derivative of a cube in float16", x.grad)
print(f"bytes of it: {x.grad.itemsize}")
