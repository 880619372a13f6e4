#include "engine/held_records.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/run_lock.h"
#include "tests/support/temp_dir.h"

namespace palyra::engine {
namespace {

class HeldRecordsTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<RunLock> lock = RunLock::CreateUnique(directory_.path());
    ASSERT_TRUE(lock) << lock.error().message;
    lock_.emplace(*std::move(lock));
    Result<HeldRecords> made = HeldRecords::Make(directory_.path(), lock_->id());
    ASSERT_TRUE(made) << made.error().message;
    records_.emplace(*std::move(made));
  }

  const tests::TempDir directory_;
  std::optional<RunLock> lock_;
  std::optional<HeldRecords> records_;
};

TEST_F(HeldRecordsTest, AreReadInTheOrderOfTheirCalls) {
  for (const uint64_t call : {10U, 2U, 1U}) {
    ASSERT_TRUE(records_->Write(call, std::to_string(call)));
  }
  EXPECT_EQ(ReadHeldRecords(directory_.path()), (std::vector<std::string>{"1", "2", "10"}));
  records_->Remove(2);
  EXPECT_EQ(ReadHeldRecords(directory_.path()), (std::vector<std::string>{"1", "10"}));
  records_.reset();
  EXPECT_TRUE(ReadHeldRecords(directory_.path()).empty());
}

TEST_F(HeldRecordsTest, AreRemovedByWhoeverRefuses) {
  ASSERT_TRUE(records_->Write(1, "1"));
  EXPECT_TRUE(records_->Has(1));
  EXPECT_FALSE(RemoveHeldRecord(directory_.path(), lock_->id(), 2));
  EXPECT_FALSE(RemoveHeldRecord(directory_.path(), "../held/" + lock_->id(), 1));
  EXPECT_TRUE(records_->Has(1));
  EXPECT_TRUE(RemoveHeldRecord(directory_.path(), lock_->id(), 1));
  EXPECT_FALSE(records_->Has(1));
}

TEST_F(HeldRecordsTest, AreSweptOnceNobodyHoldsTheRun) {
  ASSERT_TRUE(records_->Write(1, "1"));
  SweepHeldRecords(directory_.path());
  EXPECT_TRUE(records_->Has(1)) << "its supervisor lives";
  lock_.reset();
  SweepHeldRecords(directory_.path());
  EXPECT_FALSE(records_->Has(1));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path() + "/held"));
}

}  // namespace
}  // namespace palyra::engine
