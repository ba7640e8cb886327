// SPDX-License-Identifier: Apache-2.0
// Codes to the device's layout and back, and weights to both: a thread has 16 bytes of a tile, which are 32 columns, by
// fours, of two rows.
#include <algorithm>

#include "devices/cuda/packs.cuh"
#include "devices/cuda/piece_list.cuh"
#include "devices/cuda/ternary.h"
#include "devices/cuda/ternary_code.cuh"
#include "devices/cuda/ternary_layout.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int64_t kMostAcross = 1024;  // blocks in a row of tiles

// A row of codes that may end within 4 columns, or not be there at all.
template <class Code>
struct CodeRow {
  Code* codes;  // null: a row beyond the matrix
  int64_t columns;
  bool aligned;  // every 4th column lies on 4 bytes

  __device__ bool is_word(int64_t column) const { return aligned && column + 4 <= columns; }
};

// Codes of 4 columns, 0 beyond the matrix.
__device__ uint32_t load_codes(const CodeRow<const int8_t>& row, int64_t column) {
  if (!row.codes) return 0;
  if (row.is_word(column)) return __ldg(reinterpret_cast<const uint32_t*>(row.codes + column));
  uint32_t word = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (column + i < row.columns) word |= static_cast<uint32_t>(static_cast<uint8_t>(row.codes[column + i])) << (8 * i);
  }
  return word;
}

__device__ void store_codes(const CodeRow<int8_t>& row, int64_t column, uint32_t word) {
  if (!row.codes) return;
  if (row.is_word(column)) {
    *reinterpret_cast<uint32_t*>(row.codes + column) = word;
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (column + i < row.columns) row.codes[column + i] = static_cast<int8_t>(word >> (8 * i));
  }
}

// The codes -1, 0, 1 end in the bits 11, 00, 01: adding 1 to these two bits, modulo 4, is code + 1.
__device__ uint32_t digits_of(uint32_t codes) { return ((codes & 0x03030303u) + 0x01010101u) & 0x03030303u; }

// The inverse, bytewise minus 1; the top bit keeps the borrow within its byte.
__device__ uint32_t codes_of(uint32_t digits) { return ((digits | 0x80808080u) - 0x01010101u) ^ 0x80808080u; }

// Codes and packed bytes of the rows at hand.
template <class Code, class Packed>
struct Block {
  int64_t rows, columns, vectors_a_row;  // vectors: of 16 bytes, in a row of tiles
  Code* codes;
  bool aligned;
  Packed* packed;  // uint4, of the first row

  template <class Args>
  explicit Block(const Args& args)
      : rows(args.row_count),
        columns(args.cols),
        vectors_a_row(column_tiles(args.cols) * kWarp),
        codes(args.codes),
        aligned((reinterpret_cast<uintptr_t>(codes) | static_cast<uintptr_t>(columns)) % 4 == 0),
        packed(reinterpret_cast<Packed*>(args.packed) + args.row_begin / kTileRows * vectors_a_row) {}

  bool empty() const { return rows == 0 || columns == 0; }
  dim3 grid() const {
    return {blocks_for(rows, kTileRows), blocks_for(std::min(vectors_a_row, kMostAcross * kThreads), kThreads)};
  }

  __device__ CodeRow<Code> row(int64_t at) const {
    return {at < rows ? codes + at * columns : nullptr, columns, aligned};
  }

  // Calls each(vector, low row, high row, column) for the vectors of this thread: 4 columns of two rows from `column`,
  // and as many from each of the seven columns 16 apart that follow.
  template <class Each>
  __device__ void visit(const Each& each) const {
    const int64_t step = int64_t{gridDim.y} * kThreads, begin = int64_t{blockIdx.y} * kThreads + threadIdx.x;
    for (int64_t tile = blockIdx.x; tile < row_tiles(rows); tile += gridDim.x) {
      for (int64_t i = begin; i < vectors_a_row; i += step) {
        const int64_t lane = i % kWarp, first = tile * kTileRows + lane / 4;
        each(packed + tile * vectors_a_row + i, row(first), row(first + 8), i / kWarp * kTileColumns + lane % 4 * 4);
      }
    }
  }
};

using PackBlock = Block<const int8_t, uint4>;
using UnpackBlock = Block<int8_t, const uint4>;

