// SPDX-License-Identifier: Apache-2.0
// .npy files against bytes that NumPy 1.24 wrote, and against malformed ones.
#include "io/npy.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>

#include "base/random.h"
#include "io/safetensors_bytes.h"
#include "support/fails_with.h"
#include "support/temporary_directory.h"
#include "support/test_device.h"
#include "tern/io.h"

namespace tern {
namespace {

using testing::as_bytes;
using testing::fails_with;
using testing::TemporaryDirectory;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

Tensor parse(const std::string& file) { return parse_npy(as_bytes(file), "some.npy", cpu()); }

// A version 1.0 file with this header, as it is.
std::string npy(const std::string& header, const std::string& elements = "") {
  std::string out = std::string("\x93NUMPY\x01\x00", 8);
  out.push_back(static_cast<char>(header.size() & 0xff));
  out.push_back(static_cast<char>(header.size() >> 8));
  return out + header + elements;
}

std::string npy(const std::string& descr, const std::string& shape, const std::string& elements, bool fortran = false) {
  return npy(
      "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape + ", }\n",
      elements);
}

::testing::AssertionResult rejects(const std::string& file, std::string_view part) {
  return fails_with(part, [&] { parse(file); });
}

// "1,1,…".
std::string ones(int count) {
  std::string text = "1";
  for (int i = 1; i < count; ++i) text += ",1";
  return text;
}

// numpy.save of float32 [[1, -2, 0.5], [3, 4, 5]].
std::string golden() {
  return npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }" + std::string(58, ' ') + "\n",
             std::string("\0\0\x80\x3f\0\0\0\xc0\0\0\0\x3f\0\0\x40\x40\0\0\x80\x40\0\0\xa0\x40", 24));
}

TEST(Npy, WritesTheBytesOfNumpy) {
  const TemporaryDirectory directory;
  save_npy(directory.file("a.npy"), Tensor::from({1.0f, -2.0f, 0.5f, 3.0f, 4.0f, 5.0f}, {2, 3}, cpu()));
  EXPECT_EQ(directory.read("a.npy"), golden());
  EXPECT_EQ(golden().size(), 128u + 24u);
}

TEST(Npy, ReadsTheBytesOfNumpy) {
  const Tensor tensor = parse(golden());
  EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
  EXPECT_EQ(tensor.to_vector<float>(), (std::vector<float>{1.0f, -2.0f, 0.5f, 3.0f, 4.0f, 5.0f}));
}

TEST(Npy, ReadsWideHeaderLengths) {
  const std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n";
  for (char version : {'\x02', '\x03'}) {
    const std::string file = std::string("\x93NUMPY") + version + std::string("\0\x3a\0\0\0", 5) + header + "\x07\x08";
    ASSERT_EQ(header.size(), 0x3au);
    EXPECT_EQ(parse(file).to_vector<uint8_t>(), (std::vector<uint8_t>{7, 8}));
  }
}

