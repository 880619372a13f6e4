// Proves the ground that the other kernel tests stand on: a BPF LSM program of ours decides a
// system call, for the one it is meant for and nobody else, and the booted kernel offers what
// tools/run_in_kernel promises.

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include "base/file.h"
#include "base/unique_fd.h"
#include "tests/kernel/bpf/deny_one.skel.h"
#include "tests/support/require_feature.h"

namespace palyra::tests {
namespace {

// The errno of making a socket of `family`, 0 if it was made.
int SocketErrno(int family) {
  const UniqueFd made(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return made.valid() ? 0 : errno;
}

int OpenErrno(const std::string& path) {
  const UniqueFd opened(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return opened.valid() ? 0 : errno;
}

// What `body` returns (0..255) in a child process; -1 if the child did not end by itself.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

// A cgroup of the test's own below the root of cgroup2, removed at the end.
class ScopedCgroup {
 public:
  explicit ScopedCgroup(const std::string& parent)
      : path_(parent + "/palyra-test-" + std::to_string(getpid())) {
    made_ = mkdir(path_.c_str(), 0755) == 0;
  }
  ScopedCgroup(const ScopedCgroup&) = delete;
  ScopedCgroup& operator=(const ScopedCgroup&) = delete;
  ~ScopedCgroup() {
    if (made_) rmdir(path_.c_str());
  }

  [[nodiscard]] bool made() const { return made_; }

  [[nodiscard]] const std::string& path() const { return path_; }

  // The id that BPF programs see: the inode of the directory.
  [[nodiscard]] uint64_t id() const {
    struct stat status = {};
    return stat(path_.c_str(), &status) == 0 ? status.st_ino : 0;
  }

  // Moves the calling process in.
  [[nodiscard]] bool Join() const {
    const Result<UniqueFd> members = base::OpenFile(path_ + "/cgroup.procs", O_WRONLY);
    return members && base::WriteAll(members->get(), "0", path_).has_value();
  }

 private:
  std::string path_;
  bool made_ = false;
};

class ScopedFile {
 public:
  ScopedFile() : fd_(mkstemp(path_.data())) {}
  ScopedFile(const ScopedFile&) = delete;
  ScopedFile& operator=(const ScopedFile&) = delete;
  ~ScopedFile() { unlink(path_.c_str()); }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  std::string path_ = "/tmp/palyra-test-XXXXXX";
  UniqueFd fd_;
};

class BpfLsmDenial : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(Root());
    PALYRA_REQUIRE_FEATURE(BpfLsm());
    programs_.reset(deny_one_bpf__open_and_load());
    ASSERT_NE(programs_, nullptr) << "the programs do not load: " << errno;
  }

  void Attach() { ASSERT_EQ(deny_one_bpf__attach(programs_.get()), 0); }
  void Detach() { deny_one_bpf__detach(programs_.get()); }
  [[nodiscard]] auto& state() const { return *programs_->bss; }

 private:
  std::unique_ptr<deny_one_bpf, decltype(&deny_one_bpf__destroy)> programs_{nullptr,
                                                                            &deny_one_bpf__destroy};
};

TEST_F(BpfLsmDenial, StopsOneProcessFromMakingOneKindOfSocket) {
  state().denied_tgid = static_cast<uint32_t>(getpid());
  state().denied_family = AF_INET;
  EXPECT_EQ(SocketErrno(AF_INET), 0) << "loaded but not attached";

  ASSERT_NO_FATAL_FAILURE(Attach());
  EXPECT_EQ(SocketErrno(AF_INET), EPROTOTYPE);
  EXPECT_EQ(state().sockets_denied, 1U);
  EXPECT_EQ(SocketErrno(AF_UNIX), 0) << "another family";
  EXPECT_EQ(InChild([] { return SocketErrno(AF_INET); }), 0) << "another process";
  EXPECT_EQ(state().sockets_denied, 1U);

  Detach();
  EXPECT_EQ(SocketErrno(AF_INET), 0) << "detached";
}

TEST_F(BpfLsmDenial, StopsOneCgroupFromOpeningOneFile) {
  const Result<std::string> root = CgroupRoot();
  ASSERT_TRUE(root) << root.error().message;
  const ScopedCgroup cgroup(*root);
  ASSERT_TRUE(cgroup.made());
  const ScopedFile denied;
  const ScopedFile other;
  struct stat status = {};
  ASSERT_EQ(fstat(denied.fd(), &status), 0);
  state().denied_cgroup = cgroup.id();
  state().denied_inode = status.st_ino;
  state().denied_device = major(status.st_dev) << 20 | minor(status.st_dev);
  const auto open_inside = [&cgroup](const std::string& path) {
    return InChild([&] { return cgroup.Join() ? OpenErrno(path) : 255; });
  };
  EXPECT_EQ(open_inside(denied.path()), 0) << "loaded but not attached";

  ASSERT_NO_FATAL_FAILURE(Attach());
  EXPECT_EQ(open_inside(denied.path()), EXDEV);
  EXPECT_EQ(state().opens_denied, 1U);
  EXPECT_EQ(open_inside(other.path()), 0) << "another file";
  EXPECT_EQ(OpenErrno(denied.path()), 0) << "another cgroup";
  EXPECT_EQ(state().opens_denied, 1U);
}

class KernelLaneTest : public testing::Test {
 protected:
  void SetUp() override { PALYRA_REQUIRE_FEATURE(KernelLane()); }
};

TEST_F(KernelLaneTest, RequiresEveryFeature) {
  const Feature missing = {
      .name = "moonlight", .since = {}, .state = Fail(ErrorCode::kUnsupported, "")};
  EXPECT_EQ(JudgeHere(missing), Requirement::kFail);
}

TEST_F(KernelLaneTest, DelegatesControllersBelowTheCgroupRoot) {
  const Result<std::string> root = CgroupRoot();
  ASSERT_TRUE(root) << root.error().message;
  EXPECT_EQ(*root, "/sys/fs/cgroup");
  const ScopedCgroup cgroup(*root);
  ASSERT_TRUE(cgroup.made());
  for (const std::string limit : {"memory.max", "pids.max", "cpu.max", "io.max"}) {
    EXPECT_EQ(OpenErrno(cgroup.path() + "/" + limit), 0) << limit;
  }
}

TEST_F(KernelLaneTest, MountsTheFileSystemsOfTheKernel) {
  const auto type_of = [](const char* path) {
    struct statfs status = {};
    return statfs(path, &status) == 0 ? static_cast<uint64_t>(status.f_type) : 0;
  };
  EXPECT_EQ(type_of("/proc"), PROC_SUPER_MAGIC);
  EXPECT_EQ(type_of("/sys"), SYSFS_MAGIC);
  EXPECT_EQ(type_of("/sys/fs/bpf"), BPF_FS_MAGIC);
  EXPECT_EQ(type_of("/sys/fs/cgroup"), CGROUP2_SUPER_MAGIC);
  EXPECT_EQ(type_of("/sys/kernel/security"), SECURITYFS_MAGIC);
  EXPECT_EQ(type_of("/dev/pts"), DEVPTS_SUPER_MAGIC);
  EXPECT_EQ(type_of("/tmp"), TMPFS_MAGIC);
  EXPECT_EQ(type_of("/run"), TMPFS_MAGIC);
  EXPECT_EQ(type_of("/dev/shm"), TMPFS_MAGIC);
}

TEST_F(KernelLaneTest, ReachesLoopbackAndNothingElse) {
  const auto connect_errno = [](const char* address) {
    const UniqueFd connected(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in peer = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {}, .sin_zero = {}};
    inet_pton(AF_INET, address, &peer.sin_addr);
    const auto* generic = reinterpret_cast<const sockaddr*>(&peer);
    return connect(connected.get(), generic, sizeof(peer)) == 0 ? 0 : errno;
  };
  EXPECT_EQ(connect_errno("127.0.0.1"), 0);
  EXPECT_EQ(connect_errno("192.0.2.1"), ENETUNREACH);
}

TEST_F(KernelLaneTest, HasAnUnprivilegedUserAndTwoProcessors) {
  const passwd* tool = getpwnam("tool");
  ASSERT_NE(tool, nullptr);
  EXPECT_EQ(tool->pw_uid, 1000U);
  EXPECT_EQ(sysconf(_SC_NPROCESSORS_ONLN), 2);
}

// The rule by which a missing feature skips or fails a test, on no kernel in particular.
TEST(FeatureJudgement, SkipsWhereFeaturesAreOptional) {
  const Feature missing = {.name = "unix hooks",
                           .since = {.major = 6, .minor = 7},
                           .state = Fail(ErrorCode::kUnsupported, "no")};
  EXPECT_EQ(Judge(missing, {.major = 6, .minor = 12}, false), Requirement::kSkip);
}

TEST(FeatureJudgement, FailsWhereTheyMustWork) {
  const Feature missing = {.name = "unix hooks",
                           .since = {.major = 6, .minor = 7},
                           .state = Fail(ErrorCode::kUnsupported, "no")};
  EXPECT_EQ(Judge(missing, {.major = 6, .minor = 7}, true), Requirement::kFail);
  EXPECT_EQ(Judge(missing, {.major = 6, .minor = 1}, true), Requirement::kSkip)
      << "too old a kernel";
}

TEST(FeatureJudgement, IsMetByAFeatureThatIsThere) {
  const Feature present = {.name = "unix hooks", .since = {.major = 6, .minor = 7}, .state = {}};
  EXPECT_EQ(Judge(present, {.major = 6, .minor = 12}, true), Requirement::kMet);
}

}  // namespace
}  // namespace palyra::tests
