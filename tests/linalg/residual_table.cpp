// SPDX-License-Identifier: Apache-2.0
// linalg_residuals: prints the table of docs/linalg.md, LAPACK's residuals (residuals.h) of this machine's results.
#include <fmt/format.h>

#include <array>
#include <functional>
#include <map>
#include <optional>

#include "linalg/linalg_device.h"
#include "linalg/matrix_market.h"
#include "linalg/residuals.h"

namespace tern::testing {
namespace {

const Device& cpu() {
  static const Device device = linalg_device();
  return device;
}

constexpr std::array<std::string_view, 10> kColumns = {"lu",  "qr",       "svd",  "lstsq", "pinv",
                                                       "eig", "cholesky", "eigh", "solve", "inv"};
using Row = std::map<std::string_view, double>;
using Table = std::map<std::string, Row>;

void keep_worst(Row& row, std::string_view column, double value) {
  double& worst = row[column];
  if (!(value <= worst)) worst = value;
}

template <class T>
void add_results(Table& table, std::vector<std::string>& order) {
  constexpr bool kComplex = is_complex_number<T>;
  const auto row_of = [&](const std::string& name) -> Row& {
    if (!table.contains(name)) order.push_back(name);
    return table[name];
  };
  std::vector<MatrixCase> any = any_matrices(kComplex);
  for (const MatrixCase& of : collected_matrices()) any.push_back(of);
  for (const MatrixCase& of : any) {
    Row& row = row_of(of.name);
    const Tensor x = to_tensor<T>(of.values, cpu());
    const Tensor b = to_tensor<T>(random_matrix(x.size(0), 4, 23, kComplex), cpu());
    keep_worst(row, "lu", lu_residual<T>(x));
    for (const auto mode : {linalg::QrMode::reduced, linalg::QrMode::complete}) {
      keep_worst(row, "qr", qr_residual<T>(x, mode));
    }
    for (const bool full : {false, true}) keep_worst(row, "svd", svd_residual<T>(x, full));
    keep_worst(row, "lstsq", lstsq_residual<T>(x, b));
    keep_worst(row, "pinv", pinv_residual<T>(x));
    if (x.size(0) == x.size(1)) keep_worst(row, "eig", eig_residual<T>(x));
  }
  const MatrixCase stiffness = collected("bcsstk01");
  std::vector<MatrixCase> positive = positive_matrices(kComplex), hermitian = hermitian_matrices(kComplex);
  positive.push_back(stiffness);
  hermitian.push_back(stiffness);
  for (const MatrixCase& of : positive) {
    for (const bool upper : {false, true}) {
      keep_worst(row_of(of.name), "cholesky", cholesky_residual<T>(to_tensor<T>(of.values, cpu()), upper));
    }
  }
  for (const MatrixCase& of : hermitian) {
    keep_worst(row_of(of.name), "eigh", eigh_residual<T>(to_tensor<T>(of.values, cpu())));
  }
  std::vector<MatrixCase> regular = regular_matrices(kComplex);
  for (const char* const name : {"west0067", "bcsstk01", "fs_183_6"}) regular.push_back(collected(name));
  for (const MatrixCase& of : regular) {
    const Tensor x = to_tensor<T>(of.values, cpu());
    const Tensor b = to_tensor<T>(random_matrix(x.size(0), 5, 21, kComplex), cpu());
    keep_worst(row_of(of.name), "solve", solve_residual<T>(x, b));
    keep_worst(row_of(of.name), "inv", inv_residual<T>(x));
  }
}

void print() {
  Table table;
  std::vector<std::string> order;
  add_results<float>(table, order);
  add_results<double>(table, order);
  add_results<std::complex<float>>(table, order);
  add_results<std::complex<double>>(table, order);
  std::string head = "| matrix |", line = "|---|";
  for (const std::string_view column : kColumns) {
    head += fmt::format(" {} |", column);
    line += "---|";
  }
  fmt::print("{}\n{}\n", head, line);
  for (const std::string& name : order) {
    std::string row = fmt::format("| {} |", name);
    for (const std::string_view column : kColumns) {
      row += table[name].contains(column) ? fmt::format(" {:.2f} |", table[name][column]) : std::string(" |");
    }
    fmt::print("{}\n", row);
  }
  const linalg::Library library = linalg::library();
  fmt::print("\nOpenBLAS's core: {}; {}\n", library.core, library.configuration);
}

}  // namespace
}  // namespace tern::testing

int main() { tern::testing::print(); }
