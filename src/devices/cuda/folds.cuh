// SPDX-License-Identifier: Apache-2.0
// Sums and products as types.
#pragma once

#include "devices/cuda/array_elements.cuh"

namespace tern::cuda {

struct Plus {
  template <class A>
  static constexpr A start() {
    return A{0};
  }
  template <class A>
  static __device__ A of(A a, A b) {
    return a + b;
  }
  template <class R>
  static __device__ Complex<R> of(Complex<R> a, Complex<R> b) {
    return {a.re + b.re, a.im + b.im};
  }
};

struct Times {
  template <class A>
  static constexpr A start() {
    return A{1};
  }
  template <class A>
  static __device__ A of(A a, A b) {
    return a * b;
  }
  template <class R>
  static __device__ Complex<R> of(Complex<R> a, Complex<R> b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
};

}  // namespace tern::cuda
