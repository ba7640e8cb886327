// SPDX-License-Identifier: Apache-2.0
// Matrices of tests/data/matrices: files in Matrix Market's format (R. Boisvert, R. Pozo, K. Remington, NISTIR 5935),
// "coordinate" with real numbers or none (then ones), general or symmetric.
#pragma once

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "linalg/cases.h"

namespace tern::testing {

inline HostMatrix read_matrix_market(const std::string& path) {
  const auto require = [&](bool ok, const char* expected) {
    if (!ok) throw std::runtime_error(path + ": expected " + expected);
  };
  std::ifstream file(path);
  std::string line, banner, object, format, field, symmetry;
  require(static_cast<bool>(std::getline(file, line)), "a file");
  std::istringstream(line) >> banner >> object >> format >> field >> symmetry;
  require(banner == "%%MatrixMarket" && object == "matrix" && format == "coordinate", "a matrix of coordinates");
  require(field == "real" || field == "pattern", "real numbers or a pattern");
  require(symmetry == "general" || symmetry == "symmetric", "a general or symmetric matrix");
  while (std::getline(file, line) && line.starts_with('%')) {
  }
  int64_t rows = 0, columns = 0, count = 0;
  std::istringstream(line) >> rows >> columns >> count;
  HostMatrix out(rows, columns);
  for (int64_t i = 0; i < count; ++i) {
    int64_t row = 0, column = 0;
    long double value = 1;
    file >> row >> column;
    if (field == "real") file >> value;
    require(file && row >= 1 && row <= rows && column >= 1 && column <= columns, "as many elements as it says");
    out(row - 1, column - 1) = value;
    if (symmetry == "symmetric") out(column - 1, row - 1) = value;
  }
  return out;
}

inline MatrixCase collected(const std::string& name) {
  return {name, read_matrix_market(std::string(TERN_TEST_DATA) + "/matrices/" + name + ".mtx")};
}

inline std::vector<MatrixCase> collected_matrices() {
  std::vector<MatrixCase> out = {collected("ash219"), collected("west0067"), collected("bcsstk01"),
                                 collected("fs_183_6")};
  out.push_back({"ash219 transposed", out[0].values.adjoint()});
  return out;
}

}  // namespace tern::testing
