# SPDX-License-Identifier: Apache-2.0
"""Memory: what tensors, views and copies cost, what a device counts, and what a limit does. memory.cpp prints the same."""
import tern

# A device counts the bytes of its own tensors; this one may have 16 MiB.
device = tern.Device("cpu", memory_limit=16 << 20)


def report(what):
    memory = device.memory_statistics()
    print(f"{what}: {memory.live} bytes, {memory.peak} at most")


report("nothing yet")

# 1024·1024 floats of 4 bytes are 4 MiB = 4194304 bytes.
x = tern.zeros((1024, 1024), dtype=tern.float32, device=device)
report("a matrix of 1024 x 1024 floats")

# Views are other ways to walk the same bytes: a stride for each axis, in elements.
columns, every_other = x.T, x[::2]
repeated = tern.broadcast_to(x[:1], (1000, 1024))
for view in (columns, every_other, repeated):
    print(f"strides {list(view.strides)} of shape {list(view.shape)}")
report("with its transpose, every other row, and its first row a thousand times")

# A copy in 16 bits takes half of it, one in 8 bits a quarter: 2 and 1 MiB more.
half, in_bytes = x.astype(tern.bfloat16), x.astype(tern.int8)
report("with copies in 16 and 8 bits")

# Ternary weights take two bits each: 1024·1024/4 = 262144 bytes more.
packed = tern.quant.pack_ternary(in_bytes, 1.0)
print(f"the packed matrix: {packed.bytes.nbytes} bytes")

# A block lives as long as the last tensor over it: x goes, its views keep the 4 MiB.
del x
report("without the matrix, but with its views")

# Beyond the limit nothing is allocated, and all that there was stays usable.
try:
    tern.zeros((4096, 1024), device=device)
except tern.Error as error:
    print(error)
report("after an allocation that failed")
