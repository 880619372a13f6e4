#include "engine/held_facts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "base/file.h"
#include "base/unique_fd.h"

namespace palyra::engine {
namespace {

using policy::NameAction;
using policy::NameEvent;
using policy::NetAction;
using policy::NetEvent;
using policy::Protocol;

std::string ProcOf(pid_t thread) { return "/proc/" + std::to_string(thread); }

std::string LinkAt(const std::string& path) {
  std::error_code failure;
  return std::filesystem::read_symlink(path, failure).string();
}

// Of a line "Name:\tvalue" in status of proc_pid_status(5).
std::string StatusField(const std::string& status, std::string_view name) {
  const std::string start = '\n' + std::string(name) + ":\t";
  const size_t at = ('\n' + status).find(start);
  if (at == std::string::npos) return {};
  const size_t value = at + start.size() - 1;
  return status.substr(value, status.find('\n', value) - value);
}

pid_t ProcessOf(pid_t thread) {
  const Result<std::string> status = base::ReadFile(ProcOf(thread) + "/status");
  const std::string text = status ? StatusField(*status, "Tgid") : "";
  pid_t process = -1;
  std::from_chars(text.data(), text.data() + text.size(), process);
  return process;
}

bool ReadMemory(pid_t thread, uint64_t address, void* buffer, size_t size) {
  const iovec local = {.iov_base = buffer, .iov_len = size};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of another process.
  const iovec remote = {.iov_base = reinterpret_cast<void*>(address), .iov_len = size};
  return process_vm_readv(thread, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

// The caller's own: a thread may have descriptors of its own, which a pidfd does not lead to.
UniqueFd SocketOf(pid_t thread, int number) {
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, ProcessOf(thread), 0)));
  if (!process.valid()) return {};
  UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), number, 0)));
  struct stat mine;
  struct stat theirs;
  const std::string path = ProcOf(thread) + "/fd/" + std::to_string(number);
  const bool is_same = fd.valid() && fstat(fd.get(), &mine) == 0 &&
                       stat(path.c_str(), &theirs) == 0 && mine.st_ino == theirs.st_ino &&
                       mine.st_dev == theirs.st_dev && S_ISSOCK(mine.st_mode);
  return is_same ? std::move(fd) : UniqueFd();
}

std::optional<int> SocketOption(const UniqueFd& socket, int option) {
  int value = 0;
  socklen_t size = sizeof(value);
  if (getsockopt(socket.get(), SOL_SOCKET, option, &value, &size) != 0) return std::nullopt;
  return value;
}

// A call that only asks how its connection is getting on is not judged, and not asked about.
bool HasBegun(const UniqueFd& socket) {
  tcp_info info = {};
  socklen_t size = sizeof(info);
  return getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
         info.tcpi_state != TCP_CLOSE;
}

std::optional<Protocol> ProtocolOf(const UniqueFd& socket) {
  const std::optional<int> family = SocketOption(socket, SO_DOMAIN);
  if (family != AF_INET && family != AF_INET6) return std::nullopt;
  const std::optional<int> protocol = SocketOption(socket, SO_PROTOCOL);
  if (protocol == IPPROTO_UDP) return Protocol::kUdp;
  if (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP) return std::nullopt;
  return HasBegun(socket) ? std::nullopt : std::optional(Protocol::kTcp);
}

bool IsMapped(const in6_addr& address) { return IN6_IS_ADDR_V4MAPPED(&address) != 0; }

in_addr_t Ipv4In(const in6_addr& address) {
  in_addr_t word = 0;
  std::memcpy(&word, address.s6_addr + 12, sizeof(word));
  return word;
}

// To which the socket is bound; 0 where to none of IPv4.
in_addr_t BoundIpv4(const UniqueFd& socket) {
  sockaddr_storage local = {};
  socklen_t size = sizeof(local);
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&local), &size) != 0) return 0;
  if (local.ss_family == AF_INET) return reinterpret_cast<sockaddr_in*>(&local)->sin_addr.s_addr;
  const in6_addr& address = reinterpret_cast<sockaddr_in6*>(&local)->sin6_addr;
  return local.ss_family == AF_INET6 && IsMapped(address) ? Ipv4In(address) : 0;
}

// As set_ipv4() and set_ipv6() in bpf/endpoint.h.
void SetIpv4(NetEvent& event, in_addr_t word, const UniqueFd& socket) {
  if (word == 0) word = BoundIpv4(socket);
  if (word == 0) word = htonl(INADDR_LOOPBACK);
  std::memcpy(event.address.data(), &word, sizeof(word));
}

void SetIpv6(NetEvent& event, const in6_addr& address, const UniqueFd& socket) {
  if (IsMapped(address)) {
    SetIpv4(event, Ipv4In(address), socket);
    return;
  }
  event.is_ipv6 = true;
  const in6_addr& meant = IN6_IS_ADDR_UNSPECIFIED(&address) ? in6addr_loopback : address;
  std::memcpy(event.address.data(), meant.s6_addr, event.address.size());
}

// ---- Programs ----

// Until its NUL; nothing where it is too long for a path.
std::optional<std::string> ReadText(pid_t thread, uint64_t address) {
  constexpr size_t kPage = 4096;
  std::string text;
  while (text.size() < PATH_MAX) {
    // Not across the end of a page, behind which there may be nothing.
    std::array<char, kPage> piece;
    const size_t size = kPage - (address + text.size()) % kPage;
    if (!ReadMemory(thread, address + text.size(), piece.data(), size)) return std::nullopt;
    const size_t length = strnlen(piece.data(), size);
    text.append(piece.data(), length);
    if (length < size) return text.size() < PATH_MAX ? std::optional(text) : std::nullopt;
  }
  return std::nullopt;
}

