// Output with a limit: whatever it goes to gets every byte up to the limit, in order, and a reader
// that is slow or gone is felt by the run.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/unique_fd.h"
#include "tests/support/kernel_state.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {
namespace {

using testing::HasSubstr;

// What write-bytes writes: bytes of every value, one line without an end.
std::string Expected(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i % 251);
  return text;
}

bool HasInput(int fd) {
  pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&ready, 1, 0) == 1;
}

class LimitsOutput : public testing::Test {
 protected:
  void SetUp() override { PALYRA_REQUIRE_FEATURE(Root()); }

  static std::vector<std::string> Write(int fd, size_t bytes) {
    return {BinaryPath("palyra_probe"), "write-bytes", std::to_string(fd), std::to_string(bytes)};
  }

  static PalyraRun With(const std::string& limit) {
    PalyraRun run;
    run.Option("--output-limit", limit);
    return run;
  }

  // The run's stdout is `fd`.
  static SpawnOptions Into(int fd) {
    SpawnOptions options;
    options.in_child = [fd] { return dup2(fd, STDOUT_FILENO) == STDOUT_FILENO ? 0 : 1; };
    return options;
  }
};

TEST_F(LimitsOutput, IsPassedOnByteByByte) {
  constexpr size_t kSize = 9'000'001;
  const Ended ended = With("9000001").Run(Write(1, kSize));
  EXPECT_EQ(ended.status, 0) << ended.error_output;
  EXPECT_TRUE(ended.output == Expected(kSize)) << ended.output.size();
}

