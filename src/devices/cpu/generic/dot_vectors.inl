// SPDX-License-Identifier: Apache-2.0
// GNU vectors for the tiles that are written on any register width.

template <class Vector>
Vector load_vector(const void* p) {
  Vector v;
  memcpy(&v, p, sizeof v);
  return v;
}
template <class Vector>
void store_vector(void* p, Vector v) {
  memcpy(p, &v, sizeof v);
}

// Four activations in every lane.
template <class Int32>
Int32 four_activations(const int8_t* q) {
  int32_t bits;
  memcpy(&bits, q, sizeof bits);
  return bits - Int32{};
}
