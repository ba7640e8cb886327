// SPDX-License-Identifier: Apache-2.0
// Cholesky and QR on a device.
#include "linalg/device_routines.h"
#include "linalg/on_device.h"
#include "linalg/products.h"
#include "ops/copy.h"
#include "tern/creation.h"
#include "tern/ops.h"

namespace tern::linalg::on_device {

Tensor cholesky(const Tensor& x, bool upper) {
  const Tensor l = row_major(x, x.dtype());
  check_all_finite("cholesky", {"x", x}, l);
  const Matrices of(x.shape());
  const Tensor info = no_info(of, x);
  // Column-major u with uᴴ·u = xᵀ is row-major uᵀ with uᵀ·(uᵀ)ᴴ = x.
  if (x.numel() > 0) {
    call(x, &LinalgKernels::factor_cholesky,
         {.dtype = x.dtype(),
          .count = of.count,
          .n = of.rows,
          .triangle = 'U',
          .a = l.raw(),
          .info = info.data<int32_t>()});
  }
  if (const auto failed = first_failed(info)) {
    fail_numerically("cholesky", "positive definite matrices", {"x", x}, failed->index,
                     fmt::format("is not: its leading minor of order {} is not positive", failed->info));
  }
  const Tensor lower = tril(l);
  return upper ? contiguous(adjoint(lower)) : lower;
}

Qr qr(const Tensor& x, QrMode mode) {
  const Matrices of(x.shape());
  const int64_t m = of.rows, n = of.columns, k = of.smaller(), middle = mode == QrMode::complete ? m : k;
  const Tensor work = column_major(x, x.dtype());
  check_all_finite("qr", {"x", x}, work);
  const Tensor tau = Tensor::empty({of.count, k}, x.dtype(), x.device()), info = no_info(of, x);
  if (x.numel() > 0) {
    call(x, &LinalgKernels::factor_qr,
         {.dtype = x.dtype(),
          .count = of.count,
          .m = m,
          .n = n,
          .a = work.raw(),
          .tau = tau.raw(),
          .info = info.data<int32_t>()});
  }
  Qr out;
  out.r = k < middle ? triu(from_column_major(work)) : triu(slice(from_column_major(work), -2, 0, middle));
  if (mode == QrMode::r) return out;
  const Tensor q = Tensor::zeros(with_axes(of.batch, {middle, m}), x.dtype(), x.device());
  copy_into(slice(work, -2, 0, k), slice(q, -2, 0, k));
  if (q.numel() > 0) {
    call(q, &LinalgKernels::make_q,
         {.dtype = x.dtype(),
          .count = of.count,
          .m = m,
          .columns = middle,
          .k = k,
          .q = q.raw(),
          .tau = tau.raw(),
          .info = info.data<int32_t>()});
  }
  out.q = from_column_major(q);
  return out;
}

}  // namespace tern::linalg::on_device
