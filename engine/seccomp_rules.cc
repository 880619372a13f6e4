#include "engine/seccomp_rules.h"

#include <asm/ioctls.h>
#include <linux/btrfs.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "base/file.h"
#include "base/unique_fd.h"

namespace palyra::engine {
namespace {

using Context = std::unique_ptr<void, decltype(&seccomp_release)>;

// ioctl's command is 32 bits wide to the kernel; what lies above does not count.
constexpr uint64_t kLow32Bits = 0xFFFFFFFF;

constexpr std::array<uint64_t, 6> kSubvolumeCommands = {
    BTRFS_IOC_SNAP_CREATE,    BTRFS_IOC_SUBVOL_CREATE,    BTRFS_IOC_SNAP_DESTROY,
    BTRFS_IOC_SNAP_CREATE_V2, BTRFS_IOC_SUBVOL_CREATE_V2, BTRFS_IOC_SNAP_DESTROY_V2};

// Collects the first failure, so that the rules read as a list.
class RuleList {
 public:
  explicit RuleList(scmp_filter_ctx context) : context_(context) {}

  void Deny(int system_errno, int call, const std::vector<scmp_arg_cmp>& conditions = {}) {
    if (failure_ != 0) return;
    failure_ =
        seccomp_rule_add_array(context_, SCMP_ACT_ERRNO(static_cast<uint16_t>(system_errno)), call,
                               static_cast<unsigned>(conditions.size()), conditions.data());
  }

  void Hold(int call) {
    if (failure_ == 0)
      failure_ = seccomp_rule_add_array(context_, SCMP_ACT_NOTIFY, call, 0, nullptr);
  }

  [[nodiscard]] int failure() const { return failure_; }

 private:
  scmp_filter_ctx context_;
  int failure_ = 0;
};

scmp_arg_cmp Argument(unsigned index, MaskedValue masked) {
  return SCMP_CMP64(index, SCMP_CMP_MASKED_EQ, masked.mask, masked.value);
}

// Denies `call` where argument `index` is none of `allowed`, and `also` holds.
void DenyAllBut(RuleList& rules, int call, unsigned index, const std::vector<uint64_t>& allowed,
                std::initializer_list<scmp_arg_cmp> also = {}) {
  // Families and netlink protocols are far fewer.
  constexpr unsigned kBits = 6;
  std::vector<scmp_arg_cmp> conditions(also);
  conditions.emplace_back();
  for (const MaskedValue masked : ComplementOf(allowed, kBits)) {
    conditions.back() = Argument(index, masked);
    rules.Deny(EAFNOSUPPORT, call, conditions);
  }
  conditions.back() = SCMP_CMP64(index, SCMP_CMP_GE, uint64_t{1} << kBits);
  rules.Deny(EAFNOSUPPORT, call, conditions);
}

void DenySocketFamilies(RuleList& rules, const SeccompOptions& options) {
  std::vector<uint64_t> families = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
  if (options.no_unix_sockets) families.erase(families.begin());
  DenyAllBut(rules, SCMP_SYS(socket), 0, families);
  DenyAllBut(rules, SCMP_SYS(socket), 2, {NETLINK_ROUTE}, {SCMP_CMP64(0, SCMP_CMP_EQ, AF_NETLINK)});
  DenyAllBut(rules, SCMP_SYS(socketpair), 0, {AF_UNIX});
  constexpr uint64_t kTypeMask = 0xF;
  // One end of any other pair can send to whom it likes.
  for (uint64_t type = 0; options.no_unix_sockets && type <= kTypeMask; ++type) {
    if (type == SOCK_STREAM || type == SOCK_SEQPACKET) continue;
    rules.Deny(EAFNOSUPPORT, SCMP_SYS(socketpair),
               {Argument(1, {.mask = kTypeMask, .value = type})});
  }
  // With this type the kernel turns AF_INET into AF_PACKET.
  rules.Deny(EAFNOSUPPORT, SCMP_SYS(socket),
             {Argument(1, {.mask = kTypeMask, .value = SOCK_PACKET})});
}

void DenyUserNamespaces(RuleList& rules) {
  constexpr MaskedValue kNewUser = {.mask = CLONE_NEWUSER, .value = CLONE_NEWUSER};
  rules.Deny(EPERM, SCMP_SYS(clone), {Argument(0, kNewUser)});
  rules.Deny(EPERM, SCMP_SYS(unshare), {Argument(0, kNewUser)});
  rules.Deny(ENOSYS, SCMP_SYS(clone3));
  // Whoever owns a user namespace may enter it without any capability, and a handle opens one
  // unasked.
  for (const int call :
       {SCMP_SYS(setns), SCMP_SYS(open_by_handle_at), SCMP_SYS(mount), SCMP_SYS(fsopen),
        SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(pivot_root), SCMP_SYS(mount_setattr)}) {
    rules.Deny(EPERM, call);
  }
}

void DenyKernelSurface(RuleList& rules, const SeccompOptions& options) {
  for (const int call : {SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
                         SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl)}) {
    rules.Deny(EPERM, call);
  }
  // Before Linux 6.12 it makes a file executable and asks no LSM. Nothing uses it.
  rules.Deny(ENOSYS, SCMP_SYS(remap_file_pages));
  // Of other processes of its user, outside too: limits can kill as signals do.
  rules.Deny(EPERM, SCMP_SYS(prlimit64), {SCMP_CMP64(0, SCMP_CMP_NE, 0)});
  for (const uint64_t command : {TIOCSTI, TIOCLINUX}) {
    rules.Deny(EPERM, SCMP_SYS(ioctl), {Argument(1, {.mask = kLow32Bits, .value = command})});
  }
  if (options.no_memory_programs) {
    // Of btrfs, whose argument names what is made, in a view that holds names by mounts.
    for (const uint64_t command : kSubvolumeCommands) {
      rules.Deny(EPERM, SCMP_SYS(ioctl), {Argument(1, {.mask = kLow32Bits, .value = command})});
    }
    constexpr uint64_t kNoExecSeal = 0x8;  // MFD_NOEXEC_SEAL: nobody executes it, ever.
    rules.Deny(EACCES, SCMP_SYS(memfd_create), {Argument(1, {.mask = kNoExecSeal, .value = 0})});
  }
  if (options.allow_io_uring) return;
  for (const int call :
       {SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register)}) {
    rules.Deny(ENOSYS, call);
  }
}

