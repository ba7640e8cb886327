# SPDX-License-Identifier: Apache-2.0
"""Quantization as BitNet b1.58 has it: weights of -1, 0 and 1, activations of 8 bits, a product that is exact in
integers, and a gradient that passes straight through the rounding. quantization.cpp prints the same.
"""
import tern
from tern import quant


def show(what, x):
    print(f"{what}\n{x}")


def bit_linear(x, weight):
    """x times the transposed weights, as they are once quantized; differentiable with respect to both."""
    codes, scale = quant.absmean(weight.detach())
    packed = quant.pack_ternary(codes, scale)
    return quant.ternary_linear_ste(x, quant.quantize_rows(x.detach()), weight, codes, packed)


# The scale is the mean of the moduli, 5/8, and a code the nearest of -1, 0, 1 to weight / scale: what is beyond half
# of the scale, 0.3125, on either side is not 0.
weight = tern.asarray([[0.75, -1.5, 0.25, 0.0], [-0.5, 1.0, -0.125, -0.875]])
codes, scale = quant.absmean(weight)
print(f"scale {scale}")
show("codes", codes)
show("weights that they stand for", codes * scale)

# Each row of activations is scaled so that its largest is 127: by 127/4 here. 31.75, -63.5 (to even), 15.875.
x = tern.asarray([[1.0, -2.0, 0.5, 4.0]])
rows = quant.quantize_rows(x)
show("activations in 8 bits", rows.q[:, :4])

# 32 + 64 = 96 and -32 - 64 - 127 = -223, whatever the order; then times 0.625 · 4/127.
packed = quant.pack_ternary(codes, scale)
show("sums", quant.ternary_linear_sums(rows, packed))
show("product", quant.ternary_linear(rows, packed))
show("product without quantization", x @ weight.T)

# Straight through: the gradient of x is dy times the quantized weights, that of the weights dyᵀ times the quantized
# activations (1.008, -2.016, 0.504, 4), also where a code is 0.
x.requires_grad = True
weight.requires_grad = True
bit_linear(x, weight).backward(tern.asarray([[1.0, 2.0]]))
show("gradient of the activations", x.grad)
show("of the weights", weight.grad)

# So weights can learn: from wrong ones to those that a ternary teacher has. Each step goes against the gradient of
# the squared error until no code changes the answer.
teacher = tern.asarray([[1.0, 0.0, -1.0, 1.0], [0.0, 1.0, 1.0, -1.0]])
inputs = tern.asarray([[3.0, 1.0, 0.0, 2.0], [0.0, 4.0, 1.0, 1.0], [1.0, 0.0, 5.0, 2.0], [2.0, 3.0, 1.0, 6.0]])
for step in range(100):
    student = tern.nn.parameter(weight)
    y = bit_linear(inputs, student)
    y.backward(y.detach() - inputs @ teacher.T)
    weight = student.detach() - 0.01 * student.grad
show("codes after 100 steps towards a teacher", quant.absmean(weight)[0])