// As the caller finds it, but for what its rights deny it. Links of /proc mean the caller there,
// and would mean us.
UniqueFd OpenAs(pid_t thread, const std::string& path, bool follows) {
  const Result<UniqueFd> root = base::OpenFile(ProcOf(thread) + "/root", O_PATH | O_DIRECTORY);
  if (!root) return {};
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC | (follows ? 0U : O_NOFOLLOW);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(
      static_cast<int>(syscall(SYS_openat2, root->get(), path.c_str(), &how, sizeof(how))));
}

UniqueFd OpenBelow(pid_t thread, const std::string& directory, const std::string& path,
                   bool follows) {
  if (path.empty()) return {};
  if (path.starts_with('/')) return OpenAs(thread, path, follows);
  return directory.starts_with('/') ? OpenAs(thread, directory + '/' + path, follows) : UniqueFd();
}

std::string CwdOf(pid_t thread) { return LinkAt(ProcOf(thread) + "/cwd"); }

UniqueFd ProgramOf(const seccomp_notif& call) {
  const auto thread = static_cast<pid_t>(call.pid);
  const bool has_directory = call.data.nr == SYS_execveat;
  const std::optional<std::string> path = ReadText(thread, call.data.args[has_directory ? 1 : 0]);
  if (!path) return {};
  if (!has_directory) return OpenBelow(thread, CwdOf(thread), *path, true);
  const auto directory = static_cast<int>(call.data.args[0]);
  const std::string place = directory == AT_FDCWD
                                ? CwdOf(thread)
                                : LinkAt(ProcOf(thread) + "/fd/" + std::to_string(directory));
  const auto flags = static_cast<unsigned>(call.data.args[4]);
  if (path->empty() && (flags & AT_EMPTY_PATH) != 0) return OpenBelow(thread, "/", place, false);
  return OpenBelow(thread, place, *path, (flags & AT_SYMLINK_NOFOLLOW) == 0);
}

// Of "#!INTERPRETER", as the kernel reads it; empty where it is none.
std::string InterpreterIn(const std::string& own_path) {
  constexpr size_t kMost = 256;  // BINPRM_BUF_SIZE
  const Result<UniqueFd> file = base::OpenFile(own_path, O_RDONLY | O_NONBLOCK);
  std::string text(kMost, '\0');
  const ssize_t size = file ? pread(file->get(), text.data(), text.size(), 0) : -1;
  text.resize(size < 0 ? 0 : static_cast<size_t>(size));
  if (!text.starts_with("#!")) return {};
  const size_t start = text.find_first_not_of(" \t", 2);
  if (start == std::string::npos) return {};
  return text.substr(start, text.find_first_of(std::string_view(" \t\n\0", 4), start) - start);
}

// The kernel takes IPv6 addresses without the scope at their end.
constexpr size_t kShortIpv6 = offsetof(sockaddr_in6, sin6_scope_id);

}  // namespace

HeldCaller CallerOf(const seccomp_notif& call) {
  const auto thread = static_cast<pid_t>(call.pid);
  HeldCaller caller = {.pid = ProcessOf(thread), .comm = {}, .executable = {}};
  const Result<std::string> comm = base::ReadFile(ProcOf(thread) + "/comm");
  if (comm) caller.comm = comm->substr(0, comm->rfind('\n'));
  caller.executable = LinkAt(ProcOf(thread) + "/exe");
  return caller;
}

std::optional<NetEvent> ConnectionOf(const seccomp_notif& call) {
  const auto thread = static_cast<pid_t>(call.pid);
  sockaddr_storage given = {};
  const auto size = static_cast<uint32_t>(call.data.args[2]);
  if (size > sizeof(given) || !ReadMemory(thread, call.data.args[1], &given, size)) {
    return std::nullopt;
  }
  const bool is_ipv4 = given.ss_family == AF_INET && size >= sizeof(sockaddr_in);
  const bool is_ipv6 = given.ss_family == AF_INET6 && size >= kShortIpv6;
  if (!is_ipv4 && !is_ipv6) return std::nullopt;
  const UniqueFd socket = SocketOf(thread, static_cast<int>(call.data.args[0]));
  const std::optional<Protocol> protocol =
      socket.valid() ? ProtocolOf(socket) : std::optional<Protocol>();
  if (!protocol) return std::nullopt;
  NetEvent event = {.action = NetAction::kConnect,
                    .protocol = *protocol,
                    .is_ipv6 = false,
                    .address = {},
                    .port = 0};
  if (is_ipv4) {
    const auto* const ipv4 = reinterpret_cast<const sockaddr_in*>(&given);
    event.port = ntohs(ipv4->sin_port);
    SetIpv4(event, ipv4->sin_addr.s_addr, socket);
  } else {
    const auto* const ipv6 = reinterpret_cast<const sockaddr_in6*>(&given);
    event.port = ntohs(ipv6->sin6_port);
    SetIpv6(event, ipv6->sin6_addr, socket);
  }
  return event;
}

std::vector<NameEvent> ProgramsOf(const seccomp_notif& call) {
  constexpr size_t kMost = 5;  // As the kernel follows them.
  const auto thread = static_cast<pid_t>(call.pid);
  std::vector<NameEvent> programs;
  UniqueFd file = ProgramOf(call);
  while (file.valid() && programs.size() < kMost) {
    struct stat status;
    const bool is_there =
        fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink > 0;
    if (!is_there) break;
    const std::string own_path = "/proc/self/fd/" + std::to_string(file.get());
    programs.push_back({.action = NameAction::kProcessExec, .name = LinkAt(own_path)});
    const std::string interpreter = InterpreterIn(own_path);
    file = OpenBelow(thread, CwdOf(thread), interpreter, true);
  }
  return programs;
}

}  // namespace palyra::engine