TEST_F(LimitsOutput, IsDeliveredUpToTheLimit) {
  const Ended ended = With("70000").Run(Write(1, 0));
  EXPECT_EQ(ended.status, 137);
  EXPECT_TRUE(ended.output == Expected(70'000)) << ended.output.size();
}

TEST_F(LimitsOutput, StreamsAreCountedApart) {
  const std::string probe = BinaryPath("palyra_probe");
  const Ended both = With("1000").Run(
      {"/bin/sh", "-c", probe + " write-bytes 1 1000; " + probe + " write-bytes 2 1000"});
  EXPECT_EQ(both.status, 0) << both.error_output;
  EXPECT_EQ(both.output, Expected(1000));
  EXPECT_EQ(both.error_output, Expected(1000));
  const Ended more = With("1000").Run(
      {"/bin/sh", "-c",
       probe + " write-bytes 1 1000; " + probe + " write-bytes 2 1001; exec sleep 100"});
  EXPECT_EQ(more.status, 137);
  EXPECT_EQ(more.output, Expected(1000));
  EXPECT_THAT(more.error_output, HasSubstr("--output-limit 1000 bytes"));
}

TEST_F(LimitsOutput, OfNothingIsNothing) {
  EXPECT_EQ(With("0").Run({BinaryPath("palyra_probe"), "exit-with", "0"}).status, 0);
  const Ended ended = With("0").Run(Write(1, 1));
  EXPECT_EQ(ended.status, 137);
  EXPECT_EQ(ended.output, "");
}

TEST_F(LimitsOutput, GoesIntoFiles) {
  constexpr size_t kSize = 300'000;
  const TempDir directory;
  for (const int flags : {O_WRONLY, O_WRONLY | O_APPEND, O_RDWR}) {
    const std::string path = directory.Write("file", "");
    const UniqueFd file(open(path.c_str(), flags | O_CLOEXEC));
    ASSERT_TRUE(file.valid());
    EXPECT_EQ(With("1M").Run(Write(1, kSize), Into(file.get())).status, 0);
    EXPECT_TRUE(ReadText(path) == Expected(kSize)) << flags;
    EXPECT_EQ(With("1000").Run(Write(1, kSize), Into(file.get())).status, 137);
    EXPECT_TRUE(ReadText(path) == Expected(kSize) + Expected(1000)) << flags;
  }
}

TEST_F(LimitsOutput, GoesIntoSockets) {
  constexpr size_t kSize = 500'000;
  std::array<int, 2> ends = {-1, -1};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const PalyraRun run = With("1M");
  Subprocess command(run.CommandLine(Write(1, kSize)), Into(writer.get()));
  writer.Reset();
  const Result<std::string> read = base::ReadAll(reader.get(), size_t{1} << 24, "socket");
  ASSERT_TRUE(read);
  EXPECT_TRUE(*read == Expected(kSize)) << read->size();
  EXPECT_EQ(command.Wait().status, 0);
}

TEST_F(LimitsOutput, GoesToATerminal) {
  SpawnOptions options;
  options.terminal = true;
  const Ended ended = With("1K").Run({"/bin/sh", "-c", "printf 'first\\nsecond'"}, options);
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_EQ(ended.output, "first\r\nsecond");
}

// The supervisor stores nothing: the run stops when its pipe and the reader's are full.
TEST_F(LimitsOutput, WaitsForASlowReader) {
  constexpr size_t kSize = 4'000'000;
  std::array<int, 2> ends = {-1, -1};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const PalyraRun run = With("16M");
  Subprocess command(run.CommandLine(Write(1, kSize)), Into(writer.get()));
  writer.Reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_FALSE(ProbesMarked(std::to_string(kSize)).empty()) << "somebody stored its output";
  std::string all;
  std::array<char, 4096> part;
  while (true) {
    const ssize_t size = read(reader.get(), part.data(), part.size());
    if (size <= 0) break;
    all.append(part.data(), static_cast<size_t>(size));
  }
  EXPECT_TRUE(all == Expected(kSize)) << all.size();
  const Ended ended = command.Wait();
  EXPECT_EQ(ended.status, 0) << Describe(ended);
}

TEST_F(LimitsOutput, AReaderThatNeverReadsDoesNotKeepARunFromItsEnd) {
  std::array<int, 2> ends = {-1, -1};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  PalyraRun timed = With("16M");
  timed.Option("--timeout", "1");
  EXPECT_EQ(timed.Run(Write(1, 0), Into(writer.get())).status, 124);
  const PalyraRun run = With("16M");
  Subprocess command(run.CommandLine(Write(1, 0)), Into(writer.get()));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  command.Signal(SIGTERM);
  EXPECT_EQ(command.Wait().status, 128 + SIGTERM);
}

TEST_F(LimitsOutput, AReaderThatIsGoneEndsTheWriter) {
  std::array<int, 2> ends = {-1, -1};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  const PalyraRun run = With("1G");
  Subprocess command(run.CommandLine(Write(1, 0)), Into(writer.get()));
  std::array<char, 100'000> part;
  ASSERT_TRUE(Eventually([&] { return HasInput(reader.get()); }));
  ASSERT_GT(read(reader.get(), part.data(), part.size()), 0);
  reader.Reset();
  EXPECT_EQ(command.Wait().status, 128 + SIGPIPE);
  // And one that was gone before.
  EXPECT_EQ(With("1G").Run(Write(1, 0), Into(writer.get())).status, 128 + SIGPIPE);
}

TEST_F(LimitsOutput, MayBeOpenedAgainByName) {
  const Ended ended = With("1K").Run({"/bin/sh", "-c", "echo again >/dev/stdout"});
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_EQ(ended.output, "again\n");
}

TEST_F(LimitsOutput, WithoutALimitNothingIsBetween) {
  for (const bool is_limited : {false, true}) {
    std::array<int, 2> ends = {-1, -1};
    ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    struct stat status;
    ASSERT_EQ(fstat(writer.get(), &status), 0);
    const PalyraRun run = is_limited ? With("1M") : PalyraRun();
    EXPECT_EQ(run.Run({BinaryPath("palyra_probe"), "fds-print"}, Into(writer.get())).status, 0);
    writer.Reset();
    const Result<std::string> shown = base::ReadAll(reader.get(), 65'536, "pipe");
    ASSERT_TRUE(shown);
    const std::string own = "1 pipe:[" + std::to_string(status.st_ino) + "]\n";
    EXPECT_EQ(shown->find(own) == std::string::npos, is_limited) << *shown;
  }
}

}  // namespace
}  // namespace palyra::tests
