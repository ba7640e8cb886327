// SPDX-License-Identifier: Apache-2.0
// Rows of weights in f32, bf16 or f16, read as f32.

template <class V>
struct F32Weights {
  using Element = float;
  template <class Width>
  static typename V::F load_lanes(const float* p, Width n) {
    return load<V>(p, n);
  }
};

// The first n elements and zeros, for types whose policy loads know no masks.
struct Padded16 {
  uint16_t lanes[16] = {};
  Padded16(const uint16_t* p, int64_t n) { memcpy(lanes, p, static_cast<size_t>(n) * sizeof *p); }
};

template <class V>
struct Bf16Weights {
  using Element = uint16_t;
  static typename V::F load_lanes(const uint16_t* p, Full) { return V::load_bf16(p); }
  static typename V::F load_lanes(const uint16_t* p, int64_t n) { return V::load_bf16(Padded16(p, n).lanes); }
};

template <class V>
struct F16Weights {
  using Element = uint16_t;
  static typename V::F load_lanes(const uint16_t* p, Full) { return V::load_f16(p); }
  static typename V::F load_lanes(const uint16_t* p, int64_t n) { return V::load_f16(Padded16(p, n).lanes); }
};

// Calls body(loader) with the loader of the weights' type.
template <class V, class Body>
void with_weights(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::bf16:
      return body(Bf16Weights<V>{});
    case DType::f16:
      return body(F16Weights<V>{});
    default:
      return body(F32Weights<V>{});
  }
}
