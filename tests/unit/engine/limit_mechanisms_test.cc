// Which mechanism holds what, by cgroup directories of the test's own.

#include "engine/limit_mechanisms.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temp_dir.h"

namespace palyra::engine {
namespace {

using Version = ControllerPlace::Version;

class FindControllersTest : public testing::Test {
 protected:
  // The root of a cgroup2 hierarchy as the kernel shows it.
  void MakeV2(std::string_view controllers, std::string_view given) {
    (void)directory_.Write("cgroup.controllers", controllers);
    (void)directory_.Write("cgroup.subtree_control", given);
    (void)directory_.Write("cgroup.procs", "1\n");
    mounts_.push_back({.root = "/", .mount_point = directory_.path(), .type = "cgroup2"});
  }

  void AddV1(std::string path, std::string options, bool read_only = false,
             std::string root = "/") {
    mounts_.push_back({.root = std::move(root),
                       .mount_point = std::move(path),
                       .type = "cgroup",
                       .read_only = read_only,
                       .super_options = std::move(options)});
  }

  [[nodiscard]] Version VersionOf(Controller controller) const {
    return PlaceOf(FindControllers(mounts_), controller).version;
  }

  [[nodiscard]] LimitMechanism Mechanism(LimitKind kind) const {
    return MechanismOf(kind, FindControllers(mounts_));
  }

  tests::TempDir directory_;
  std::vector<MountEntry> mounts_;
};

TEST_F(FindControllersTest, V2ComesFirst) {
  MakeV2("cpuset cpu io memory pids\n", "memory\n");
  AddV1("/v1/memory", "rw,memory");
  for (const Controller controller :
       {Controller::kMemory, Controller::kProcesses, Controller::kProcessors, Controller::kIo}) {
    EXPECT_EQ(VersionOf(controller), Version::kV2) << NameOf(controller);
  }
  EXPECT_EQ(Mechanism(LimitKind::kMemory), LimitMechanism::kCgroup2);
  EXPECT_EQ(Mechanism(LimitKind::kSwap), LimitMechanism::kCgroup2);
  EXPECT_EQ(Mechanism(LimitKind::kIo), LimitMechanism::kCgroup2);
}

TEST_F(FindControllersTest, ANameIsAWholeWord) {
  MakeV2("cpuset memory2\n", "");
  EXPECT_EQ(VersionOf(Controller::kProcessors), Version::kNone);
  EXPECT_EQ(VersionOf(Controller::kMemory), Version::kNone);
}

TEST_F(FindControllersTest, V1WhereTheControllerBelongsToIt) {
  MakeV2("pids\n", "pids\n");
  AddV1("/v1/cpu", "rw,cpu,cpuacct");
  AddV1("/v1/cpuset", "rw,cpuset");
  AddV1("/v1/blkio", "rw,blkio");
  AddV1("/v1/memory", "rw,memory");
  const Controllers found = FindControllers(mounts_);
  EXPECT_EQ(PlaceOf(found, Controller::kProcesses).version, Version::kV2);
  EXPECT_EQ(PlaceOf(found, Controller::kProcessors).hierarchy, "/v1/cpu");
  EXPECT_EQ(PlaceOf(found, Controller::kIo).hierarchy, "/v1/blkio");
  EXPECT_EQ(PlaceOf(found, Controller::kMemory).hierarchy, "/v1/memory");
  EXPECT_EQ(Mechanism(LimitKind::kMemory), LimitMechanism::kCgroup1);
}

TEST_F(FindControllersTest, AMountThatIsReadOnlyIsNone) {
  AddV1("/v1/memory", "rw,memory", true);
  EXPECT_EQ(VersionOf(Controller::kMemory), Version::kNone);
  AddV1("/container/memory", "rw,memory", false, "/docker/1");
  AddV1("/host/memory", "rw,memory");
  EXPECT_EQ(PlaceOf(FindControllers(mounts_), Controller::kMemory).hierarchy, "/host/memory");
}

// A container's own cgroup, which has events: its processes stand in the way of its children's
// controllers, unless these have them already.
TEST_F(FindControllersTest, ProcessesBesideStandInTheWay) {
  MakeV2("cpu memory\n", "cpu\n");
  (void)directory_.Write("cgroup.events", "populated 1\n");
  EXPECT_EQ(VersionOf(Controller::kProcessors), Version::kV2);
  EXPECT_EQ(VersionOf(Controller::kMemory), Version::kNone);
  (void)directory_.Write("cgroup.procs", "");
  EXPECT_EQ(VersionOf(Controller::kMemory), Version::kV2);
}

TEST_F(FindControllersTest, WithoutControllersSomeAreMeasuredAndSomeAreNot) {
  EXPECT_EQ(Mechanism(LimitKind::kMemory), LimitMechanism::kSampling);
  EXPECT_EQ(Mechanism(LimitKind::kSwap), LimitMechanism::kSampling);
  EXPECT_EQ(Mechanism(LimitKind::kProcesses), LimitMechanism::kSampling);
  EXPECT_EQ(Mechanism(LimitKind::kProcessors), LimitMechanism::kNone);
  EXPECT_EQ(Mechanism(LimitKind::kIo), LimitMechanism::kNone);
  EXPECT_EQ(Mechanism(LimitKind::kCpuTime), LimitMechanism::kAccounting);
  EXPECT_EQ(Mechanism(LimitKind::kOutput), LimitMechanism::kRelay);
  EXPECT_EQ(Mechanism(LimitKind::kDisk), LimitMechanism::kProcessLimit);
  EXPECT_EQ(Mechanism(LimitKind::kOpenFiles), LimitMechanism::kProcessLimit);
}

TEST_F(FindControllersTest, EachMechanismHasItsText) {
  const Controllers none;
  Controllers v1;
  Controllers v2;
  for (ControllerPlace& place : v1) place.version = Version::kV1;
  for (ControllerPlace& place : v2) place.version = Version::kV2;
  for (const LimitInfo& info : AllLimits()) {
    for (const Controllers& controllers : {none, v1, v2}) {
      EXPECT_FALSE(MechanismText(info.kind, MechanismOf(info.kind, controllers)).empty())
          << info.name;
    }
  }
}

}  // namespace
}  // namespace palyra::engine
