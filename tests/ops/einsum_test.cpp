// SPDX-License-Identifier: Apache-2.0
// einsum against the sum over all values of all letters, in integers.
#include "tern/einsum.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "support/every_dtype.h"
#include "support/fails_with.h"
#include "support/gradient_check.h"
#include "support/small_integers.h"
#include "support/test_device.h"
#include "tern/creation.h"
#include "tern/manipulation.h"

namespace tern {
namespace {

using testing::bytes_of;
using testing::elements;
using testing::fails_with;
using testing::Gaussian;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

struct Operand {
  std::string letters;
  Shape shape;
  std::vector<Gaussian> values;
};

// Letters alone: of each operand, and of the result.
std::vector<Gaussian> reference(const std::vector<Operand>& operands, const std::string& result, Shape& shape) {
  std::map<char, int64_t> extents, at;
  for (const Operand& operand : operands) {
    for (size_t axis = 0; axis < operand.letters.size(); ++axis) {
      int64_t& extent = extents.try_emplace(operand.letters[axis], 1).first->second;
      if (extent == 1) extent = operand.shape[static_cast<int>(axis)];
    }
  }
  shape = Shape();
  int64_t total = 1;
  for (const char letter : result) shape.push_back(extents[letter]);
  for (const auto& [letter, extent] : extents) total *= extent;
  std::vector<Gaussian> sums(static_cast<size_t>(shape.numel()));
  for (int64_t flat = 0; flat < total; ++flat) {
    int64_t rest = flat;
    for (const auto& [letter, extent] : extents) at[letter] = rest % extent, rest /= extent;
    Gaussian product = {1, 0};
    for (const Operand& operand : operands) {
      int64_t place = 0;
      for (size_t axis = 0; axis < operand.letters.size(); ++axis) {
        const int64_t extent = operand.shape[static_cast<int>(axis)];
        place = place * extent + (extent == 1 ? 0 : at[operand.letters[axis]]);
      }
      product = product * operand.values[static_cast<size_t>(place)];
    }
    int64_t place = 0;
    for (const char letter : result) place = place * extents[letter] + at[letter];
    sums[static_cast<size_t>(place)] += product;
  }
  return sums;
}

// einsum(subscripts) is what the letters say, which are those of the subscripts, or stand for its ellipses.
void expect_sum(const std::string& subscripts, const std::vector<std::string>& letters, const std::string& result,
                const std::map<char, int64_t>& extents, DType dtype, size_t broadcast_operand = 99) {
  std::vector<Operand> operands;
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < letters.size(); ++i) {
    Operand operand = {letters[i], {}, {}};
    for (const char letter : letters[i]) operand.shape.push_back(i == broadcast_operand ? 1 : extents.at(letter));
    operand.values = testing::small_integers(operand.shape.numel(), dtype, static_cast<int64_t>(i) * 11);
    const Tensor x = testing::tensor_of(operand.values, operand.shape, dtype, cpu());
    tensors.push_back(i % 2 == 0 ? x : flip(clone(flip(x))));
    operands.push_back(operand);
  }
  Shape shape;
  const std::vector<Gaussian> expected = reference(operands, result, shape);
  const Tensor y = einsum(subscripts, tensors);
  ASSERT_EQ(y.shape(), shape) << subscripts;
  ASSERT_EQ(y.dtype(), dtype);
  // Products may be -0, which counts as 0.
  const bool signed_zeros = is_float(dtype) || is_complex(dtype);
  const auto got = elements(signed_zeros ? add(y, zeros({}, dtype, cpu())) : y);
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i], bytes_of(expected[i], dtype)) << subscripts << " in " << name_of(dtype) << " at " << i;
  }
}

const std::map<char, int64_t> kExtents = {{'a', 2}, {'b', 3}, {'i', 3}, {'j', 5},
                                          {'k', 4}, {'l', 2}, {'z', 0}, {'o', 1}};

