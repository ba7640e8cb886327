// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files: one array each.
//
// A file is (numpy.lib.format; numbers are little-endian):
//
//   0         6       8          8+w         8+w+n
//   +---------+---+---+----------+-----------+----------+
//   | \x93NUMPY| 1 | 0 | n: u16   | header    | elements |     w = 2 in version 1.0, 4 (a u32) in 2.0 and 3.0
//   +---------+---+---+----------+-----------+----------+
//
//   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   then spaces and \n, up to a multiple of 64 in all
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "tern/tensor.h"

namespace tern {

// Creates or replaces the file in one step, version 1.0, row-major. Throws Error for bf16, which NumPy lacks.
void write_npy(const std::string& path, const Tensor& tensor);

// Reads versions 1.0, 2.0 and 3.0 with little-endian f4, f2, i1, u1, i4, i8 or b1. A file in Fortran order gives a
// transposed view, which is not contiguous. Throws Error naming the path for anything else and for a malformed file.
Tensor read_npy(const std::string& path, const Device& device);

// The same from a file's content; `source` names it in errors.
Tensor parse_npy(std::span<const std::byte> file, const std::string& source, const Device& device);

}  // namespace tern
