// SPDX-License-Identifier: Apache-2.0
#include "base/mapped_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string_view>
#include <utility>

#include "support/fails_with.h"
#include "support/temporary_directory.h"

namespace tern {
namespace {

using testing::fails_with;
using testing::TemporaryDirectory;

std::string_view text(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(MappedFile, ShowsTheContent) {
  const TemporaryDirectory directory;
  const std::string large(10007, 'y');
  EXPECT_EQ(text(MappedFile(directory.write("a", "hello"))), "hello");
  EXPECT_EQ(text(MappedFile(directory.write("b", large))), large);
  EXPECT_TRUE(MappedFile(directory.write("c", "")).bytes().empty());
}

TEST(MappedFile, OutlivesTheName) {
  const TemporaryDirectory directory;
  const MappedFile file(directory.write("a", "hello"));
  std::filesystem::remove(file.path());
  EXPECT_EQ(text(file), "hello");
}

TEST(MappedFile, ReleasedPagesComeBack) {
  const TemporaryDirectory directory;
  std::string content;
  for (int i = 0; i < 50000; ++i) content += static_cast<char>('a' + i % 23);
  const MappedFile file(directory.write("a", content));
  for (const auto& [at, size] : {std::pair<size_t, size_t>{0, 0}, {0, 50000}, {1, 1}, {4095, 8194}, {49999, 1}}) {
    EXPECT_EQ(text(file), content);
    file.release(file.bytes().subspan(at, size));
    EXPECT_EQ(text(file), content);
  }
}

TEST(MappedFile, NamesThePathOfWhatItCannotMap) {
  const TemporaryDirectory directory;
  const std::string missing = directory.file("missing");
  EXPECT_TRUE(fails_with(missing, [&] { MappedFile{missing}; }));
  EXPECT_TRUE(fails_with("expected a regular file", [&] { MappedFile{directory.path()}; }));
  EXPECT_TRUE(fails_with("/dev/null: expected a regular file", [] { MappedFile{"/dev/null"}; }));
}

}  // namespace
}  // namespace tern