TEST(Npy, ReadsFortranOrderAsATransposedView) {
  const Tensor tensor = parse(npy("|i1", "(2, 3)", "\x01\x04\x02\x05\x03\x06", true));
  EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
  EXPECT_FALSE(tensor.is_contiguous());
  EXPECT_EQ(tensor.to_vector<int8_t>(), (std::vector<int8_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(parse(npy("|i1", "(3,)", "\x01\x02\x03", true)).to_vector<int8_t>(), (std::vector<int8_t>{1, 2, 3}));
  EXPECT_EQ(parse(npy("|i1", "(0, 3)", "", true)).shape(), (Shape{0, 3}));
}

TEST(Npy, RoundTripsEveryTypeAndShape) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a.npy");
  const auto round_trip = [&](const Tensor& tensor) {
    save_npy(path, tensor);
    EXPECT_EQ(directory.read("a.npy").find('\n') % 64, 63u);  // elements are aligned
    const Tensor read = load_npy(path, cpu());
    EXPECT_EQ(read.dtype(), tensor.dtype());
    EXPECT_EQ(read.shape(), tensor.shape());
    return read;
  };
  const std::vector<int64_t> wide = {std::numeric_limits<int64_t>::min(), -1, 0, std::numeric_limits<int64_t>::max()};
  EXPECT_EQ(round_trip(Tensor::from(wide, {4}, cpu())).to_vector<int64_t>(), wide);
  EXPECT_EQ(round_trip(Tensor::from(wide, {2, 1, 2}, cpu())).to_vector<int64_t>(), wide);
  EXPECT_EQ(round_trip(Tensor::from({3, -4}, {2}, cpu())).to_vector<int32_t>(), (std::vector<int32_t>{3, -4}));
  EXPECT_EQ(round_trip(Tensor::from({2.5f}, {}, cpu())).item(), 2.5);
  EXPECT_EQ(round_trip(Tensor::from({f16(1.5f)}, {1}, cpu())).item(), 1.5);
  EXPECT_EQ(round_trip(Tensor::from({int8_t{-128}}, {1}, cpu())).item(), -128.0);
  EXPECT_EQ(round_trip(Tensor::from({uint8_t{255}}, {1}, cpu())).item(), 255.0);
  EXPECT_EQ(round_trip(Tensor::zeros({1}, DType::boolean, cpu())).item(), 0.0);
  round_trip(Tensor::empty({0}, DType::f32, cpu()));
  round_trip(Tensor::empty({3, 0, 2}, DType::f32, cpu()));
  round_trip(Tensor::zeros({1, 2, 1, 2, 1, 2, 1, 3}, DType::i8, cpu()));
}

TEST(Npy, WritesViewsInRowMajorOrder) {
  const TemporaryDirectory directory;
  const Tensor base = Tensor::from({0, 1, 2, 3, 4, 5}, {2, 3}, cpu());
  save_npy(directory.file("a.npy"), base.as_strided({3, 2}, {1, 3}, 0));
  EXPECT_EQ(load_npy(directory.file("a.npy"), cpu()).to_vector<int32_t>(), (std::vector<int32_t>{0, 3, 1, 4, 2, 5}));
}

TEST(Npy, RefusesToWriteWhatNumpyLacks) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a.npy");
  EXPECT_TRUE(fails_with("expected a dtype that NumPy has, got bf16",
                         [&] { save_npy(path, Tensor::zeros({1}, DType::bf16, cpu())); }));
  EXPECT_TRUE(fails_with("got an undefined one", [&] { save_npy(path, Tensor()); }));
  EXPECT_EQ(directory.count(), 0u);
}

TEST(Npy, AcceptsOtherSpellingsOfTheHeader) {
  EXPECT_EQ(parse(npy(R"({"shape":(1,),"descr":"|i1","fortran_order":False})", "\x05")).item(), 5.0);
  EXPECT_EQ(parse(npy(" { 'fortran_order' : False , 'shape' : ( 1 , 1 ) , 'descr' : '|i1' , } ", "\x05")).item(), 5.0);
}

TEST(Npy, RejectsWhatIsNoNpyFile) {
  EXPECT_TRUE(rejects("", "some.npy: expected a .npy file, got something else"));
  EXPECT_TRUE(rejects("\x93NUMPY", "got something else"));
  EXPECT_TRUE(rejects("\x93NUMPZ\x01\x01", "got something else"));
  EXPECT_TRUE(rejects(std::string("\x93NUMPY\x04\0", 8), "got 4.0"));
  EXPECT_TRUE(rejects(std::string("\x93NUMPY\xff\0", 8), "got 255.0"));
  EXPECT_TRUE(rejects(std::string("\x93NUMPY\0\0", 8), "got 0.0"));
  EXPECT_TRUE(rejects("\x93NUMPY\x01\x01", "got 1.1"));
  EXPECT_TRUE(rejects(std::string("\x93NUMPY\x01\0\x05", 9), "got the file's end"));
  EXPECT_TRUE(rejects(std::string("\x93NUMPY\x02\0\x05\0\0", 11), "got the file's end"));
  EXPECT_TRUE(rejects(std::string("\x93NUMPY\x01\0\x05\0{}", 12), "expected a header of at most 2 bytes, got 5"));
  EXPECT_TRUE(rejects(std::string("\x93NUMPY\x02\0\xff\xff\xff\xff{}", 14), "expected a header of at most 2 bytes"));
  EXPECT_TRUE(fails_with("none.npy", [] { load_npy("/nowhere/none.npy", cpu()); }));
}

