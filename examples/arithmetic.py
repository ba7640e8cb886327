# SPDX-License-Identifier: Apache-2.0
"""Arithmetic: element by element, with numbers, between shapes and between dtypes. arithmetic.cpp prints the same."""
import tern


def show(what, x):
    print(f"{what}\n{x}")


# A column and a row broadcast to a table: what they taught at school.
column = tern.asarray([[6], [7], [8], [9]])
row = tern.asarray([6, 7, 8, 9])
show("6 to 9 times 6 to 9", column * row)

# Division that rounds down leaves a remainder of the divisor's sign, so that 7 = -4·-2 + -1.
sevens, twos = tern.asarray([7, 7, -7, -7]), tern.asarray([2, -2, 2, -2])
quotient, remainder = sevens // twos, sevens % twos
show("7, 7, -7, -7 divided by 2, -2, 2, -2, rounded down", quotient)
show("and what it leaves", remainder)
show("quotient * divisor + remainder", quotient * twos + remainder)
show("true division", sevens / twos)

# A number takes the dtype of the tensor beside it. In 64 bits 3^39 is the last power of 3.
show("3 to the 10, 20, 39", 3 ** tern.asarray([10, 20, 39]))

# Integers wrap as the machine's do. Where dtypes differ the result has room for both: i8 and u8 meet in i16.
small = tern.asarray([100, -100], dtype=tern.int8)
show("100 + 100 and -100 - 100 in 8 bits", small + small)
show("the same with 200 of unsigned 8 bits", small + tern.asarray([200, 200], dtype=tern.uint8))

# Floats follow IEEE 754.
zero = tern.asarray(0.0)
show("1, -1 and 0 over 0", tern.asarray([1.0, -1.0, 0.0]) / zero)
root = tern.sqrt(tern.asarray(2.0))
show("the square root of 2 in 32 bits", root)
show("its square", tern.square(root))

# In place: e = 1 + 1/1·(1 + 1/2·(1 + 1/3·(…))), which is 2.718281828459045 to the last digit of a double.
e = tern.asarray(1.0, dtype=tern.float64)
for n in range(20, 0, -1):
    e /= n
    e += 1
print(f"e\n{tern.to_string(e, precision=15)}")

# What cannot be done says what was expected.
try:
    tern.zeros((2, 3)) + tern.zeros((4,))
except tern.Error as error:
    print(error)
