#include "engine/run_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace palyra::engine {
namespace {

using testing::HasSubstr;

RunLimits With(LimitKind kind, std::string_view text) {
  RunLimits limits;
  EXPECT_TRUE(SetLimit(kind, text, limits)) << text;
  return limits;
}

TEST(RunLimits, AreFoundByTheirNames) {
  for (const LimitInfo& info : AllLimits()) {
    ASSERT_NE(FindLimit(info.name), nullptr);
    EXPECT_EQ(FindLimit(info.name)->kind, info.kind);
    EXPECT_EQ(InfoOf(info.kind).name, info.name);
  }
  EXPECT_EQ(FindLimit("memor"), nullptr);
  EXPECT_EQ(FindLimit(""), nullptr);
}

TEST(RunLimits, AreReadAndShown) {
  struct Case {
    LimitKind kind;
    const char* text;
    const char* shown;
  };
  const Case cases[] = {
      {LimitKind::kMemory, "64M", "64 MiB"},    {LimitKind::kSwap, "0", "0 bytes"},
      {LimitKind::kProcesses, "20", "20"},      {LimitKind::kProcessors, "0.5", "0.5"},
      {LimitKind::kProcessors, "2", "2"},       {LimitKind::kProcessors, "1.125", "1.125"},
      {LimitKind::kCpuTime, "1.5", "1.5 s"},    {LimitKind::kCpuTime, "2m", "120 s"},
      {LimitKind::kIo, "10M", "10 MiB/s"},      {LimitKind::kOutput, "0", "0 bytes"},
      {LimitKind::kDisk, "1000", "1000 bytes"}, {LimitKind::kOpenFiles, "64", "64"},
  };
  for (const Case& each : cases) {
    const RunLimits limits = With(each.kind, each.text);
    EXPECT_TRUE(IsSet(limits, each.kind));
    EXPECT_EQ(LimitText(limits, each.kind), each.shown);
    for (const LimitInfo& other : AllLimits()) {
      EXPECT_EQ(IsSet(limits, other.kind), other.kind == each.kind) << other.name;
      EXPECT_EQ(LimitText(limits, other.kind).empty(), other.kind != each.kind) << other.name;
    }
  }
}

TEST(RunLimits, RefuseWhatIsNoSuchValue) {
  struct Case {
    LimitKind kind;
    const char* text;
  };
  const Case cases[] = {
      {LimitKind::kMemory, "0"},
      {LimitKind::kMemory, "much"},
      {LimitKind::kIo, "0"},
      {LimitKind::kIo, "10M/s"},
      {LimitKind::kProcesses, "0"},
      {LimitKind::kProcesses, "5000000"},
      {LimitKind::kProcesses, "1K"},
      {LimitKind::kProcessors, "0"},
      {LimitKind::kProcessors, "0.009"},
      {LimitKind::kProcessors, "-1"},
      {LimitKind::kProcessors, "nan"},
      {LimitKind::kProcessors, "inf"},
      {LimitKind::kProcessors, "8193"},
      {LimitKind::kProcessors, "1e2"},
      {LimitKind::kProcessors, "50%"},
      {LimitKind::kCpuTime, "0"},
      {LimitKind::kOpenFiles, "0"},
      {LimitKind::kOpenFiles, "2000000000"},
      {LimitKind::kOutput, "-1"},
      {LimitKind::kDisk, ""},
  };
  for (const Case& each : cases) {
    RunLimits limits;
    const Result<void> set = SetLimit(each.kind, each.text, limits);
    ASSERT_FALSE(set) << each.text;
    EXPECT_EQ(set.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(limits, RunLimits()) << each.text;
  }
}

TEST(RunLimits, SwapComesBesideMemory) {
  RunLimits limits = With(LimitKind::kSwap, "1M");
  ASSERT_FALSE(CheckLimits(limits));
  EXPECT_THAT(CheckLimits(limits).error().message, HasSubstr("--memory"));
  limits.memory = 1;
  EXPECT_TRUE(CheckLimits(limits));
  EXPECT_TRUE(CheckLimits(RunLimits()));
}

TEST(RunLimits, DefaultsFillInWhatIsAbsent) {
  const RunLimits defaults = {
      .memory = 10, .swap = 5, .processes = 3, .cpu_time = std::chrono::milliseconds(7)};
  RunLimits limits = {.processes = 4};
  FillIn(defaults, limits);
  EXPECT_EQ(
      limits,
      (RunLimits{
          .memory = 10, .swap = 5, .processes = 4, .cpu_time = std::chrono::milliseconds(7)}));
  // Swap that goes with another memory is none of this one's.
  RunLimits with_memory = {.memory = 20};
  FillIn(defaults, with_memory);
  EXPECT_EQ(with_memory.memory, 20U);
  EXPECT_FALSE(with_memory.swap);
}

}  // namespace
}  // namespace palyra::engine
