#include "base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>

#include "tests/support/temp_dir.h"

namespace palyra::base {
namespace {

using tests::TempDir;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe MakePipe() {
  std::array<int, 2> ends = {-1, -1};
  EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

TEST(OpenFile, ClosesOnExec) {
  const Result<UniqueFd> fd = OpenFile("/dev/null", O_RDONLY);
  ASSERT_TRUE(fd);
  EXPECT_EQ(fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(OpenFile, MakesAFileWithTheModeItIsGiven) {
  const TempDir directory;
  const std::string path = directory.Path("made");
  ASSERT_TRUE(OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  struct stat status = {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST(OpenFile, NamesTheFileThatIsMissing) {
  const Result<UniqueFd> fd = OpenFile("/nowhere/at all", O_RDONLY);
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(fd.error().system_errno, ENOENT);
  EXPECT_EQ(fd.error().message, "cannot open \"/nowhere/at all\": No such file or directory");
}

TEST(ReadFile, ReadsEveryByte) {
  const TempDir directory;
  std::string content;
  for (int i = 0; i < 100'000; ++i) content += static_cast<char>(i);
  const Result<std::string> read = ReadFile(directory.Write("file", content));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, content);
}

TEST(ReadFile, ReadsAnEmptyFile) {
  const Result<std::string> read = ReadFile("/dev/null");
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, "");
}

TEST(ReadFile, RefusesOneByteMoreThanTheLimit) {
  const TempDir directory;
  // At and across the size of a single read.
  for (const size_t limit : {size_t{0}, size_t{10}, size_t{16384}, size_t{20000}}) {
    const std::string path = directory.Write("file", std::string(limit, 'x'));
    const Result<std::string> whole = ReadFile(path, limit);
    ASSERT_TRUE(whole) << limit;
    EXPECT_EQ(whole->size(), limit);

    const Result<std::string> longer =
        ReadFile(directory.Write("file", std::string(limit + 1, 'x')), limit);
    ASSERT_FALSE(longer) << limit;
    EXPECT_EQ(longer.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(longer.error().message.find(path), std::string::npos);
    EXPECT_NE(longer.error().message.find("the limit is " + std::to_string(limit)),
              std::string::npos);
  }
}

TEST(ReadFile, StopsReadingWhatNeverEnds) {
  const Result<std::string> read = ReadFile("/dev/zero", 1 << 20);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument);
}

TEST(ReadFile, FailsOnADirectory) {
  const Result<std::string> read = ReadFile("/tmp");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().system_errno, EISDIR);
  EXPECT_EQ(read.error().message, "cannot read \"/tmp\": Is a directory");
}

TEST(ReadAll, StartsWhereTheDescriptorStands) {
  const TempDir directory;
  const Result<UniqueFd> fd = OpenFile(directory.Write("file", "0123456789"), O_RDONLY);
  ASSERT_TRUE(fd);
  ASSERT_EQ(lseek(fd->get(), 4, SEEK_SET), 4);
  const Result<std::string> read = ReadAll(fd->get(), 100, "file");
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, "456789");
}

TEST(WriteAll, WritesMoreThanAPipeHolds) {
  Pipe pipe = MakePipe();
  const std::string data(1 << 20, 'x');
  Result<std::string> read;
  std::thread reader([&] { read = ReadAll(pipe.read_end.get(), data.size(), "pipe"); });
  const Result<void> written = WriteAll(pipe.write_end.get(), data, "pipe");
  pipe.write_end.Reset();
  reader.join();
  EXPECT_TRUE(written);
  ASSERT_TRUE(read);
  EXPECT_TRUE(*read == data);
}

TEST(WriteAll, FailsWhereNobodyReads) {
  const auto previous = std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe = MakePipe();
  pipe.read_end.Reset();
  const Result<void> written = WriteAll(pipe.write_end.get(), "text", "the pipe");
  (void)std::signal(SIGPIPE, previous);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().system_errno, EPIPE);
  EXPECT_EQ(written.error().message, "cannot write \"the pipe\": Broken pipe");
}

TEST(WriteAll, FailsOnAFullDisk) {
  const Result<UniqueFd> full = OpenFile("/dev/full", O_WRONLY);
  ASSERT_TRUE(full);
  const Result<void> written = WriteAll(full->get(), "text", "/dev/full");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kExhausted);
}

TEST(WriteAll, NothingIsWrittenWithoutACall) { EXPECT_TRUE(WriteAll(-1, "", "nothing")); }

TEST(ReplaceFile, PutsAnotherFileInItsPlace) {
  const TempDir directory;
  const std::string path = directory.Write("file", "old");
  const Result<UniqueFd> old = OpenFile(path, O_RDONLY);
  ASSERT_TRUE(old);
  ASSERT_TRUE(ReplaceFile(directory.path(), "file", "new"));
  EXPECT_EQ(*ReadFile(path), "new");
  EXPECT_EQ(*ReadAll(old->get(), 100, "file"), "old") << "who has it open reads the whole old one";
  EXPECT_EQ(access((path + ".new").c_str(), F_OK), -1);
}

TEST(ReplaceFile, TakesNoNoticeOfWhatSomebodyLeft) {
  const TempDir directory;
  const std::string elsewhere = directory.Write("elsewhere", "mine");
  ASSERT_EQ(symlink(elsewhere.c_str(), directory.Path("file.new").c_str()), 0);
  ASSERT_TRUE(ReplaceFile(directory.path(), "file", "new"));
  EXPECT_EQ(*ReadFile(elsewhere), "mine");
  EXPECT_EQ(*ReadFile(directory.Path("file")), "new");
}

TEST(ReplaceFile, LeavesNothingWhereItFails) {
  const TempDir directory;
  ASSERT_EQ(mkdir(directory.Path("file").c_str(), 0755), 0);
  EXPECT_FALSE(ReplaceFile(directory.path(), "file", "new"));
  EXPECT_EQ(access(directory.Path("file.new").c_str(), F_OK), -1);
  EXPECT_FALSE(ReplaceFile(directory.Path("nowhere"), "file", "new"));
}

TEST(MakeDirectories, MakesThoseThatAreMissing) {
  const TempDir directory;
  EXPECT_TRUE(MakeDirectories(directory.Path("a/b/c")));
  EXPECT_TRUE(MakeDirectories(directory.Path("a/b/c")));
  EXPECT_EQ(access(directory.Path("a/b/c").c_str(), R_OK | X_OK), 0);
  EXPECT_FALSE(MakeDirectories("/dev/null/a"));
}

}  // namespace
}  // namespace palyra::base
