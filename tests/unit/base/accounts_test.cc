#include "base/accounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "tests/support/temp_dir.h"

namespace palyra::base {
namespace {

using testing::ElementsAre;

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/bash\n"
    "# a comment\n"
    "+nis::::::\n"
    "broken:x:one:2:::\n"
    "short:x:7:7\n"
    "minus:x:4294967295:1::/:\n"
    "ann:x:1000:1001:Ann,,,:/home/ann:\n"
    "7seas:x:1007:1001::/home/7seas:/bin/sh\n";
constexpr const char* kGroup =
    "root:x:0:\n"
    "ann:x:1001:\n"
    "wheel:x:10:root,ann\n"
    "video:x:44:anna,xann\n"
    "again:x:10:ann\n"
    "palyra:x:998:ann\n";

// A getent that knows one user who is in no file, and of whom a number says the same.
constexpr const char* kGetent =
    "#!/bin/sh\n"
    "[ \"$2\" = -- ] || exit 1\n"
    "case \"$1 $3\" in\n"
    "'passwd eve'|'passwd 5000') echo 'eve:*:5000:5001:Eve:/net/eve:/bin/zsh';;\n"
    "'passwd liar') echo 'eve:*:5000:5001:Eve:/net/eve:/bin/zsh';;\n"
    "'passwd ann') echo 'ann:*:4000:4001:Ann:/net/ann:/bin/zsh';;\n"
    "'initgroups ann') echo 'ann   4001 10 4002';;\n"
    "'group palyra') echo 'palyra:*:4998:ann';;\n"
    "*broken) exit 3;;\n"
    "*) exit 2;;\n"
    "esac\n";

class AccountsTest : public testing::Test {
 protected:
  [[nodiscard]] UserDatabase Users(const std::string& nsswitch) const {
    const std::string getent = directory_.Write("getent", kGetent);
    EXPECT_EQ(chmod(getent.c_str(), 0755), 0);
    return UserDatabase({.passwd = directory_.Write("passwd", kPasswd),
                         .group = directory_.Write("group", kGroup),
                         .nsswitch = directory_.Write("nsswitch.conf", nsswitch),
                         .getent = getent});
  }

  tests::TempDir directory_;
};

constexpr const char* kFiles = "# passwd: ldap\npasswd:   files systemd # more\ngroup: files\n";
constexpr const char* kLdap = "passwd: files ldap\ngroup:\tldap files\n";

TEST_F(AccountsTest, ReadsTheFiles) {
  const UserDatabase users = Users(kFiles);
  const Account ann = {.name = "ann", .uid = 1000, .gid = 1001, .home = "/home/ann", .shell = ""};
  EXPECT_EQ(users.Find("ann"), ann);
  EXPECT_EQ(users.Find(1000), ann);
  EXPECT_THAT(users.GroupsOf(ann), ElementsAre(1001, 10, 998));
  EXPECT_EQ(users.FindGroup("palyra").value(), 998);
  for (const char* name : {"", "+nis", "broken", "short", "# a comment", "an", "1000", "7"}) {
    EXPECT_EQ(users.Find(name), std::nullopt) << name;
  }
  EXPECT_EQ(users.Find("7seas")->uid, 1007U);
  EXPECT_EQ(users.Find(7), std::nullopt);
  EXPECT_EQ(users.FindGroup("nobody").value(), std::nullopt);
  EXPECT_EQ(users.Find("minus"), std::nullopt) << "to setuid(2) that uid is no change";
}

TEST_F(AccountsTest, AsksGetentForWhoIsInNoFile) {
  const UserDatabase users = Users(kFiles);
  const Account eve = {
      .name = "eve", .uid = 5000, .gid = 5001, .home = "/net/eve", .shell = "/bin/zsh"};
  EXPECT_EQ(users.Find("eve"), eve);
  EXPECT_EQ(users.Find(5000), eve);
  EXPECT_EQ(users.Find("liar"), std::nullopt) << "an answer to another question";
}

TEST_F(AccountsTest, AsksGetentWhereFilesAreNotAll) {
  const UserDatabase users = Users(kLdap);
  const std::optional<Account> ann = users.Find("ann");
  ASSERT_TRUE(ann);
  EXPECT_EQ(ann->uid, 4000U);
  EXPECT_THAT(users.GroupsOf(*ann), ElementsAre(4001, 10, 4002));
  EXPECT_EQ(users.FindGroup("palyra").value(), 4998);
  EXPECT_EQ(users.FindGroup("nobody").value(), std::nullopt);
  EXPECT_FALSE(users.FindGroup("broken")) << "no answer is not the answer that there is none";
}

TEST_F(AccountsTest, KnowsTheFilesWithoutAnythingElse) {
  const UserDatabase users({.passwd = directory_.Write("passwd", kPasswd),
                            .group = directory_.Write("group", kGroup),
                            .nsswitch = directory_.Path("none"),
                            .getent = directory_.Path("none")});
  EXPECT_EQ(users.Find("ann")->uid, 1000U);
  EXPECT_EQ(users.Find("eve"), std::nullopt);
  EXPECT_EQ(UserDatabase({.passwd = directory_.Path("none"),
                          .group = directory_.Path("none"),
                          .nsswitch = directory_.Path("none"),
                          .getent = directory_.Path("none")})
                .Find(0),
            std::nullopt);
}

TEST_F(AccountsTest, OfThisMachineKnowsRoot) {
  const std::optional<Account> root = UserDatabase().Find(0);
  ASSERT_TRUE(root);
  EXPECT_EQ(UserDatabase().Find(root->name), root);
}

}  // namespace
}  // namespace palyra::base
