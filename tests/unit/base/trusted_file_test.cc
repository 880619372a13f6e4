#include "base/trusted_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "tests/support/require_feature.h"
#include "tests/support/temp_dir.h"

namespace palyra::base {
namespace {

using testing::HasSubstr;

class TrustedFileTest : public testing::Test {
 protected:
  static std::string Refusal(const std::string& path) {
    const Result<void> trusted = RequireTrusted(path);
    return trusted ? "" : trusted.error().message;
  }

  void MakeDirectory(const std::string& name, mode_t mode) const {
    ASSERT_EQ(mkdir(files_.Path(name).c_str(), 0755), 0);
    ASSERT_EQ(chmod(files_.Path(name).c_str(), mode), 0);
  }

  tests::TempDir files_;
};

// Below /tmp, which everybody can write and where nobody replaces what is another's.
TEST_F(TrustedFileTest, AFileOfOursIsRead) {
  const std::string path = files_.Write("a", "text");
  EXPECT_EQ(Refusal(path), "");
  EXPECT_EQ(Refusal(files_.path() + "/"), "");
  EXPECT_EQ(Refusal(files_.path() + "/./../" + files_.path().substr(5) + "/a"), "");
  const Result<std::string> read = ReadTrustedFile(path);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, "text");
}

TEST_F(TrustedFileTest, WhatOthersCanWriteIsNot) {
  const std::string path = files_.Write("a", "text");
  for (const mode_t mode : {0664U, 0646U, 0666U}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    EXPECT_THAT(Refusal(path), HasSubstr('"' + path + "\": it could be changed by others"));
    EXPECT_FALSE(ReadTrustedFile(path));
  }
}

TEST_F(TrustedFileTest, ADirectoryOnTheWayThatOthersCanWriteIsNot) {
  MakeDirectory("open", 0777);
  (void)files_.Write("open/a", "text");
  EXPECT_THAT(Refusal(files_.Path("open/a")), HasSubstr(files_.Path("open") + '"'));
  ASSERT_EQ(chmod(files_.Path("open").c_str(), 01777), 0);
  EXPECT_EQ(Refusal(files_.Path("open/a")), "");
  EXPECT_NE(Refusal(files_.Path("open")), "") << "everybody can add files to it";
}

TEST_F(TrustedFileTest, ALinkCountsWithAllOnItsWay) {
  MakeDirectory("open", 0777);
  const std::string good = files_.Write("good", "text");
  ASSERT_EQ(symlink("good", files_.Path("link").c_str()), 0);
  EXPECT_EQ(Refusal(files_.Path("link")), "");
  ASSERT_EQ(symlink(good.c_str(), files_.Path("open/link").c_str()), 0);
  ASSERT_EQ(symlink("open/link", files_.Path("through").c_str()), 0);
  EXPECT_THAT(Refusal(files_.Path("through")), HasSubstr(files_.Path("open") + '"'));
  ASSERT_EQ(symlink("loop", files_.Path("loop").c_str()), 0);
  EXPECT_NE(Refusal(files_.Path("loop")), "");
}

TEST_F(TrustedFileTest, WhatIsAnothersIsNot) {
  PALYRA_REQUIRE_FEATURE(tests::Root());
  const std::string path = files_.Write("a", "text");
  ASSERT_EQ(chown(path.c_str(), 1000, 0), 0);
  EXPECT_NE(Refusal(path), "");
  ASSERT_EQ(chown(path.c_str(), 0, 1000), 0);
  EXPECT_EQ(Refusal(path), "") << "a group that cannot write";
}

TEST_F(TrustedFileTest, WhatIsNoFileIsNotRead) {
  EXPECT_FALSE(ReadTrustedFile(files_.path()));
  EXPECT_FALSE(ReadTrustedFile(files_.Path("none")));
  ASSERT_EQ(mkfifo(files_.Path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(ReadTrustedFile(files_.Path("pipe")));
}

}  // namespace
}  // namespace palyra::base