TEST(Npy, RejectsWrongHeaders) {
  const std::string shape = "'shape': (1,)", order = "'fortran_order': False", descr = "'descr': '|i1'";
  EXPECT_TRUE(rejects(npy(""), "expected '{' in the header, got its end"));
  EXPECT_TRUE(rejects(npy("{"), "expected ''' in the header, got its end"));
  EXPECT_TRUE(rejects(npy("{}"), "got fewer"));
  EXPECT_TRUE(rejects(npy("{" + shape + "," + order + "}"), "got fewer"));
  EXPECT_TRUE(rejects(npy("{" + shape + "," + order + "," + descr), "expected '}'"));
  EXPECT_TRUE(rejects(npy("{" + shape + "," + order + "," + descr + "} x"), "expected the header's end"));
  EXPECT_TRUE(rejects(npy("{" + shape + " " + order + "}"), "expected '}'"));
  EXPECT_TRUE(rejects(npy("{" + shape + "," + shape + "}"), "got 'shape' twice"));
  EXPECT_TRUE(rejects(npy("{" + descr + "," + descr + "}"), "got 'descr' twice"));
  EXPECT_TRUE(rejects(npy("{" + order + "," + order + "}"), "got 'fortran_order' twice"));
  EXPECT_TRUE(rejects(npy("{'extra': 1}"), "got 'extra'"));
  EXPECT_TRUE(rejects(npy("{'shape"), "expected a closing quote"));
  EXPECT_TRUE(rejects(npy("{'shape' (1,)}"), "expected ':'"));
  EXPECT_TRUE(rejects(npy("{'fortran_order': 0}"), "expected True or False"));
}

TEST(Npy, RejectsWrongTypes) {
  for (const char* descr : {">f4", "<f16", "<m8", "|O", "<U3", "f4", "", "<f4 "}) {
    EXPECT_TRUE(rejects(npy(descr, "(1,)", "1234"), "expected one of the types <f4")) << descr;
  }
  EXPECT_TRUE(rejects(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}"), "got one of records"));
  EXPECT_TRUE(rejects(npy("|b1", "(2,)", "\x01\x02"), "boolean values 0 and 1"));
}

TEST(Npy, RejectsWrongShapes) {
  EXPECT_TRUE(rejects(npy("|i1", "(-1,)", ""), "expected non-negative 64-bit extents, got '-1"));
  EXPECT_TRUE(rejects(npy("|i1", "(1.5,)", "1"), "expected ',' or ')' after an extent"));
  EXPECT_TRUE(rejects(npy("|i1", "(9223372036854775808,)", ""), "expected non-negative 64-bit extents"));
  EXPECT_TRUE(rejects(npy("|i1", "(x,)", ""), "expected non-negative 64-bit extents"));
  EXPECT_TRUE(rejects(npy("|i1", "(1)", "1"), "got a number in parentheses"));
  EXPECT_TRUE(rejects(npy("|i1", "(1 1)", "1"), "expected ',' or ')' after an extent"));
  EXPECT_TRUE(rejects(npy("|i1", "[1]", "1"), "expected '('"));
  EXPECT_TRUE(rejects(npy("|i1", "(" + ones(33) + ")", "1"), "at most 32 extents"));
  EXPECT_TRUE(rejects(npy("<f4", "(4611686018427387904,)", ""), "fits into memory"));
  EXPECT_TRUE(rejects(npy("<f4", "(4294967296, 4294967296)", ""), "fits into memory"));
  EXPECT_TRUE(rejects(npy("<f4", "(0, 4294967296, 4294967296)", ""), "fits into memory"));
}

TEST(Npy, RejectsWrongSizes) {
  EXPECT_TRUE(rejects(npy("<f4", "(2,)", "1234567"), "expected 8 bytes of elements for f32 [2], got 7"));
  EXPECT_TRUE(rejects(npy("<f4", "(2,)", "123456789"), "got 9"));
  EXPECT_TRUE(rejects(npy("<f4", "()", ""), "expected 4 bytes"));
  EXPECT_TRUE(rejects(npy("<f4", "(1099511627776,)", "1"), "expected 4398046511104 bytes"));
}

TEST(Npy, SurvivesMutations) {
  const std::string valid = golden();
  Random random(7);
  int rejected = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string file = valid;
    const auto at = static_cast<size_t>(random.below(file.size()));
    if (random.below(4) == 0) file.resize(at);
    if (random.below(4) == 0) file.insert(at, file.substr(at / 2, random.below(30)));
    if (at < file.size()) file[at] = static_cast<char>(random.below(256));
    const auto exact = std::make_unique<char[]>(file.size());
    std::copy(file.begin(), file.end(), exact.get());
    try {
      parse_npy(as_bytes(std::string_view(exact.get(), file.size())), "mutant", cpu());
    } catch (const Error&) {
      ++rejected;
    }
  }
  EXPECT_GT(rejected, 5'000);
}

}  // namespace
}  // namespace tern
