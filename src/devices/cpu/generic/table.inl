// SPDX-License-Identifier: Apache-2.0
// The float kernels of one instruction set: every one of them on its vector policy V.

template <class V>
constexpr FloatKernels float_kernels() {
  FloatKernels t = {};
  t.unary = unary<V>;
  t.binary = binary<V>;
  t.compare = compare<V>;
  t.select = select<V>;
  t.copy = copy<V>;
  t.fill = fill<V>;
  t.reduce = reduce<V>;
  t.gather_rows = gather_rows;
  t.scatter_add_rows = scatter_add_rows<V>;
  t.relu2_gate = relu2_gate<V>;
  t.relu2_gate_backward = relu2_gate_backward<V>;
  t.sum_squares = sum_squares<V>;
  t.adamw = adamw<V>;
  t.rms_norm = rms_norm<V>;
  t.rms_norm_backward = rms_norm_backward<V>;
  t.softmax = softmax<V>;
  t.softmax_backward = softmax_backward<V>;
  t.rope = rope<V>;
  t.quantize_rows = quantize_rows<V>;
  t.norm_quantize = norm_quantize<V>;
  t.cross_entropy = cross_entropy<V>;
  t.cross_entropy_backward = cross_entropy_backward<V>;
  t.matmul = matmul<V>;
  t.linear = linear<V>;
  t.abs_sum = abs_sum<V>;
  t.ternary_codes = ternary_codes<V>;
  t.attention = attention<V>;
  t.attention_backward = attention_backward<V>;
  t.kv_block_bytes = kv_block_bytes;
  t.kv_append = kv_append<V>;
  t.paged_attention = paged_attention<V>;
  return t;
}