Result<std::vector<sock_filter>> Export(const Context& context) {
  const UniqueFd file(memfd_create("seccomp", MFD_CLOEXEC));
  if (!file.valid()) return FailErrno(errno, "cannot make a memory file");
  if (const int failure = seccomp_export_bpf(context.get(), file.get()); failure != 0) {
    return FailErrno(-failure, "cannot build the seccomp filter");
  }
  if (lseek(file.get(), 0, SEEK_SET) != 0) return FailErrno(errno, "cannot rewind");
  Result<std::string> bytes = base::ReadAll(file.get(), size_t{1} << 20, "seccomp filter");
  if (!bytes) return std::unexpected(bytes.error());
  std::vector<sock_filter> filter(bytes->size() / sizeof(sock_filter));
  std::memcpy(filter.data(), bytes->data(), filter.size() * sizeof(sock_filter));
  return filter;
}

}  // namespace

std::vector<MaskedValue> ComplementOf(const std::vector<uint64_t>& allowed, unsigned bits) {
  std::vector<MaskedValue> complement;
  uint64_t start = 0;
  // [start, end) in blocks of a power of two, each aligned to its size.
  const auto cover_until = [&](uint64_t end) {
    while (start < end) {
      uint64_t size = 1;
      while (start % (size * 2) == 0 && start + size * 2 <= end) size *= 2;
      complement.push_back({.mask = ~(size - 1), .value = start});
      start += size;
    }
  };
  for (const uint64_t value : allowed) {
    cover_until(value);
    start = value + 1;
  }
  cover_until(uint64_t{1} << bits);
  return complement;
}

Result<std::vector<sock_filter>> BuildHoldFilter(HeldKinds kinds) {
  // Else libseccomp builds what the kernel that it is built on can do.
  constexpr unsigned kWithNotifications = 6;
  int failure = seccomp_api_set(kWithNotifications);
  const Context context(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
  if (context == nullptr) return Fail(ErrorCode::kInternal, "libseccomp cannot start");
  if (failure == 0) {
    failure = seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  }
  RuleList rules(context.get());
  if (kinds.connects) rules.Hold(SCMP_SYS(connect));
  if (kinds.programs) {
    rules.Hold(SCMP_SYS(execve));
    rules.Hold(SCMP_SYS(execveat));
  }
  if (failure == 0) failure = rules.failure();
  if (failure != 0) return FailErrno(-failure, "cannot build the filter of held calls");
  return Export(context);
}

Result<std::vector<sock_filter>> BuildSeccompFilter(const SeccompOptions& options) {
  const Context context(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
  if (context == nullptr) return Fail(ErrorCode::kInternal, "libseccomp cannot start");
  int failure = seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  RuleList rules(context.get());
  DenySocketFamilies(rules, options);
  DenyUserNamespaces(rules);
  DenyKernelSurface(rules, options);
  if (failure == 0) failure = rules.failure();
  if (failure != 0) return FailErrno(-failure, "cannot build the seccomp filter");
  return Export(context);
}

}  // namespace palyra::engine