__global__ void __launch_bounds__(kThreads) pack_codes(const __grid_constant__ PackBlock block) {
  using Row = CodeRow<const int8_t>;
  block.visit([](uint4* vector, const Row& low, const Row& high, int64_t column) {
    Words words;
#pragma unroll
    for (int s = 0; s < 4; ++s, column += 32) {
      words.at[s] = digits_of(load_codes(low, column)) | digits_of(load_codes(high, column)) << 2 |
                    digits_of(load_codes(low, column + 16)) << 4 | digits_of(load_codes(high, column + 16)) << 6;
    }
    *vector = make_uint4(words.at[0], words.at[1], words.at[2], words.at[3]);
  });
  __threadfence();  // products that start early read weights before they wait for the kernels before them
}

__global__ void __launch_bounds__(kThreads) unpack_codes(const __grid_constant__ UnpackBlock block) {
  using Row = CodeRow<int8_t>;
  block.visit([](const uint4* vector, const Row& low, const Row& high, int64_t column) {
    const Words words = load_words(vector);
#pragma unroll
    for (int s = 0; s < 4; ++s, column += 32) {
      uint32_t u[4];
      unpack_digits(words.at[s], u);
      store_codes(low, column, codes_of(u[0]));
      store_codes(high, column, codes_of(u[1]));
      store_codes(low, column + 16, codes_of(u[2]));
      store_codes(high, column + 16, codes_of(u[3]));
    }
  });
}

// ---------------------------------------------------------------- weights

constexpr int kTilesOfPiece = kThreads / kWarp;  // a warp has a tile

// Elements `column` … `column` + 3 of a row of weights as digits, 0 beyond the matrix.
struct WeightRow {
  const float* w;  // null: a row beyond the matrix
  int64_t columns;
  bool aligned;  // every 4th column lies on 16 bytes

  __device__ float4 load(int64_t column) const {
    if (!w) return {};
    if (aligned && column < columns) return __ldg(reinterpret_cast<const float4*>(w + column));
    const auto at = [&](int64_t i) { return i < columns ? __ldg(w + i) : 0.0f; };
    return {at(column), at(column + 1), at(column + 2), at(column + 3)};
  }
};

__device__ uint32_t digits_of(const TernaryCode& code, float4 w) {
  const auto digit = [&](float x) { return static_cast<uint32_t>(code(x) + 1); };
  return digit(w.x) | digit(w.y) << 8 | digit(w.z) << 16 | digit(w.w) << 24;
}

// Word i of lane t of four neighbours becomes word t of lane i.
__device__ void turn(uint32_t (&words)[4]) {
  const unsigned lane = threadIdx.x % 4;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    uint32_t &low = words[i], &high = words[i + 2];
    const uint32_t got = __shfl_xor_sync(kAllLanes, lane & 2 ? low : high, 2);
    (lane & 2 ? low : high) = got;
  }
#pragma unroll
  for (int i = 0; i < 4; i += 2) {
    uint32_t &low = words[i], &high = words[i + 1];
    const uint32_t got = __shfl_xor_sync(kAllLanes, lane & 1 ? low : high, 1);
    (lane & 1 ? low : high) = got;
  }
}

// A row's codes from digits[h][s], of the columns 32s + 16h + 4t … of a tile: neighbouring lanes exchange them, so that
// each stores 32 columns in a row.
__device__ void put_codes(const CodeRow<int8_t>& row, int64_t first, uint32_t (&digits)[2][4], bool whole) {
  if (!whole) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      store_codes(row, first + 32 * (i % 4) + 16 * (i / 4) + 4 * (threadIdx.x % 4), codes_of(digits[i / 4][i % 4]));
    }
    return;
  }
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    turn(digits[h]);
    const int64_t column = first + 32 * (threadIdx.x % 4) + 16 * h;
    if (row.codes == nullptr || column >= row.columns) continue;
    const auto& at = digits[h];
    *reinterpret_cast<uint4*>(row.codes + column) =
        make_uint4(codes_of(at[0]), codes_of(at[1]), codes_of(at[2]), codes_of(at[3]));
  }
}

