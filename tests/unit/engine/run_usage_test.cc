#include "engine/run_usage.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace palyra::engine {
namespace {

rusage Waited() {
  rusage waited = {};
  waited.ru_utime = {.tv_sec = 1, .tv_usec = 5};
  waited.ru_stime = {.tv_sec = 2, .tv_usec = 10};
  waited.ru_maxrss = 3;
  waited.ru_inblock = 4;
  waited.ru_oublock = 5;
  return waited;
}

TEST(RunUsage, IsTheCgroupsWhereThatCounts) {
  const tests::TempDir cgroup;
  (void)cgroup.Write("cpu.stat", "usage_usec 4321\nuser_usec 4000\nsystem_usec 321\n");
  (void)cgroup.Write("memory.peak", "1048576\n");
  (void)cgroup.Write("io.stat",
                     "8:0 rbytes=10 wbytes=20 rios=1 wios=2\n8:16 rbytes=1 wbytes=2 rios=1\n");
  const RunUsage usage = ReadUsage(cgroup.path(), Waited());
  EXPECT_EQ(usage.cpu_us, (Used{.amount = 4321, .source = "cgroup v2 cpu.stat"}));
  EXPECT_EQ(usage.memory_peak, (Used{.amount = 1048576, .source = "cgroup v2 memory.peak"}));
  EXPECT_EQ(usage.io_read, (Used{.amount = 11, .source = "cgroup v2 io.stat"}));
  EXPECT_EQ(usage.io_written, (Used{.amount = 22, .source = "cgroup v2 io.stat"}));
  (void)cgroup.Write("io.stat", "");
  EXPECT_EQ(ReadUsage(cgroup.path(), Waited()).io_read.amount, 0U);
}

TEST(RunUsage, IsElseTheCommandsAndSaysSo) {
  const tests::TempDir cgroup;
  const RunUsage usage = ReadUsage(cgroup.path(), Waited());
  EXPECT_EQ(usage.cpu_us.amount, 3'000'015U);
  EXPECT_EQ(usage.memory_peak.amount, 3072U);
  EXPECT_EQ(usage.io_read.amount, 2048U);
  EXPECT_EQ(usage.io_written.amount, 2560U);
  EXPECT_EQ(usage.io_written.source, "rusage of the command and what it waited for");
}

}  // namespace
}  // namespace palyra::engine
