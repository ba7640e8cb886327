// SPDX-License-Identifier: Apache-2.0
// Whole models against a naive double reference, and the proof that where Tern or transformers is far from it, an
// activation next to a rounding edge went to the other side there: rounded that way in the reference, too, the row
// agrees.
#include <gtest/gtest.h>

#include <iostream>

#include "formats/format.h"
#include "io/safetensors.h"
#include "support/reference_bitnet.h"
#include "support/test_device.h"
#include "tern/model.h"

namespace tern {
namespace {

using reference::relative_error;
using reference::Rows;
using reference::Vector;

// f32 sums of a few hundred terms over two or three layers: what implementations reach without an edge
// (tests/data/hf/README.md).
constexpr double kCloseEnough = 4e-6;
// An edge this near can flip: x·scale is below 128 and carries the f32 roundings of a norm and of the layers before,
// about 20 · 2^-24 relative.
constexpr double kEdgeDistance = 128 * 20 * 6e-8;

std::string fixture(const std::string& name) { return TERN_TEST_DATA "/hf/" + name; }

Vector doubles(const Tensor& x) {
  const std::vector<float> values = x.to_vector<float>();
  return {values.begin(), values.end()};
}

reference::BitNet reference_model(const std::string& name, const Model& model, const Device& device) {
  const ModelConfig& c = model.config();
  const SafetensorsFile file(fixture(name) + "/model.safetensors");
  std::map<std::string, Vector> dense;
  std::map<std::string, std::vector<int>> codes;
  std::map<std::string, double> scales;
  for (const std::string& tensor : file.names()) {
    if (file.info(tensor).dtype != DType::u8) {
      if (!tensor.ends_with("_scale")) dense.emplace(tensor, doubles(file.tensor(tensor, device)));
      continue;
    }
    const Shape packed = file.info(tensor).shape;
    const std::vector<uint8_t> bytes = file.tensor(tensor, device).to_vector<uint8_t>();
    std::vector<int> w(static_cast<size_t>(packed[0] * 4 * packed[1]));  // row r + i·(out/4) in bits 2i, 2i+1
    for (size_t i = 0; i < 4; ++i) {
      for (size_t at = 0; at < bytes.size(); ++at) w[i * bytes.size() + at] = ((bytes[at] >> (2 * i)) & 3) - 1;
    }
    codes.emplace(tensor, std::move(w));
    scales.emplace(tensor, file.tensor(tensor + "_scale", device).item());
  }
  return {{c.hidden_size, c.intermediate_size, c.num_hidden_layers, c.num_attention_heads, c.num_key_value_heads,
           c.vocab_size, c.rope_theta, c.rms_norm_eps},
          std::move(dense),
          std::move(codes),
          std::move(scales)};
}

// Row t of sequence b of logits [batch, tokens, vocab].
Vector row(const Vector& logits, const Shape& shape, int64_t b, int64_t t) {
  const auto begin = logits.begin() + (b * shape[1] + t) * shape[2];
  return {begin, begin + shape[2]};
}

// Rounds edges of `model` the other way, nearest first, for as long as that brings row t nearer to `want`. Returns the
// error left.
double error_after_flips(reference::BitNet model, const std::vector<int64_t>& ids, size_t t, const Vector& want,
                         int& flips) {
  double error = relative_error(model.forward(ids)[t], want);
  for (bool improved = true; improved && error > kCloseEnough;) {
    improved = false;
    std::vector<reference::Edge> edges = model.edges;
    std::sort(edges.begin(), edges.end(), [](const auto& a, const auto& b) { return a.distance < b.distance; });
    for (const reference::Edge& edge : edges) {
      if (edge.site.token > static_cast<int64_t>(t) || model.rounded_other_way.count(edge.site)) continue;
      model.rounded_other_way[edge.site] = true;
      const double tried = relative_error(model.forward(ids)[t], want);
      if (tried < error / 2) {
        error = tried;
        improved = true;
        ++flips;
        break;
      }
      model.rounded_other_way.erase(edge.site);
    }
    model.forward(ids);
  }
  return error;
}

struct Agreement {
  int rows = 0, rows_with_flips = 0, flips = 0;
  double worst_plain = 0, worst_flipped = 0, worst_explained = 0;
};

void compare(reference::BitNet& model, const std::vector<int64_t>& ids, int64_t tokens, const Vector& logits,
             const Shape& shape, Agreement& out) {
  for (int64_t b = 0; b < shape[0]; ++b) {
    const std::vector<int64_t> sequence(ids.begin() + b * tokens, ids.begin() + (b + 1) * tokens);
    const Rows rows = model.forward(sequence);
    for (int64_t t = 0; t < tokens; ++t) {
      const Vector want = row(logits, shape, b, t);
      const double error = relative_error(rows[size_t(t)], want);
      ++out.rows;
      if (error <= kCloseEnough) {
        out.worst_plain = std::max(out.worst_plain, error);
        continue;
      }
      ++out.rows_with_flips;
      out.worst_flipped = std::max(out.worst_flipped, error);
      out.worst_explained =
          std::max(out.worst_explained, error_after_flips(model, sequence, size_t(t), want, out.flips));
    }
  }
}

void report(const std::string& name, const char* whose, const Agreement& a) {
  std::cout << name << ", " << whose << " against the double reference: " << a.rows - a.rows_with_flips << " of "
            << a.rows << " rows within " << a.worst_plain << "; " << a.rows_with_flips << " rows up to "
            << a.worst_flipped << ", after " << a.flips << " edges rounded the other way within " << a.worst_explained
            << "\n";
}

TEST(RoundingEdges, ExplainEveryRowThatIsFarFromTheReference) {
  const Device device = testing::test_device();
  for (const std::string name : {"tiny-packed-autobitlinear", "tied-packed-autobitlinear"}) {
    const Model model = Model::load(fixture(name), device);
    const SafetensorsFile expected(fixture(name) + "/expected.safetensors");
    const Tensor ids = expected.tensor("input_ids", device);
    const Tensor want = expected.tensor("logits", device);
    reference::BitNet naive = reference_model(name, model, device);
    naive.edge_distance = kEdgeDistance;
    Agreement tern, transformers;
    compare(naive, ids.to_vector<int64_t>(), ids.size(1), doubles(model.logits(ids)), want.shape(), tern);
    compare(naive, ids.to_vector<int64_t>(), ids.size(1), doubles(want), want.shape(), transformers);
    report(name, "Tern", tern);
    report(name, "transformers", transformers);
    EXPECT_LE(tern.worst_explained, kCloseEnough) << name;
    EXPECT_LE(transformers.worst_explained, kCloseEnough) << name;
    EXPECT_GE(tern.rows - tern.rows_with_flips, tern.rows / 2) << name;
  }
}

}  // namespace
}  // namespace tern
