#include "engine/tool_user.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>

#include "tests/support/temp_dir.h"

namespace palyra::engine {
namespace {

using tests::TempDir;

// Of no user database that we know.
constexpr uid_t kUnknownUid = 3'999'999'999;

ToolUserChoice Option(const std::string& option) {
  return {.option = option, .sudo_uid = "0", .working_directory = "/"};
}

TEST(ToolUser, FindsAUserByNameAndByNumber) {
  const passwd* entry = getpwnam("nobody");
  ASSERT_NE(entry, nullptr);
  const uid_t uid = entry->pw_uid;
  const gid_t gid = entry->pw_gid;
  const std::string home = entry->pw_dir;
  const std::string shell = entry->pw_shell;
  for (const std::string& option : {std::string("nobody"), std::to_string(uid)}) {
    const Result<ToolUser> user = ResolveToolUser(Option(option));
    ASSERT_TRUE(user) << option;
    EXPECT_EQ(user->uid, uid);
    EXPECT_EQ(user->gid, gid);
    EXPECT_EQ(user->name, "nobody");
    EXPECT_EQ(user->home, home);
    EXPECT_EQ(user->shell, shell);
    EXPECT_EQ(user->chosen_by, "--user");
    EXPECT_NE(std::ranges::find(user->groups, gid), user->groups.end());
  }
}

TEST(ToolUser, GivesAnUnknownUidNothingOfItsOwn) {
  const Result<ToolUser> user = ResolveToolUser(Option(std::to_string(kUnknownUid)));
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, kUnknownUid);
  EXPECT_EQ(user->gid, kUnknownUid);
  EXPECT_TRUE(user->groups.empty());
  EXPECT_EQ(user->name, "");
  EXPECT_EQ(user->home, "/");
  EXPECT_EQ(user->shell, "/bin/sh");
}

TEST(ToolUser, TakesExactlyTheGroupThatIsNamed) {
  const Result<ToolUser> known = ResolveToolUser(Option("0:4242"));
  ASSERT_TRUE(known);
  EXPECT_EQ(known->uid, 0U);
  EXPECT_EQ(known->gid, 4242U);
  EXPECT_EQ(known->groups, std::vector<gid_t>{4242});
  EXPECT_EQ(known->name, "root");
  const Result<ToolUser> unknown = ResolveToolUser(Option("3999999999:4242"));
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->uid, kUnknownUid);
  EXPECT_EQ(unknown->gid, 4242U);
}

struct BadOption {
  std::string option;
  ErrorCode code;
};

TEST(ToolUser, RefusesWhatNamesNobody) {
  const BadOption cases[] = {
      {"", ErrorCode::kNotFound},
      {"no-such-user", ErrorCode::kNotFound},
      {"-1", ErrorCode::kNotFound},
      {"+1", ErrorCode::kNotFound},
      {" 1", ErrorCode::kNotFound},
      {"1x", ErrorCode::kNotFound},
      {"0x10", ErrorCode::kNotFound},
      {"4294967295", ErrorCode::kNotFound},  // "Unchanged" to setresuid(2): it would stay root.
      {"4294967296", ErrorCode::kNotFound},
      {"0:4294967295", ErrorCode::kInvalidArgument},
      {"4294967295:0", ErrorCode::kInvalidArgument},
      {":", ErrorCode::kInvalidArgument},
      {"1000:", ErrorCode::kInvalidArgument},
      {":1000", ErrorCode::kInvalidArgument},
      {"1:2:3", ErrorCode::kInvalidArgument},
      {"root:root", ErrorCode::kInvalidArgument},
  };
  for (const BadOption& each : cases) {
    const Result<ToolUser> user = ResolveToolUser(Option(each.option));
    ASSERT_FALSE(user) << each.option;
    EXPECT_EQ(user.error().code, each.code) << each.option;
    EXPECT_NE(user.error().message.find('"' + each.option + '"'), std::string::npos);
  }
}

TEST(ToolUser, IsSudosCallerWithoutAnOption) {
  const Result<ToolUser> user =
      ResolveToolUser({.option = std::nullopt, .sudo_uid = "3999999999", .working_directory = "/"});
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, kUnknownUid);
  EXPECT_EQ(user->chosen_by, "SUDO_UID");
}

TEST(ToolUser, RefusesASudoUidThatIsNone) {
  for (const std::string text : {"", "root", "-1", "4294967295", "1000 "}) {
    const Result<ToolUser> user =
        ResolveToolUser({.option = std::nullopt, .sudo_uid = text, .working_directory = "/"});
    ASSERT_FALSE(user) << "fell through to the next choice for \"" << text << '"';
    EXPECT_EQ(user.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(user.error().message.find("--user"), std::string::npos);
  }
}

TEST(ToolUser, IsElseTheOwnerOfTheWorkingDirectory) {
  const TempDir directory;
  const Result<ToolUser> own = ResolveToolUser(
      {.option = std::nullopt, .sudo_uid = std::nullopt, .working_directory = directory.path()});
  ASSERT_TRUE(own);
  EXPECT_EQ(own->uid, geteuid());
  EXPECT_EQ(own->chosen_by, "owner of the working directory");

  if (geteuid() != 0) return;
  ASSERT_EQ(chown(directory.path().c_str(), kUnknownUid, 4242), 0);
  const Result<ToolUser> other = ResolveToolUser(
      {.option = std::nullopt, .sudo_uid = std::nullopt, .working_directory = directory.path()});
  ASSERT_TRUE(other);
  EXPECT_EQ(other->uid, kUnknownUid);
  EXPECT_EQ(other->gid, 4242U) << "the directory's group, where no database knows one";
}

TEST(ToolUser, MayBeRootWhereRootOwnsTheDirectory) {
  const Result<ToolUser> user =
      ResolveToolUser({.option = std::nullopt, .sudo_uid = std::nullopt, .working_directory = "/"});
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, 0U);
  EXPECT_EQ(user->chosen_by, "owner of the working directory");
}

TEST(ToolUser, FailsWithoutAWorkingDirectory) {
  const Result<ToolUser> user = ResolveToolUser(
      {.option = std::nullopt, .sudo_uid = std::nullopt, .working_directory = "/nowhere/at/all"});
  ASSERT_FALSE(user);
  EXPECT_EQ(user.error().code, ErrorCode::kNotFound);
  EXPECT_NE(user.error().message.find("--user"), std::string::npos);
}

}  // namespace
}  // namespace palyra::engine
