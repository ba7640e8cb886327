# SPDX-License-Identifier: Apache-2.0
"""Linear algebra on matrices whose results can be written down. linear_algebra.cpp prints the same.

Numbers are doubles, and printed to 8 digits, so that no machine's rounding shows.
"""
import math

import tern


def show(what, x):
    print(f"{what}\n{x}")


def matrix(values):
    return tern.asarray(values, dtype=tern.float64)


# Chickens, rabbits and spiders: 10 heads, 40 legs, 12 wings. By hand: 6 chickens, then 4 others with 28 legs: 1 and 3.
a = matrix([[1, 1, 1], [2, 4, 8], [2, 0, 0]])
show("chickens, rabbits, spiders", tern.linalg.solve(a, matrix([10, 40, 12])))
# Along the last row: 2·(1·8 - 1·4) = 8, and 1/8 for the inverse.
show("determinant", tern.linalg.det(a))
show("of the inverse", tern.linalg.det(tern.linalg.inv(a)))

# Cholesky's factor of a matrix that was made of one: rows 2; 6, 1; -8, 5, 3.
spd = matrix([[4, 12, -16], [12, 37, -43], [-16, -43, 98]])
show("Cholesky", tern.linalg.cholesky(spd))

# Householder's example, whose R has 14, 175 and 35 on its diagonal, up to signs.
h = matrix([[12, -51, 4], [6, 167, -68], [-4, 24, -41]])
q, r = tern.linalg.qr(h)
show("R of QR", abs(r))
show("orthogonality of Q is exact to 14 digits", tern.linalg.matrix_norm(q.T @ q - tern.eye(3, dtype=tern.float64)) < 1e-14)

# The squares of the singular values of [3 0; 4 5] sum to 9 + 16 + 25 and have the product 15²: they are 45 and 5.
show("squared singular values", tern.linalg.svdvals(matrix([[3, 0], [4, 5]])) ** 2)

# Powers of this matrix hold Fibonacci's numbers, the 31st, 30th and 29th; its eigenvalues are 1 - φ and φ, the golden
# ratio (1 + √5)/2.
fibonacci = matrix([[1, 1], [1, 0]])
show("Fibonacci's numbers", tern.linalg.matrix_power(fibonacci, 30))
show("1 - φ and φ", tern.linalg.eigvalsh(fibonacci))

# e to the matrix of an angle is the turn by it: a sixth of a circle has the cosine 1/2 and the sine √3/2.
sixth = math.pi / 3
show("a sixth of a turn", tern.linalg.expm(matrix([[0, -sixth], [sixth, 0]])))

# The line through (0, 1), (1, 3), (2, 4), (3, 4): the normal equations [4 6; 6 14]·[c; m] = [12; 23] give 3/2 and 1.
points = matrix([[1, 0], [1, 1], [1, 2], [1, 3]])
fit = tern.linalg.lstsq(points, matrix([1, 3, 4, 4]))
show("offset and slope of a line", fit.solution)
show("what it leaves, squared", fit.residuals)

# Rows of a matrix of numbers one after the other are dependent: rank 2, and no inverse.
dependent = matrix([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
show("rank", tern.linalg.matrix_rank(dependent))
try:
    tern.linalg.inv(matrix([[1, 2], [2, 4]]))
except tern.LinalgError as error:
    print(error)
