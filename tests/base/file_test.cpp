// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <stdexcept>

#include "support/fails_with.h"
#include "support/temporary_directory.h"

namespace tern {
namespace {

using testing::fails_with;
using testing::TemporaryDirectory;

TEST(ReadFile, ReadsEveryByte) {
  const TemporaryDirectory directory;
  const std::string binary("a\0b\n\xff", 5), large(200003, 'x');
  EXPECT_EQ(read_file(directory.write("empty", "")), "");
  EXPECT_EQ(read_file(directory.write("binary", binary)), binary);
  EXPECT_EQ(read_file(directory.write("large", large)), large);
}

TEST(ReadFile, NamesThePathOfWhatItCannotRead) {
  const TemporaryDirectory directory;
  const std::string missing = directory.file("missing");
  EXPECT_TRUE(fails_with(missing, [&] { read_file(missing); }));
  EXPECT_TRUE(fails_with("expected a file, got a directory", [&] { read_file(directory.path()); }));
  const std::string five = directory.write("five", "12345");
  EXPECT_EQ(read_file(five, 5), "12345");
  EXPECT_TRUE(fails_with("at most 4 bytes", [&] { read_file(five, 4); }));
  EXPECT_TRUE(fails_with("at most 1000 bytes", [] { read_file("/dev/zero", 1000); }));
}

TEST(WriteFile, CreatesAndReplaces) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a");
  write_file_atomically(path, "one");
  EXPECT_EQ(read_file(path), "one");
  write_file_atomically(path, [](FileWriter& file) {
    file.write("tw");
    file.write("");
    file.write("o");
  });
  EXPECT_EQ(read_file(path), "two");
  EXPECT_EQ(directory.count(), 1u);
}

TEST(WriteFile, KeepsTheOldFileWhenTheWriterThrows) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("a", "old");
  EXPECT_THROW(write_file_atomically(path,
                                     [](FileWriter& file) {
                                       file.write("new");
                                       throw std::runtime_error("stop");
                                     }),
               std::runtime_error);
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(directory.count(), 1u);
}

TEST(WriteFile, NamesThePathOfWhatItCannotWrite) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(fails_with("missing/a", [&] { write_file_atomically(directory.file("missing/a"), "x"); }));
  EXPECT_TRUE(fails_with(directory.path(), [&] { write_file_atomically(directory.path(), "x"); }));
  EXPECT_EQ(directory.count(), 0u);
}

TEST(WriteFile, ReportsAFullDisk) {
  FileWriter file("/dev/full");
  EXPECT_TRUE(fails_with("/dev/full", [&] { file.write("x"); }));
}

// A limit on the file size stands in for a disk that fills up half-way. In a child, for the limit stays.
TEST(WriteFile, KeepsTheOldFileWhenTheDiskFillsUp) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("a", "old");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const bool failed = bool{fails_with("a.", [&] { write_file_atomically(path, std::string(10000, 'x')); })};
    ::_exit(failed ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(directory.count(), 1u);
}

TEST(SyncDirectory, NamesThePath) {
  const TemporaryDirectory directory;
  EXPECT_NO_THROW(sync_directory(directory.path()));
  EXPECT_TRUE(fails_with("missing", [&] { sync_directory(directory.file("missing")); }));
}

}  // namespace
}  // namespace tern
