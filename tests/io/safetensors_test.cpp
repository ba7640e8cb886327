// SPDX-License-Identifier: Apache-2.0
// Reading tensors from files, and writing them: against bytes of the reference library and in round trips.
#include "io/safetensors.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "io/safetensors_bytes.h"
#include "support/fails_with.h"
#include "support/temporary_directory.h"
#include "support/test_device.h"
#include "tern/io.h"

namespace tern {
namespace {

using testing::fails_with;
using testing::safetensors_bytes;
using testing::safetensors_entry;
using testing::TemporaryDirectory;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

std::vector<std::byte> bytes_of(const Tensor& tensor) {
  std::vector<std::byte> out(static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype()));
  tensor.copy_to_host(out);
  return out;
}

Tensor booleans(std::initializer_list<uint8_t> values) {
  const std::vector<uint8_t> bytes(values);
  return Tensor::from_bytes(std::as_bytes(std::span(bytes)), {static_cast<int64_t>(bytes.size())}, DType::boolean,
                            cpu());
}

// Every type; infinities, NaN, extremes; empty, scalar.
std::vector<NamedTensor> assorted() {
  const float inf = std::numeric_limits<float>::infinity();
  return {
      {"f32", Tensor::from({1.5f, -0.0f, inf, std::nanf(""), 1e-45f}, {5}, cpu())},
      {"bf16", Tensor::from({bf16(1.0f), bf16(-inf), bf16(3.14f)}, {3, 1}, cpu())},
      {"f16", Tensor::from({f16(65504.0f), f16(6e-8f)}, {1, 2}, cpu())},
      {"i8", Tensor::from({int8_t{-128}, int8_t{127}, int8_t{0}}, {3}, cpu())},
      {"u8", Tensor::from({uint8_t{255}}, {1}, cpu())},
      {"i32", Tensor::from({std::numeric_limits<int32_t>::min(), 7}, {2}, cpu())},
      {"i64", Tensor::from({std::numeric_limits<int64_t>::min(), int64_t{1}}, {2}, cpu())},
      {"bool", booleans({1, 0, 1})},
      {"scalar", Tensor::from({2.5f}, {}, cpu())},
      {"empty", Tensor::empty({3, 0, 2}, DType::f32, cpu())},
  };
}

TEST(SafetensorsFile, GivesViewsOfTheMappingThatOutliveTheFile) {
  const TemporaryDirectory directory;
  std::string header = "{" + safetensors_entry("x", "F32", "2", "0,8") + "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::string data("\0\0\x80\x3f\0\0\0\xc0", 8);
  const std::string path = directory.write("a.safetensors", safetensors_bytes(header, data));
  const Device host = Device::open("cpu");
  Tensor first, second;
  {
    const SafetensorsFile file(path);
    first = file.tensor("x", host);
    second = file.tensor("x", host);
  }
  EXPECT_EQ(first.raw(), second.raw());  // no copy
  EXPECT_EQ(first.to_vector<float>(), (std::vector<float>{1.0f, -2.0f}));
  EXPECT_EQ(::unlink(path.c_str()), 0);
  EXPECT_EQ(second.to_vector<float>(), (std::vector<float>{1.0f, -2.0f}));
}

TEST(SafetensorsFile, CopiesWhereDataIsMisaligned) {
  const TemporaryDirectory directory;
  for (size_t padding = 0; padding < 8; ++padding) {
    const std::string header = "{" + safetensors_entry("x", "I64", "2", "0,16") + "}" + std::string(padding, ' ');
    std::string data(16, '\0');
    data[0] = 5;
    data[15] = '\x80';
    const SafetensorsFile file(directory.write("a.safetensors", safetensors_bytes(header, data)));
    const Tensor x = file.tensor("x", cpu());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(x.raw()) % 8, 0u);
    EXPECT_EQ(x.to_vector<int64_t>(), (std::vector<int64_t>{5, std::numeric_limits<int64_t>::min()}));
  }
}

