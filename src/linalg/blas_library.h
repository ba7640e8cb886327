// SPDX-License-Identifier: Apache-2.0
// OpenBLAS, with the LAPACK that Debian builds into it, opened when it is first needed.
//
// It is opened, not linked, for two reasons. OpenBLAS picks its kernels ("core") while it is loaded, from lists of the
// processors that there were when it was written; where its choice leaves AVX-512 unused on a machine that has it, the
// library is closed and opened again with OPENBLAS_CORETYPE=SkylakeX. And its kernels are tried first (core_check.h):
// on some processors some releases compute wrong results, and a core that does is closed for another one. Where
// OPENBLAS_CORETYPE is set already, its core is taken as it is, but it has to pass the same trial.
#pragma once

#include <complex>
#include <string>
#include <type_traits>

#include "linalg/lapack.h"

namespace tern::linalg {

struct BlasLibrary {
  Lapack<float> f32;
  Lapack<double> f64;
  Lapack<std::complex<float>> c64;
  Lapack<std::complex<double>> c128;
  void (*set_num_threads)(int);
  std::string core;           // as OpenBLAS calls it: "SkylakeX"
  std::string configuration;  // version and options

  template <class T>
  const Lapack<T>& of() const {
    if constexpr (std::is_same_v<T, float>) {
      return f32;
    } else if constexpr (std::is_same_v<T, double>) {
      return f64;
    } else if constexpr (std::is_same_v<T, std::complex<float>>) {
      return c64;
    } else {
      return c128;
    }
  }
};

// Throws Error when this machine has no libopenblas.so.0 where libraries are looked for, nor where this build found
// one, or when every core that was tried computes wrong results.
const BlasLibrary& blas_library();

template <class T>
const Lapack<T>& lapack() {
  return blas_library().of<T>();
}

}  // namespace tern::linalg
