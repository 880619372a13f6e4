#include "engine/host.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace palyra::engine {
namespace {

// systemd before cgroup v1 went away: both versions, v2 beside v1.
constexpr std::string_view kHybrid =
    "31 23 0:28 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw\n";

constexpr std::string_view kUnified =
    "24 1 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
    "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    "44 24 0:40 / /sys/fs/bpf rw,nosuid,nodev,noexec,relatime - bpf bpf rw,mode=700\n";

// A container's own part of the hierarchy first, then the host's, mounted in by its operator.
constexpr std::string_view kContainer =
    "800 790 0:26 /docker/0123abcd /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw\n"
    "801 790 0:26 / /host/cgroup rw,nosuid - cgroup2 cgroup rw\n";

constexpr std::string_view kContainerReadOnly =
    "800 790 0:26 /docker/0123abcd /sys/fs/cgroup ro,nosuid,nodev - cgroup2 cgroup rw\n";

constexpr std::string_view kReadOnlySuperblock =
    "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 ro,nsdelegate\n";

TEST(ParseMountInfo, ReadsEachField) {
  const std::vector<MountEntry> mounts = ParseMountInfo(kHybrid);
  ASSERT_EQ(mounts.size(), 3U);
  EXPECT_EQ(mounts[0].mount_point, "/sys/fs/cgroup");
  EXPECT_EQ(mounts[0].type, "tmpfs");
  EXPECT_TRUE(mounts[0].read_only);
  EXPECT_EQ(mounts[2].root, "/");
  EXPECT_EQ(mounts[2].mount_point, "/sys/fs/cgroup/unified");
  EXPECT_EQ(mounts[2].type, "cgroup2");
  EXPECT_FALSE(mounts[2].read_only);
}

TEST(ParseMountInfo, TakesAnyNumberOfOptionalFields) {
  for (const std::string optional : {"", "shared:1 ", "shared:1 master:2 propagate_from:3 "}) {
    const std::vector<MountEntry> mounts =
        ParseMountInfo("36 35 98:0 / /mnt rw " + optional + "- ext4 /dev/sda rw\n");
    ASSERT_EQ(mounts.size(), 1U) << optional;
    EXPECT_EQ(mounts[0].type, "ext4");
  }
}

TEST(ParseMountInfo, DecodesOctalEscapes) {
  const std::vector<MountEntry> mounts =
      ParseMountInfo(R"(36 35 0:1 /a\134b /mnt/with\040space\011tab\012line rw - cgroup2 none rw)");
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].root, "/a\\b");
  EXPECT_EQ(mounts[0].mount_point, "/mnt/with space\ttab\nline");
}

TEST(ParseMountInfo, TellsReadOnlyFromNamesThatOnlyHoldIt) {
  const auto read_only = [](const std::string& options) {
    const auto mounts = ParseMountInfo("1 2 0:3 / /mnt " + options + " - cgroup2 none rw");
    return mounts.at(0).read_only;
  };
  EXPECT_TRUE(read_only("ro"));
  EXPECT_TRUE(read_only("nosuid,ro"));
  EXPECT_FALSE(read_only("rw"));
  EXPECT_FALSE(read_only("rw,errors=remount-ro"));
  EXPECT_FALSE(read_only("norodata,rw"));
}

TEST(ParseMountInfo, LeavesOutWhatItDoesNotUnderstand) {
  for (const std::string_view line :
       {"", "\n\n", "garbage", "36 35 98:0 / /mnt rw", "36 35 98:0 / /mnt rw -",
        "36 35 98:0 / /mnt rw - ext4", "- - - - - - - -", "1 2 3 - cgroup2 none rw"}) {
    EXPECT_TRUE(ParseMountInfo(line).empty()) << line;
  }
  EXPECT_EQ(ParseMountInfo("garbage\n" + std::string(kUnified) + "more").size(), 3U);
}

struct FindCase {
  std::string_view name;
  std::string_view mounts;
  std::string_view mount_point;  // Empty: there is none to work in.
};

TEST(FindCgroup2, FindsTheMountThatShowsMost) {
  constexpr FindCase kCases[] = {
      {"hybrid", kHybrid, "/sys/fs/cgroup/unified"},
      {"unified", kUnified, "/sys/fs/cgroup"},
      {"container", kContainer, "/host/cgroup"},
      {"container, read-only", kContainerReadOnly, ""},
      {"read-only superblock", kReadOnlySuperblock, ""},
      {"v1 alone", "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", ""},
      {"nothing", "", ""},
  };
  for (const FindCase& each : kCases) {
    const Result<MountEntry> found = FindCgroup2(ParseMountInfo(each.mounts));
    ASSERT_EQ(found.has_value(), !each.mount_point.empty()) << each.name;
    if (found) {
      EXPECT_EQ(found->mount_point, each.mount_point) << each.name;
    } else {
      EXPECT_EQ(found.error().code, ErrorCode::kUnsupported);
      EXPECT_NE(found.error().message.find("mount -t cgroup2"), std::string::npos) << each.name;
    }
  }
}

}  // namespace
}  // namespace palyra::engine