TEST(SafetensorsFile, ListsWhatItHolds) {
  const TemporaryDirectory directory;
  const SafetensorsFile file(directory.write("a.safetensors", testing::valid_safetensors()));
  EXPECT_EQ(file.names(), (std::vector<std::string>{"w", "scalar", "none", "flags", "half", "packed"}));
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_TRUE(file.has("w"));
  EXPECT_FALSE(file.has("W"));
  const SafetensorsInfo info = file.info("w");
  EXPECT_EQ(info.dtype_name, "F32");
  EXPECT_EQ(info.dtype, DType::f32);
  EXPECT_EQ(info.shape, (Shape{2, 3}));
  EXPECT_EQ(info.bytes, 24u);
  EXPECT_EQ(file.tensor("none", cpu()).shape(), (Shape{0, 4}));
  EXPECT_EQ(file.tensor("scalar", cpu()).rank(), 0);
  EXPECT_EQ(file.tensor("half", cpu()).dtype(), DType::f16);
  EXPECT_EQ(bytes_of(file.tensor("flags", cpu())), (std::vector<std::byte>{std::byte{0}, std::byte{1}, std::byte{0}}));
}

TEST(SafetensorsFile, NamesNearNamesWhenOneIsMissing) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("a.safetensors", testing::valid_safetensors());
  const SafetensorsFile file(path);
  EXPECT_TRUE(fails_with(path + ": expected the name of one of its 6 tensors, got 'flag' (near: 'flags')",
                         [&] { file.tensor("flag", cpu()); }));
  EXPECT_TRUE(fails_with("got 'lm_head.weight'", [&] { file.info("lm_head.weight"); }));
}

TEST(SafetensorsFile, RefusesOnReadingTypesThatTernLacks) {
  const TemporaryDirectory directory;
  const std::string header = "{" + safetensors_entry("d", "F8_E4M3", "8", "0,8") + "," +
                             safetensors_entry("e", "F8_E4M3", "1", "8,9") + "," +
                             safetensors_entry("x", "U8", "1", "9,10") + "}";
  const SafetensorsFile file(directory.write("a.safetensors", safetensors_bytes(header, "0123456789")));
  EXPECT_EQ(file.info("d").dtype, std::nullopt);
  EXPECT_EQ(file.info("e").dtype_name, "F8_E4M3");
  EXPECT_TRUE(fails_with("tensor 'd': expected a dtype that Tern reads, got F8_E4M3", [&] { file.tensor("d", cpu()); }));
  EXPECT_TRUE(
      fails_with("tensor 'e': expected a dtype that Tern reads, got F8_E4M3", [&] { file.tensor("e", cpu()); }));
  EXPECT_EQ(file.tensor("x", cpu()).to_vector<uint8_t>(), (std::vector<uint8_t>{'9'}));
}

TEST(SafetensorsFile, RefusesBooleansThatAreNone) {
  const TemporaryDirectory directory;
  const std::string header = "{" + safetensors_entry("b", "BOOL", "3", "0,3") + "}";
  for (char byte : {'\x02', '\x80', '\xff'}) {
    const std::string data = {1, byte, 0};
    const SafetensorsFile file(directory.write("a.safetensors", safetensors_bytes(header, data)));
    EXPECT_TRUE(fails_with("tensor 'b': expected BOOL values 0 and 1", [&] { file.tensor("b", cpu()); }));
  }
}

TEST(SafetensorsFile, RefusesWhatIsNoFile) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(fails_with(directory.file("none"), [&] { SafetensorsFile(directory.file("none")); }));
  EXPECT_TRUE(fails_with(directory.path(), [&] { SafetensorsFile(directory.path()); }));
  const std::string empty = directory.write("empty", "");
  EXPECT_TRUE(fails_with(empty + ": expected a safetensors file, got only 0 bytes", [&] { SafetensorsFile{empty}; }));
}

