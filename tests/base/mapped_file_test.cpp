// SPDX-License-Identifier: Apache-2.0
#include "base/mapped_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string_view>

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

TEST(MappedFile, NamesThePathOfWhatItCannotMap) {
  const TemporaryDirectory directory;
  const std::string missing = directory.file("missing");
  EXPECT_TRUE(fails_with(missing, [&] { MappedFile{missing}; }));
  EXPECT_TRUE(fails_with("expected a regular file", [&] { MappedFile{directory.path()}; }));
  EXPECT_TRUE(fails_with("/dev/null: expected a regular file", [] { MappedFile{"/dev/null"}; }));
}

}  // namespace
}  // namespace tern
