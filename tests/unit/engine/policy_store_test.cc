#include "engine/policy_store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "tests/support/temp_dir.h"

namespace palyra::engine {
namespace {

PolicyBundle Bundle(const std::string& text) {
  return {.policies = {{.name = "a.cedar", .text = text}, {.name = "b c.cedar", .text = "\n"}},
          .entities = PolicyFile{.name = "entities.json", .text = "[]"},
          .schema = std::nullopt};
}

class PolicyStoreTest : public testing::Test {
 protected:
  // The text that is in force; empty where nothing is.
  std::string InForce() const {
    const Result<std::optional<PolicyStore::Stored>> stored = store_.InForce();
    EXPECT_TRUE(stored) << stored.error().message;
    if (!stored || !*stored) return "";
    EXPECT_EQ((*stored)->bundle, Bundle((*stored)->bundle.policies[0].text)) << "whole";
    return (*stored)->bundle.policies[0].text;
  }

  tests::TempDir files_;
  PolicyStore store_{files_.Path("var/policy")};
};

TEST_F(PolicyStoreTest, HoldsNothingBeforeTheFirstLoad) { EXPECT_EQ(InForce(), ""); }

TEST_F(PolicyStoreTest, KeepsVersionsAndPutsOldOnesInForceAgain) {
  const Result<PolicyVersion> first = store_.Load(Bundle("first"), 1);
  ASSERT_TRUE(first) << first.error().message;
  const Result<PolicyVersion> second = store_.Load(Bundle("second"), 2);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->before, first->number);
  EXPECT_EQ(InForce(), "second");
  EXPECT_TRUE(store_.PutInForce(first->number));
  EXPECT_EQ(InForce(), "first");
  EXPECT_EQ(store_.Load(Bundle("third"), 3)->before, first->number);
  EXPECT_EQ(store_.PutInForce(99).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(InForce(), "third");
  EXPECT_EQ(store_.Load(Bundle("third"), 4)->number, 3U) << "it is in force already";
}

TEST_F(PolicyStoreTest, KeepsNoMoreThanItSays) {
  for (size_t i = 0; i < PolicyStore::kKept + 5; ++i) {
    ASSERT_TRUE(store_.Load(Bundle(std::to_string(i)), 1));
  }
  const auto history = store_.History();
  ASSERT_TRUE(history && *history);
  EXPECT_EQ((*history)->versions.size(), PolicyStore::kKept);
  EXPECT_EQ((*history)->versions.front().number, 6U);
  for (const PolicyVersion& version : (*history)->versions) EXPECT_TRUE(store_.Read(version));
}

TEST_F(PolicyStoreTest, WhatOthersCouldHaveChangedIsNotRead) {
  ASSERT_TRUE(store_.Load(Bundle("first"), 1));
  const std::string history = store_.path() + "/history";
  for (const std::string& path : {store_.path(), history}) {
    ASSERT_EQ(chmod(path.c_str(), 0777), 0);
    EXPECT_EQ(store_.InForce().error().code, ErrorCode::kPermissionDenied) << path;
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  }
  EXPECT_EQ(InForce(), "first");
}

TEST_F(PolicyStoreTest, DamageIsNoticed) {
  const Result<PolicyVersion> first = store_.Load(Bundle("first"), 1);
  (void)files_.Write("var/policy/versions/" + first->digest, "palyra-policy 1\n");
  EXPECT_FALSE(store_.InForce());
  ASSERT_TRUE(store_.Load(Bundle("first"), 2)) << "loading it again mends it";
  EXPECT_EQ(InForce(), "first");
  (void)files_.Write("var/policy/history", "palyra-policy-history 1\nin-force 1\n");
  EXPECT_FALSE(store_.InForce());
}

// A full disk: nothing more can be written.
TEST_F(PolicyStoreTest, WithoutRoomTheOldVersionStaysInForce) {
  ASSERT_TRUE(store_.Load(Bundle("first"), 1));
  const pid_t child = fork();
  if (child == 0) {
    (void)signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {.rlim_cur = 20, .rlim_max = 20};
    setrlimit(RLIMIT_FSIZE, &limit);
    _exit(store_.Load(Bundle("second"), 2) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_EQ(InForce(), "first");
  EXPECT_TRUE(store_.Load(Bundle("second"), 2));
  EXPECT_EQ(InForce(), "second");
}

// Killed at any moment: one of the two is in force, whole, and the next load works.
TEST_F(PolicyStoreTest, OfALoaderThatIsKilledOneVersionIsInForce) {
  ASSERT_TRUE(store_.Load(Bundle("0"), 1));
  for (int i = 0; i < 60; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      for (int next = 1;; ++next) (void)store_.Load(Bundle(std::to_string(next)), 2);
    }
    usleep(static_cast<useconds_t>(137 * i));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_NE(InForce(), "");
  }
  EXPECT_TRUE(store_.Load(Bundle("last"), 3));
  EXPECT_EQ(InForce(), "last");
}

TEST(PolicyBundle, IsReadAsItWasWritten) {
  for (const PolicyBundle& bundle : {Bundle("permit"), PolicyBundle()}) {
    EXPECT_EQ(*ParseBundle(*BundleBytes(bundle)), bundle);
  }
  const std::string bytes = *BundleBytes(Bundle("permit"));
  for (size_t length = 0; length < bytes.size(); ++length) {
    const Result<PolicyBundle> cut = ParseBundle(bytes.substr(0, length));
    EXPECT_FALSE(cut && *cut == Bundle("permit")) << length;
  }
  EXPECT_FALSE(ParseBundle(bytes + "x"));
  PolicyBundle strange;
  strange.policies.push_back({.name = "a\nb", .text = ""});
  EXPECT_FALSE(BundleBytes(strange));
}

}  // namespace
}  // namespace palyra::engine