// safetensors 0.8.0, safetensors.numpy.save, of the tensors below.
constexpr std::string_view kGoldenHeader =
    R"({"__metadata__":{"format":"pt"},"ids":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},)"
    R"("b é":{"dtype":"F32","shape":[1],"data_offsets":[16,20]},"w":{"dtype":"F32","shape":[2,2],"data_offsets":[20,36]},)"
    R"("s":{"dtype":"I32","shape":[],"data_offsets":[36,40]},"h":{"dtype":"F16","shape":[1],"data_offsets":[40,42]},)"
    R"("i":{"dtype":"I8","shape":[1,1],"data_offsets":[42,43]},"u":{"dtype":"U8","shape":[0],"data_offsets":[43,43]},)"
    R"("mask":{"dtype":"BOOL","shape":[3],"data_offsets":[43,46]}}       )";
constexpr std::string_view kGoldenData(
    "\xff\xff\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\0\0\0\0\0\xe0\x40\0\0\x80\x3f\0\0\0\xc0\0\0\0\x3f\0\0\x40\x40\x05\0\0"
    "\0\0\x3e"
    "\xfd\x01\0\x01",
    46);

TEST(WriteSafetensors, WritesTheBytesOfTheReferenceLibrary) {
  const TemporaryDirectory directory;
  save_safetensors(directory.file("a.safetensors"),
                   {{"w", Tensor::from({1.0f, -2.0f, 0.5f, 3.0f}, {2, 2}, cpu())},
                    {"mask", booleans({1, 0, 1})},
                    {"u", Tensor::empty({0}, DType::u8, cpu())},
                    {"b é", Tensor::from({7.0f}, {1}, cpu())},
                    {"h", Tensor::from({f16(1.5f)}, {1}, cpu())},
                    {"ids", Tensor::from({int64_t{-1}, int64_t{2}}, {2}, cpu())},
                    {"i", Tensor::from({int8_t{-3}}, {1, 1}, cpu())},
                    {"s", Tensor::from({5}, {}, cpu())}},
                   {{"format", "pt"}});
  EXPECT_EQ(directory.read("a.safetensors"), safetensors_bytes(kGoldenHeader, kGoldenData));
}

TEST(WriteSafetensors, WritesNothingAsAnEmptyObject) {
  const TemporaryDirectory directory;
  save_safetensors(directory.file("a.safetensors"), {});
  EXPECT_EQ(directory.read("a.safetensors"), safetensors_bytes("{}      "));
  EXPECT_TRUE(load_safetensors(directory.file("a.safetensors"), cpu()).empty());
}

TEST(WriteSafetensors, RoundTripsEveryType) {
  const TemporaryDirectory directory;
  const std::vector<NamedTensor> tensors = assorted();
  const std::map<std::string, std::string> metadata = {{"a", "\"quoted\"\n"}, {"", "é"}};
  save_safetensors(directory.file("a.safetensors"), tensors, metadata);
  const SafetensorsFile file(directory.file("a.safetensors"));
  EXPECT_EQ(file.metadata(), metadata);
  EXPECT_EQ(file.names().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const Tensor read = file.tensor(name, cpu());
    EXPECT_EQ(read.dtype(), tensor.dtype()) << name;
    EXPECT_EQ(read.shape(), tensor.shape()) << name;
    EXPECT_EQ(bytes_of(read), bytes_of(tensor)) << name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(read.raw()) % size_of(read.dtype()), 0u) << name;
  }
}

TEST(WriteSafetensors, IsDeterministicWhateverTheOrder) {
  const TemporaryDirectory directory;
  std::vector<NamedTensor> tensors = assorted();
  save_safetensors(directory.file("a"), tensors, {{"x", "1"}, {"y", "2"}});
  std::reverse(tensors.begin(), tensors.end());
  save_safetensors(directory.file("b"), tensors, {{"y", "2"}, {"x", "1"}});
  EXPECT_EQ(directory.read("a"), directory.read("b"));
}