TEST(Einsum, SumsOverWhatTheResultLacks) {
  const struct {
    std::string subscripts;
    std::vector<std::string> letters;
    std::string result;
  } cases[] = {
      {"ij,jk->ik", {"ij", "jk"}, "ik"},
      {"ij , jk", {"ij", "jk"}, "ik"},
      {"ji", {"ji"}, "ij"},
      {"ij->", {"ij"}, ""},
      {"ij->j", {"ij"}, "j"},
      {"ii", {"ii"}, ""},
      {"ii->i", {"ii"}, "i"},
      {"iij->ji", {"iij"}, "ji"},
      {"iii->", {"iii"}, ""},
      {"i,j->ij", {"i", "j"}, "ij"},
      {"i,i", {"i", "i"}, ""},
      {"i,i->i", {"i", "i"}, "i"},
      {",ij->ij", {"", "ij"}, "ij"},
      {"bij,bjk->bik", {"bij", "bjk"}, "bik"},
      {"bij,bjk->kib", {"bij", "bjk"}, "kib"},
      {"ijb,kbj->bik", {"ijb", "kbj"}, "bik"},
      {"ij,ij->ji", {"ij", "ij"}, "ji"},
      {"ij,kl->", {"ij", "kl"}, ""},
      {"ij,jk,kl->il", {"ij", "jk", "kl"}, "il"},
      {"ijk,ilj,kl,b->ib", {"ijk", "ilj", "kl", "b"}, "ib"},
      {"ai,bj,aj,bi->ab", {"ai", "bj", "aj", "bi"}, "ab"},
      {"ii,ij,jj->", {"ii", "ij", "jj"}, ""},
      {"zi,ij->zj", {"zi", "ij"}, "zj"},
      {"iz,zj->ij", {"iz", "zj"}, "ij"},
      {"io,oj->ij", {"io", "oj"}, "ij"},
      {"...ij,...jk->...ik", {"abij", "bjk"}, "abik"},
      {"...i,i...", {"aki", "iak"}, "ak"},
      {"i...->...", {"iab"}, "ab"},
      {"...", {"ab"}, "ab"},
      {"b...a->a...b", {"bija"}, "aijb"},
      {"...,...->...", {"ab", "b"}, "ab"},
  };
  for (const auto& [subscripts, letters, result] : cases) {
    for (const DType dtype : testing::kEveryDType) expect_sum(subscripts, letters, result, kExtents, dtype);
  }
}

TEST(Einsum, BroadcastsExtentsOfOne) {
  for (const DType dtype : {DType::f32, DType::i16, DType::c128, DType::boolean}) {
    for (const size_t operand : {0, 1}) {
      expect_sum("ij,jk->ik", {"ij", "jk"}, "ik", kExtents, dtype, operand);
      expect_sum("ij,ij->ij", {"ij", "ij"}, "ij", kExtents, dtype, operand);
      expect_sum("...ij,...jk->...ik", {"abij", "abjk"}, "abik", kExtents, dtype, operand);
    }
  }
}

TEST(Einsum, PromotesAndCopies) {
  const Tensor a = ones({2, 3}, DType::i8, cpu()), b = full({3}, 2, DType::f64, cpu());
  EXPECT_EQ(einsum("ij,j->i", {a, b}).to_vector<double>(), (std::vector<double>{6, 6}));
  EXPECT_FALSE(einsum("ij->ji", {a}).shares_storage_with(a));
  EXPECT_FALSE(einsum("ij", {b.rank() == 1 ? a : b}).shares_storage_with(a));
}

TEST(Einsum, SaysWhatIsWrong) {
  const Tensor x = ones({2, 3}, DType::f32, cpu());
  EXPECT_TRUE(fails_with("[einsum] expected 2 operands for \"ij,jk\", got 1", [&] { einsum("ij,jk", {x}); }));
  EXPECT_TRUE(fails_with("expected operand 0 with the axes of \"ijk\", got shape [2, 3]", [&] { einsum("ijk", {x}); }));
  EXPECT_TRUE(fails_with("expected one extent for 'i', got 2 and 3", [&] { einsum("ii", {x}); }));
  EXPECT_TRUE(fails_with("expected 'k' of the result in an operand", [&] { einsum("ij->k", {x}); }));
  EXPECT_TRUE(fails_with("expected 'i' once in the result", [&] { einsum("ij->ii", {x}); }));
  EXPECT_TRUE(fails_with("got '1'", [&] { einsum("i1->i", {x}); }));
  EXPECT_TRUE(fails_with("at most one ellipsis", [&] { einsum("i..", {x}); }));
  EXPECT_TRUE(fails_with("an ellipsis in the result", [&] { einsum("i...->i", {x}); }));
  EXPECT_TRUE(fails_with("at least one operand", [] { einsum("", std::vector<Tensor>{}); }));
}

TEST(EinsumGradient, AgreesWithDifferences) {
  using Inputs = std::vector<Tensor>;
  const auto x = [](const Shape& shape) {
    return reshape(linspace(-1, 1.25, shape.numel(), DType::f32, cpu()), shape);
  };
  const struct {
    const char* subscripts;
    Inputs inputs;
  } cases[] = {{"bij,bjk->bki", {x({2, 3, 4}), x({2, 4, 2})}},
               {"ii->i", {x({3, 3})}},
               {"iij,j->", {x({3, 3, 2}), x({2})}},
               {"ij,jk,kl->il", {x({2, 3}), x({3, 2}), x({2, 3})}},
               {"...i,...i", {x({2, 3}), x({1, 3})}}};
  for (const auto& [subscripts, inputs] : cases) {
    EXPECT_TRUE(testing::gradients_agree([s = subscripts](const Inputs& in) { return einsum(s, in); }, inputs))
        << subscripts;
  }
}

}  // namespace
}  // namespace tern
