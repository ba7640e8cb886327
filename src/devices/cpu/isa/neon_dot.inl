// SPDX-License-Identifier: Apache-2.0
// The dot product of bytes on NEON: sdot.

struct NeonDot {
  typedef int32_t Int32 __attribute__((vector_size(16)));
  typedef uint16_t Words __attribute__((vector_size(16)));
  typedef int8_t Bytes __attribute__((vector_size(16)));
  static constexpr int kMaxRows = 6;      // 24 accumulators of 32 registers
  static constexpr int kFewRows = 4;      // 16
  static constexpr int kTilesAtOnce = 1;  // 8

  static void add(Int32& sum, Words u, Int32 q) {
    sum = reinterpret_cast<Int32>(
        vdotq_s32(reinterpret_cast<int32x4_t>(sum), reinterpret_cast<int8x16_t>(u), reinterpret_cast<int8x16_t>(q)));
  }
  static void add_quads(Int32& sum, const Words* u, const int8_t* q) {
    for (int quad = 0; quad < 4; ++quad) add(sum, u[quad], four_activations<Int32>(q + 4 * quad));
  }
};