// A warp quantizes a tile.
__device__ void quantize_tile(const TernaryQuantizeMatrix& matrix, const TernaryCode& code, int64_t tile) {
  const int64_t across = column_tiles(matrix.cols), lane = threadIdx.x % kWarp;
  const int64_t first = tile % across * kTileColumns, first_row = tile / across * kTileRows + lane / 4;
  const bool fours = matrix.cols % 4 == 0;
  const bool aligned = fours && reinterpret_cast<uintptr_t>(matrix.w) % sizeof(float4) == 0;
  const bool whole = matrix.cols % 16 == 0 && reinterpret_cast<uintptr_t>(matrix.codes) % sizeof(uint4) == 0;
  float4 w[2][2][4];  // of the rows, at 16h + 4t, 32 columns apart
#pragma unroll
  for (int i = 0; i < 16; ++i) {
    const int64_t row = first_row + i / 8 * 8;
    const WeightRow from = {row < matrix.rows ? matrix.w + row * matrix.cols : nullptr, matrix.cols, aligned};
    w[i / 8][i / 4 % 2][i % 4] = from.load(first + 32 * (i % 4) + 16 * (i / 4 % 2) + 4 * (lane % 4));
  }
  uint32_t words[4] = {};
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    uint32_t digits[2][4];
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      digits[i / 4][i % 4] = digits_of(code, w[r][i / 4][i % 4]);
      words[i % 4] |= digits[i / 4][i % 4] << (4 * (i / 4) + 2 * r);
    }
    const int64_t row = first_row + 8 * r;
    const bool aligned_codes = fours && reinterpret_cast<uintptr_t>(matrix.codes) % 4 == 0;
    put_codes({row < matrix.rows ? matrix.codes + row * matrix.cols : nullptr, matrix.cols, aligned_codes}, first,
              digits, whole);
  }
  reinterpret_cast<uint4*>(matrix.packed)[tile * kWarp + lane] = make_uint4(words[0], words[1], words[2], words[3]);
}

constexpr int64_t tiles_of(const TernaryQuantizeMatrix& matrix) {
  return row_tiles(matrix.rows) * column_tiles(matrix.cols);
}

// What gives the scales of a list's matrices on the device: MixedQuantizeArgs.
struct LateScales {
  const double* abs_sum;  // or null
  float least;
  float* scale;

  // `keeps`: writes the scale, too.
  __device__ float inverse(const TernaryQuantizeMatrix& matrix, int at, bool keeps) const {
    if (abs_sum == nullptr) return matrix.inverse_scale;
    const float mean = static_cast<float>(abs_sum[at] / static_cast<double>(matrix.rows * matrix.cols));
    const float value = mean < least ? least : mean;  // NaN stays
    if (keeps) scale[at] = value;
    return 1.0f / value;
  }
};

__global__ void __launch_bounds__(kThreads)
    quantize_all(const __grid_constant__ PieceList<TernaryQuantizeMatrix> list, LateScales scales) {
  for (int64_t piece = blockIdx.x; piece < list.pieces(); piece += gridDim.x) {
    const int at = list.item_of(piece);
    const TernaryQuantizeMatrix& matrix = list.item[at];
    const int64_t tile = (piece - list.begin[at]) * kTilesOfPiece + threadIdx.x / kWarp;
    const float inverse = scales.inverse(matrix, at, tile == 0 && threadIdx.x == 0);
    if (tile < tiles_of(matrix)) quantize_tile(matrix, {inverse}, tile);
  }
  __threadfence();  // as in pack_codes
}

void quantize(const Exec& exec, const char* name, const TernaryQuantizeArgs& args, const LateScales& scales) {
  const auto matrix_of = [&](int64_t i) { return args.matrix[i]; };
  const auto pieces_of = [](const TernaryQuantizeMatrix& matrix) { return ceil_div(tiles_of(matrix), kTilesOfPiece); };
  for_lists(args.matrices, matrix_of, pieces_of, [&](const PieceList<TernaryQuantizeMatrix>& list, int64_t first) {
    if (list.pieces() == 0) return;
    LateScales of_list = scales;
    if (scales.abs_sum) of_list.abs_sum += first, of_list.scale += first;
    quantize_all<<<blocks_for(list.pieces(), 1), kThreads, 0, stream_of(exec)>>>(list, of_list);
    launched(exec, name);
  });
}

}  // namespace

size_t ternary_packed_bytes(TernaryLayout, int64_t rows, int64_t cols) noexcept {
  return static_cast<size_t>(row_tiles(rows) * column_tiles(cols) * kTileBytes);
}

void ternary_pack(const Exec& exec, const TernaryPackArgs& args) noexcept {
  const PackBlock block(args);
  if (block.empty()) return;
  pack_codes<<<block.grid(), kThreads, 0, stream_of(exec)>>>(block);
  launched(exec, "ternary_pack");
}

void ternary_unpack(const Exec& exec, const TernaryUnpackArgs& args) noexcept {
  const UnpackBlock block(args);
  if (block.empty()) return;
  unpack_codes<<<block.grid(), kThreads, 0, stream_of(exec)>>>(block);
  launched(exec, "ternary_unpack");
}

void ternary_quantize(const Exec& exec, const TernaryQuantizeArgs& args) noexcept {
  quantize(exec, "ternary_quantize", args, {});
}

void mixed_quantize(const Exec& exec, const MixedQuantizeArgs& args) noexcept {
  quantize(exec, "mixed_quantize", args.to, {args.abs_sum, args.least_scale, args.scale});
}

}  // namespace tern::cuda
