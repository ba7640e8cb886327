# SPDX-License-Identifier: Apache-2.0
"""Shapes: views, slices, masks and broadcasting, on magic squares: their rows, columns and diagonals have one sum.

shapes.cpp prints the same.
"""
import tern


def show(what, x):
    print(f"{what}\n{x}")


# One number after the other, or four rows of four: the elements stay where they are.
square = tern.reshape(tern.arange(1, 17), (4, 4))
show("1 to 16 as a square", square)
show("its columns as rows", square.T)
show("every other element of its second row, from behind", square[1, ::-2])

# Turn both diagonals around the middle, 1 with 16 and so on, and the square is magic.
i = tern.reshape(tern.arange(4), (4, 1))
j = i.T
on_diagonals = (i == j) | (i + j == 3)
magic = tern.where(on_diagonals, tern.flip(square), square)
show("a magic square", magic)

# n lines hold the numbers from 1 to n²: each sums to n·(n² + 1)/2, 34 for 4.
mirrored = magic[:, ::-1]
show("sums of its rows", tern.sum(magic, axis=1))
show("of its columns", tern.sum(magic, axis=0))
show("of its diagonals", tern.stack([tern.linalg.trace(magic), tern.linalg.trace(mirrored)]))

# The square of 3, and a square of 9 made of it: nine copies, each 9·(a number of the square of 3, less 1) higher.
# Axes of 1 line them up: [3, 1, 3, 1] for which copy, [1, 3, 1, 3] for where in it. Its sum is 9·82/2 = 369.
lo_shu = tern.asarray([[2, 7, 6], [9, 5, 1], [4, 3, 8]])
which, where = lo_shu[:, None, :, None], lo_shu[None, :, None, :]
nine = tern.reshape(which * 9 + where - 9, (9, 9))
show("a magic square of 9", nine)
show("sums of its rows", tern.sum(nine, axis=1))

# A mask takes elements, a tensor of integers rows.
show("what is above 75, in order", nine[nine > 75])
show("the first two of rows 8 and 0", nine[tern.asarray([8, 0]), :2])

# A slice is a view: what is written into it is in the tensor that it was taken from.
corner = magic[:2, 2:]
corner += 100
show("with 100 more in a corner", magic)
