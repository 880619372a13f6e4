#include "engine/seccomp_filter.h"

#include <asm/ioctls.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <exception>
#include <set>
#include <span>
#include <vector>

#include "engine/seccomp_rules.h"
#include "tests/unit/engine/seccomp_interpreter.h"

namespace palyra::engine {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kNativeArch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kNativeArch = AUDIT_ARCH_AARCH64;
#endif

using Arguments = std::vector<uint64_t>;

constexpr uint32_t Denied(int system_errno) {
  return SECCOMP_RET_ERRNO | static_cast<uint32_t>(system_errno);
}

seccomp_data Call(long number, const Arguments& arguments = {}, uint32_t arch = kNativeArch) {
  seccomp_data call = {};
  call.nr = static_cast<int>(number);
  call.arch = arch;
  std::ranges::copy(arguments, call.args);
  return call;
}

class SeccompFilterTest : public testing::Test {
 protected:
  [[nodiscard]] uint32_t Answer(const seccomp_data& call) const { return Interpret(strict_, call); }
  [[nodiscard]] uint32_t Answer(long number, const Arguments& arguments = {}) const {
    return Answer(Call(number, arguments));
  }

  const std::span<const sock_filter> strict_ = SeccompFilter({});
  const std::span<const sock_filter> with_io_uring_ = SeccompFilter({.allow_io_uring = true});
};

TEST_F(SeccompFilterTest, MemoryFilesAreNoProgramsWhereFilesAreJudged) {
  constexpr uint64_t kNoExecSeal = 8;
  for (const bool allow_io_uring : {false, true}) {
    for (const bool no_unix_sockets : {false, !allow_io_uring}) {
      SeccompOptions options = {.allow_io_uring = allow_io_uring,
                                .no_unix_sockets = no_unix_sockets};
      EXPECT_EQ(Interpret(SeccompFilter(options), Call(SYS_memfd_create, {0, 1})),
                SECCOMP_RET_ALLOW);
      options.no_memory_programs = true;
      const std::span<const sock_filter> filter = SeccompFilter(options);
      EXPECT_EQ(Interpret(filter, Call(SYS_memfd_create, {0, 1})), Denied(EACCES));
      EXPECT_EQ(Interpret(filter, Call(SYS_memfd_create, {0, 1 | kNoExecSeal})), SECCOMP_RET_ALLOW);
      EXPECT_EQ(Interpret(filter, Call(SYS_socket, {AF_UNIX, SOCK_STREAM, 0})) == SECCOMP_RET_ALLOW,
                !no_unix_sockets);
      EXPECT_EQ(Interpret(filter, Call(SYS_io_uring_setup)) == SECCOMP_RET_ALLOW, allow_io_uring);
      EXPECT_LT(filter.size(), 200U);
    }
  }
}

TEST_F(SeccompFilterTest, StaysShort) {
  // Every call of a run walks it.
  EXPECT_LT(strict_.size(), 200U);
  EXPECT_LT(with_io_uring_.size(), 200U);
}

TEST_F(SeccompFilterTest, LeavesOrdinaryCallsAlone) {
  for (const long number : {SYS_read, SYS_write, SYS_openat, SYS_execve, SYS_connect, SYS_sendto,
                            SYS_exit_group, SYS_prctl, SYS_seccomp, SYS_mmap, SYS_futex}) {
    EXPECT_EQ(Answer(number), SECCOMP_RET_ALLOW) << number;
  }
}

TEST_F(SeccompFilterTest, HoldsWhatIsAskedAndNothingElse) {
  const std::set<long> connects = {SYS_connect};
  const std::set<long> programs = {SYS_execve, SYS_execveat};
  for (const HeldKinds kinds : {HeldKinds{.connects = true}, HeldKinds{.programs = true},
                                HeldKinds{.connects = true, .programs = true}}) {
    const std::span<const sock_filter> filter = HoldFilter(kinds);
    EXPECT_LT(filter.size(), 20U);
    for (long number = 0; number < 512; ++number) {
      const bool holds = (kinds.connects && connects.contains(number)) ||
                         (kinds.programs && programs.contains(number));
      EXPECT_EQ(Interpret(filter, Call(number)), holds ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW)
          << number;
    }
    EXPECT_EQ(Interpret(filter, Call(SYS_connect, {}, AUDIT_ARCH_I386)), SECCOMP_RET_KILL_PROCESS);
  }
  EXPECT_TRUE(HoldFilter({}).empty());
}

// What nobody could be asked about: the other filter's answer is the stricter one.
TEST_F(SeccompFilterTest, WhatIsDeniedIsNotHeld) {
  EXPECT_EQ(Answer(SYS_io_uring_setup), Denied(ENOSYS));
  EXPECT_LT(SECCOMP_RET_ERRNO, SECCOMP_RET_USER_NOTIF);
}

TEST_F(SeccompFilterTest, LetsOnlyKnownFamiliesMakeSockets) {
  const std::set<uint64_t> allowed = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
  for (uint64_t family = 0; family < 64; ++family) {
    const uint32_t expected = allowed.contains(family) ? SECCOMP_RET_ALLOW : Denied(EAFNOSUPPORT);
    EXPECT_EQ(Answer(SYS_socket, {family, SOCK_RAW, 0}), expected) << family;
  }
}

TEST_F(SeccompFilterTest, TakesNoNumberAboveTheFamilies) {
  for (const uint64_t family :
       {uint64_t{64}, uint64_t{64 + AF_INET}, uint64_t{255}, uint64_t{0x8000'0000 | AF_INET},
        uint64_t{0xFFFF'FFFF}, ~uint64_t{0}}) {
    EXPECT_EQ(Answer(SYS_socket, {family, SOCK_STREAM, 0}), Denied(EAFNOSUPPORT)) << family;
    EXPECT_EQ(Answer(SYS_socketpair, {family, SOCK_STREAM, 0}), Denied(EAFNOSUPPORT)) << family;
  }
}

// The kernel takes the low 32 bits of the argument: garbage above must not turn a denied family
// into an unknown and so allowed number.
TEST_F(SeccompFilterTest, GarbageInTheUpperHalfOpensNothing) {
  for (const uint64_t garbage :
       {uint64_t{1} << 32, uint64_t{0xDEAD'BEEF} << 32, uint64_t{1} << 63}) {
    for (uint64_t family = 0; family < 64; ++family) {
      if (family == AF_UNIX || family == AF_INET || family == AF_INET6) continue;
      EXPECT_EQ(Answer(SYS_socket, {garbage | family, SOCK_RAW, NETLINK_NETFILTER}),
                Denied(EAFNOSUPPORT))
          << family;
    }
    EXPECT_EQ(Answer(SYS_socket, {AF_NETLINK, SOCK_RAW, garbage | NETLINK_NETFILTER}),
              Denied(EAFNOSUPPORT));
    EXPECT_EQ(Answer(SYS_socketpair, {garbage | AF_TIPC, SOCK_STREAM, 0}), Denied(EAFNOSUPPORT));
  }
}

TEST_F(SeccompFilterTest, LetsNetlinkOnlyAskForRoutes) {
  for (uint64_t protocol = 0; protocol < 64; ++protocol) {
    const uint32_t expected = protocol == NETLINK_ROUTE ? SECCOMP_RET_ALLOW : Denied(EAFNOSUPPORT);
    EXPECT_EQ(Answer(SYS_socket, {AF_NETLINK, SOCK_RAW, protocol}), expected) << protocol;
  }
  EXPECT_EQ(Answer(SYS_socket, {AF_NETLINK, SOCK_RAW, 64}), Denied(EAFNOSUPPORT));
}

TEST_F(SeccompFilterTest, TheNetlinkRuleIsNetlinksAlone) {
  for (const uint64_t family : {uint64_t{AF_UNIX}, uint64_t{AF_INET}, uint64_t{AF_INET6}}) {
    for (const uint64_t protocol : {uint64_t{6}, uint64_t{17}, uint64_t{262}}) {
      EXPECT_EQ(Answer(SYS_socket, {family, SOCK_STREAM, protocol}), SECCOMP_RET_ALLOW) << family;
    }
  }
}

TEST_F(SeccompFilterTest, LeavesOfUnixOnlyPairsWhereNothingElseJudgesThem) {
  const std::span<const sock_filter> filter = SeccompFilter({.no_unix_sockets = true});
  EXPECT_EQ(Interpret(filter, Call(SYS_socket, {AF_UNIX, SOCK_STREAM, 0})), Denied(EAFNOSUPPORT));
  for (uint64_t type = 0; type < 16; ++type) {
    const bool has_one_peer = type == SOCK_STREAM || type == SOCK_SEQPACKET;
    for (const uint64_t more :
         {uint64_t{0}, uint64_t{SOCK_CLOEXEC | SOCK_NONBLOCK}, uint64_t{0xFFFF'FFFF'0000'0000}}) {
      EXPECT_EQ(Interpret(filter, Call(SYS_socketpair, {AF_UNIX, type | more, 0})),
                has_one_peer ? SECCOMP_RET_ALLOW : Denied(EAFNOSUPPORT))
          << type << ' ' << more;
    }
  }
  EXPECT_EQ(Interpret(filter, Call(SYS_socket, {AF_INET, SOCK_STREAM, 0})), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Interpret(filter, Call(SYS_io_uring_setup)), Denied(ENOSYS));
}

TEST_F(SeccompFilterTest, LetsOnlyUnixMakeSocketPairs) {
  for (uint64_t family = 0; family < 64; ++family) {
    const uint32_t expected = family == AF_UNIX ? SECCOMP_RET_ALLOW : Denied(EAFNOSUPPORT);
    EXPECT_EQ(Answer(SYS_socketpair, {family, SOCK_STREAM, 0}), expected) << family;
  }
}

TEST_F(SeccompFilterTest, RefusesUserNamespacesAmongAnyFlags) {
  constexpr uint64_t kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
  for (const uint64_t others :
       {uint64_t{0}, uint64_t{SIGCHLD}, kThread, uint64_t{CLONE_NEWNS | CLONE_NEWNET},
        uint64_t{0xFFFF'FFFF'0000'0000}, ~uint64_t{CLONE_NEWUSER}}) {
    for (const long number : {SYS_clone, SYS_unshare}) {
      EXPECT_EQ(Answer(number, {others | CLONE_NEWUSER}), Denied(EPERM)) << others;
      EXPECT_EQ(Answer(number, {others}), SECCOMP_RET_ALLOW) << others;
    }
  }
  // Its flags lie in memory, where no filter can look.
  EXPECT_EQ(Answer(SYS_clone3, {0x7FFF'0000, 88}), Denied(ENOSYS));
}

TEST_F(SeccompFilterTest, RefusesTheKernelsInnerSurface) {
  for (const long number :
       {SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_add_key, SYS_request_key, SYS_keyctl}) {
    EXPECT_EQ(Answer(number), Denied(EPERM)) << number;
    EXPECT_EQ(Answer(number, {5, 5, 5, 5, 5, 5}), Denied(EPERM)) << number;
    EXPECT_EQ(Interpret(with_io_uring_, Call(number)), Denied(EPERM)) << number;
  }
}

TEST_F(SeccompFilterTest, NoFileBecomesExecutableUnasked) {
  EXPECT_EQ(Answer(SYS_remap_file_pages), Denied(ENOSYS));
  EXPECT_EQ(Interpret(with_io_uring_, Call(SYS_remap_file_pages)), Denied(ENOSYS));
}

// Nobody sees what they name; other commands of btrfs are for data.
TEST_F(SeccompFilterTest, SubvolumesAreRefusedWhereMountsHoldNames) {
  const std::span<const sock_filter> files = SeccompFilter({.no_memory_programs = true});
  for (const uint64_t command :
       {BTRFS_IOC_SNAP_CREATE, BTRFS_IOC_SUBVOL_CREATE, BTRFS_IOC_SNAP_DESTROY,
        BTRFS_IOC_SNAP_CREATE_V2, BTRFS_IOC_SUBVOL_CREATE_V2, BTRFS_IOC_SNAP_DESTROY_V2}) {
    EXPECT_EQ(Interpret(files, Call(SYS_ioctl, {3, command})), Denied(EPERM)) << command;
    EXPECT_EQ(Answer(SYS_ioctl, {3, command}), SECCOMP_RET_ALLOW) << command;
  }
  EXPECT_EQ(Interpret(files, Call(SYS_ioctl, {3, FICLONE})), SECCOMP_RET_ALLOW);
}

TEST_F(SeccompFilterTest, EntersNoNamespaceAndMountsNothing) {
  for (const long number : {SYS_setns, SYS_open_by_handle_at, SYS_mount, SYS_fsopen, SYS_open_tree,
                            SYS_move_mount, SYS_pivot_root, SYS_mount_setattr}) {
    EXPECT_EQ(Answer(number), Denied(EPERM)) << number;
  }
}

TEST_F(SeccompFilterTest, TheTypeThatTurnsInetIntoPacketIsRefused) {
  for (const uint64_t flags : {0UL, uint64_t{SOCK_CLOEXEC}, uint64_t{SOCK_NONBLOCK}}) {
    EXPECT_EQ(Answer(SYS_socket, {AF_INET, SOCK_PACKET | flags, 0}), Denied(EAFNOSUPPORT)) << flags;
    EXPECT_EQ(Answer(SYS_socket, {AF_INET, SOCK_DGRAM | flags, 0}), SECCOMP_RET_ALLOW) << flags;
  }
}

TEST_F(SeccompFilterTest, SetsLimitsOfItsOwnProcessOnly) {
  EXPECT_EQ(Answer(SYS_prlimit64, {0, 7}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Answer(SYS_prlimit64, {1, 7}), Denied(EPERM));
  EXPECT_EQ(Answer(SYS_prlimit64, {0xFFFFFFFF, 7}), Denied(EPERM));
}

TEST_F(SeccompFilterTest, AllowsIoUringOnlyWhereItIsAskedFor) {
  for (const long number : {SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register}) {
    EXPECT_EQ(Answer(number), Denied(ENOSYS)) << number;
    EXPECT_EQ(Interpret(with_io_uring_, Call(number)), SECCOMP_RET_ALLOW) << number;
  }
}

TEST_F(SeccompFilterTest, PushesNothingIntoTerminals) {
  for (const uint64_t command : {uint64_t{TIOCSTI}, uint64_t{TIOCLINUX}}) {
    for (const uint64_t garbage : {uint64_t{0}, uint64_t{1} << 32, uint64_t{0xDEAD'BEEF} << 32}) {
      EXPECT_EQ(Answer(SYS_ioctl, {0, garbage | command}), Denied(EPERM)) << command;
      EXPECT_EQ(Answer(SYS_ioctl, {~uint64_t{0}, garbage | command, 1}), Denied(EPERM)) << command;
    }
  }
  for (const uint64_t command : {uint64_t{TIOCGWINSZ}, uint64_t{TCGETS}, uint64_t{FIONREAD},
                                 uint64_t{TIOCSTI} + 1, uint64_t{TIOCSTI} - 1}) {
    EXPECT_EQ(Answer(SYS_ioctl, {0, command}), SECCOMP_RET_ALLOW) << command;
  }
}

TEST_F(SeccompFilterTest, KillsForeignCallTables) {
  for (const uint32_t arch : {uint32_t{AUDIT_ARCH_I386}, uint32_t{AUDIT_ARCH_ARM},
                              uint32_t{AUDIT_ARCH_PPC64LE}, uint32_t{0}}) {
    for (long number = 0; number < 500; ++number) {
      ASSERT_EQ(Answer(Call(number, {}, arch)), SECCOMP_RET_KILL_PROCESS) << arch << " " << number;
    }
  }
}

#if defined(__x86_64__)
TEST_F(SeccompFilterTest, KillsX32Calls) {
  constexpr long kX32 = 0x4000'0000;
  for (const long number : {0, SYS_socket, SYS_socketpair, SYS_bpf, 512, 547}) {
    EXPECT_EQ(Answer(kX32 | number), SECCOMP_RET_KILL_PROCESS) << number;
  }
}
#endif

// Values below 2^bits that `complement` matches, each at most once.
std::vector<uint64_t> Matched(const std::vector<MaskedValue>& complement, unsigned bits) {
  std::vector<uint64_t> matched;
  for (uint64_t value = 0; value < uint64_t{1} << bits; ++value) {
    const auto matches = std::ranges::count_if(
        complement, [&](const MaskedValue& each) { return (value & each.mask) == each.value; });
    EXPECT_LE(matches, 1) << value;
    if (matches > 0) matched.push_back(value);
  }
  return matched;
}

// The fewest blocks of a binary tree whose union is the complement.
size_t FewestBlocks(uint64_t allowed_set, uint64_t first, uint64_t size) {
  const uint64_t block = ((uint64_t{1} << size) - 1) << first;
  if ((allowed_set & block) == 0) return 1;
  if (size == 1) return 0;
  return FewestBlocks(allowed_set, first, size / 2) +
         FewestBlocks(allowed_set, first + size / 2, size / 2);
}

TEST(ComplementOf, MatchesExactlyTheRestWithFewestComparisonsForEverySmallSet) {
  for (const unsigned bits : {0U, 1U, 2U, 3U, 4U}) {
    const uint64_t values = uint64_t{1} << bits;
    for (uint64_t set = 0; set < uint64_t{1} << values; ++set) {
      std::vector<uint64_t> allowed;
      std::vector<uint64_t> rest;
      for (uint64_t value = 0; value < values; ++value) {
        ((set >> value & 1U) != 0 ? allowed : rest).push_back(value);
      }
      const std::vector<MaskedValue> complement = ComplementOf(allowed, bits);
      ASSERT_EQ(Matched(complement, bits), rest) << bits << " bits, set " << set;
      ASSERT_EQ(complement.size(), FewestBlocks(set, 0, values)) << bits << " bits, set " << set;
    }
  }
}

TEST(ComplementOf, LeavesTheUpperValuesToTheCaller) {
  for (const MaskedValue& each : ComplementOf({2, 10}, 6)) {
    for (const uint64_t value : {uint64_t{64}, uint64_t{66}, uint64_t{1} << 32 | 2}) {
      EXPECT_NE(value & each.mask, each.value);
    }
  }
}

TEST(SeccompInterpreter, RefusesWhatTheKernelWouldNotRun) {
  const seccomp_data call = {};
  const std::vector<std::vector<sock_filter>> programs = {
      {},
      {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)},                                 // No return.
      {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, 0)},  // Past the data.
      {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), BPF_STMT(BPF_RET | BPF_K, 0)},   // Unaligned.
      {BPF_STMT(BPF_JMP | BPF_JA, 5), BPF_STMT(BPF_RET | BPF_K, 0)},           // Past the end.
      {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_K, 0)},   // A byte.
  };
  for (const std::vector<sock_filter>& program : programs) {
    EXPECT_THROW(Interpret(program, call), std::exception);
  }
}

}  // namespace
}  // namespace palyra::engine