TEST(WriteSafetensors, WritesViewsInRowMajorOrder) {
  const TemporaryDirectory directory;
  const Tensor base = Tensor::from({0.0f, 1.0f, 2.0f, 3.0f, 4.0f, 5.0f}, {2, 3}, cpu());
  save_safetensors(directory.file("a"), {{"transposed", base.as_strided({3, 2}, {1, 3}, 0)},
                                         {"broadcast", base.as_strided({2, 2}, {0, 1}, 1)},
                                         {"reversed", base.as_strided({3}, {-2}, 5)},
                                         {"row", base.as_strided({1, 3}, {3, 1}, 3)}});
  const SafetensorsFile file(directory.file("a"));
  EXPECT_EQ(file.tensor("transposed", cpu()).to_vector<float>(), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(file.tensor("broadcast", cpu()).to_vector<float>(), (std::vector<float>{1, 2, 1, 2}));
  EXPECT_EQ(file.tensor("reversed", cpu()).to_vector<float>(), (std::vector<float>{5, 3, 1}));
  EXPECT_EQ(file.tensor("row", cpu()).to_vector<float>(), (std::vector<float>{3, 4, 5}));
}

TEST(WriteSafetensors, SavesOverTheFileItReadsFrom) {
  const TemporaryDirectory directory;
  save_safetensors(directory.file("a"), {{"x", Tensor::from({1.0f, 2.0f}, {2}, cpu())}});
  const auto loaded = load_safetensors(directory.file("a"), cpu());
  save_safetensors(directory.file("a"), {{"y", loaded[0].second}, {"z", Tensor::zeros({1000}, DType::f32, cpu())}});
  EXPECT_EQ(loaded[0].second.to_vector<float>(), (std::vector<float>{1.0f, 2.0f}));
  EXPECT_EQ(SafetensorsFile(directory.file("a")).tensor("y", cpu()).to_vector<float>(),
            (std::vector<float>{1.0f, 2.0f}));
}

TEST(WriteSafetensors, RefusesNamesThatCannotBe) {
  const TemporaryDirectory directory;
  const Tensor x = Tensor::from({1.0f}, {1}, cpu());
  const std::string path = directory.file("a");
  EXPECT_TRUE(fails_with("expected each name once, got 'x' twice", [&] {
    save_safetensors(path, {{"x", x}, {"y", x}, {"x", x}});
  }));
  EXPECT_TRUE(fails_with("other than '__metadata__'", [&] { save_safetensors(path, {{"__metadata__", x}}); }));
  EXPECT_TRUE(fails_with("in UTF-8", [&] { save_safetensors(path, {{"\xff", x}}); }));
  EXPECT_TRUE(fails_with("in UTF-8", [&] { save_safetensors(path, {{"x", x}}, {{"k", "\xc3"}}); }));
  EXPECT_TRUE(fails_with("an undefined one as 'x'", [&] { save_safetensors(path, {{"x", Tensor()}}); }));
  EXPECT_TRUE(fails_with(directory.file("no/a"), [&] { save_safetensors(directory.file("no/a"), {{"x", x}}); }));
  EXPECT_EQ(directory.count(), 0u);
}

// Runs f in a child whose files may not grow over `limit` bytes. True when it threw Error.
bool fails_on_a_full_disk(rlim_t limit, void (*f)(const std::string&), const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit size = {limit, limit};
    int code = ::setrlimit(RLIMIT_FSIZE, &size) == 0 ? 1 : 2;
    try {
      f(path);
    } catch (const Error&) {
      code = 0;
    }
    ::_exit(code);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(WriteSafetensors, LeavesTheOldFileWhenTheDiskIsFull) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a");
  save_safetensors(path, {{"old", Tensor::from({1.0f}, {1}, cpu())}});
  const std::string old = directory.read("a");
  for (rlim_t limit : {rlim_t{0}, rlim_t{100}, rlim_t{1 << 20}}) {
    EXPECT_TRUE(fails_on_a_full_disk(
        limit,
        [](const std::string& to) {
          save_safetensors(to, {{"new", Tensor::zeros({1 << 19}, DType::f32, cpu())}});
        },
        path));
    EXPECT_EQ(directory.read("a"), old);
    EXPECT_EQ(directory.count(), 1u);
  }
}

}  // namespace
}  // namespace tern
