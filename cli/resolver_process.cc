#include "cli/resolver_process.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/trusted_file.h"
#include "cli/console.h"

namespace palyra::cli {
namespace {

constexpr const char* kProgram = "palyra-resolver";
constexpr int kFirstFd = 3;
constexpr int kBacklog = 64;
constexpr int kOn = 1;

using ResolverPorts = decltype(engine::BrokerPorts::resolver);

struct Listeners {
  std::vector<UniqueFd> udp;
  std::vector<UniqueFd> tcp;
};

bool IsWithoutIpv6(int failure) { return failure == EAFNOSUPPORT || failure == EADDRNOTAVAIL; }

// From then on the socket, and what it accepts, take only packets with that mark: those of the run.
// Packets of others cannot have it, for it takes CAP_NET_ADMIN to set one (socket(7), SO_MARK).
Result<void> TakeOnlyMarked(int fd, uint32_t mark) {
  std::array<sock_filter, 4> program = {
      {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_MARK)),
       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mark, 0, 1), BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
       BPF_STMT(BPF_RET | BPF_K, 0)}};
  const sock_fprog filter = {.len = program.size(), .filter = program.data()};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &kOn, sizeof(kOn)) != 0) {
    return FailErrno(errno, "cannot filter what comes to the resolver");
  }
  return {};
}

// On loopback of `family`; any port where it is 0. The error is one of bind(2).
Result<UniqueFd> BindLoopback(int family, int type, uint16_t port, uint32_t mark) {
  UniqueFd fd(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return FailErrno(errno, "cannot make a socket for the resolver");
  if (Result<void> filtered = TakeOnlyMarked(fd.get(), mark); !filtered) {
    return std::unexpected(filtered.error());
  }
  sockaddr_in ipv4 = {};
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = htons(port);
  ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 ipv6 = {};
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = htons(port);
  ipv6.sin6_addr = in6addr_loopback;
  const bool is_ipv6 = family == AF_INET6;
  const int bound = is_ipv6 ? bind(fd.get(), reinterpret_cast<sockaddr*>(&ipv6), sizeof(ipv6))
                            : bind(fd.get(), reinterpret_cast<sockaddr*>(&ipv4), sizeof(ipv4));
  if (bound != 0 || (type == SOCK_STREAM && listen(fd.get(), kBacklog) != 0)) {
    return FailErrno(errno, "cannot bind a socket for the resolver");
  }
  return fd;
}

Result<uint16_t> PortOf(int fd) {
  sockaddr_in address = {};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return FailErrno(errno, "cannot tell the resolver's port");
  }
  return ntohs(address.sin_port);
}

// One port for UDP and TCP of both families, which somebody else may have in part: nothing then.
Result<std::optional<uint16_t>> TryPort(Listeners& listeners, uint32_t mark) {
  Result<UniqueFd> first = BindLoopback(AF_INET, SOCK_DGRAM, 0, mark);
  if (!first) return std::unexpected(first.error());
  Result<uint16_t> port = PortOf(first->get());
  if (!port) return std::unexpected(port.error());
  std::vector<UniqueFd> udp;
  std::vector<UniqueFd> tcp;
  udp.push_back(*std::move(first));
  constexpr std::array<std::pair<int, int>, 3> kOthers = {
      {{AF_INET, SOCK_STREAM}, {AF_INET6, SOCK_DGRAM}, {AF_INET6, SOCK_STREAM}}};
  for (const auto& [family, type] : kOthers) {
    Result<UniqueFd> fd = BindLoopback(family, type, *port, mark);
    if (!fd && fd.error().system_errno == EADDRINUSE) return std::nullopt;
    if (!fd && family == AF_INET6 && IsWithoutIpv6(fd.error().system_errno)) continue;
    if (!fd) return std::unexpected(fd.error());
    (type == SOCK_DGRAM ? udp : tcp).push_back(*std::move(fd));
  }
  std::ranges::move(udp, std::back_inserter(listeners.udp));
  std::ranges::move(tcp, std::back_inserter(listeners.tcp));
  return *port;
}

Result<Listeners> Listen(ResolverPorts& ports, uint32_t mark) {
  constexpr int kMostTries = 256;
  Listeners listeners;
  size_t found = 0;
  for (int i = 0; found < ports.size() && i < kMostTries; ++i) {
    Result<std::optional<uint16_t>> port = TryPort(listeners, mark);
    if (!port) return std::unexpected(port.error());
    if (*port) ports.at(found++) = **port;
  }
  if (found == ports.size()) return listeners;
  return Fail(ErrorCode::kExhausted, "no free ports for the resolver");
}

// What loads it could be anybody's but for this check: it is started as root.
Result<std::string> ProgramPath() {
  std::error_code failure;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return FailErrno(failure.value(), "cannot tell where this program lies");
  std::string path = (self.parent_path() / kProgram).string();
  if (Result<void> trusted = base::RequireTrusted(path); !trusted) {
    return std::unexpected(trusted.error());
  }
  return path;
}

// The descriptors at kFirstFd and up, in this order, without close-on-exec.
Result<pid_t> Spawn(const std::string& path, const std::vector<int>& fds,
                    std::vector<std::string> arguments) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  char* const environment[] = {nullptr};

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // It says what hinders it from starting, and nothing of the caller's is its to read or write.
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  // Above all targets first: none of them may be overwritten before it is moved.
  const int above =
      std::max(kFirstFd + static_cast<int>(fds.size()), *std::ranges::max_element(fds) + 1);
  for (size_t i = 0; i < fds.size(); ++i) {
    posix_spawn_file_actions_adddup2(&actions, fds[i], above + static_cast<int>(i));
  }
  for (size_t i = 0; i < fds.size(); ++i) {
    posix_spawn_file_actions_adddup2(&actions, above + static_cast<int>(i),
                                     kFirstFd + static_cast<int>(i));
  }
  posix_spawn_file_actions_addclosefrom_np(&actions, kFirstFd + static_cast<int>(fds.size()));
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  // A signal from the terminal is for the command; the resolver ends with its parent.
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int failure =
      posix_spawn(&pid, path.c_str(), &actions, &attributes, argv.data(), environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) return FailErrno(failure, "cannot start \"" + path + '"');
  return pid;
}

// By a descriptor: the number may be another process's by now.
void Kill(int pidfd) { syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0); }

}  // namespace

Result<ResolverProcess> ResolverProcess::Start(const PinnedNames* pins) {
  Result<std::string> path = ProgramPath();
  if (!path) return std::unexpected(path.error());
  ResolverProcess process;
  do {
    if (getrandom(&process.mark_, sizeof(process.mark_), 0) != sizeof(process.mark_)) {
      return FailErrno(errno, "no random number for the resolver");
    }
  } while (process.mark_ == 0);
  Result<Listeners> listeners = Listen(process.ports_, process.mark_);
  if (!listeners) return std::unexpected(listeners.error());
  std::array<int, 2> channel = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel.data()) != 0) {
    return FailErrno(errno, "cannot make a channel to the resolver");
  }
  process.channel_ = UniqueFd(channel[0]);
  const UniqueFd other_end(channel[1]);
  std::vector<int> fds = {other_end.get()};
  for (const UniqueFd& fd : listeners->udp) fds.push_back(fd.get());
  for (const UniqueFd& fd : listeners->tcp) fds.push_back(fd.get());
  std::vector<std::string> arguments = {kProgram, std::to_string(listeners->udp.size()),
                                        std::to_string(listeners->tcp.size())};
  if (pins != nullptr) {
    arguments.emplace_back("pin");
    arguments.insert(arguments.end(), pins->begin(), pins->end());
  }
  Result<pid_t> pid = Spawn(*path, fds, std::move(arguments));
  if (!pid) return std::unexpected(pid.error());
  process.pid_ = *pid;
  process.pidfd_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, *pid, 0)));
  if (!process.pidfd_.valid()) {
    const int failure = errno;
    kill(*pid, SIGKILL);  // Not waited for yet, so it is this process.
    return FailErrno(failure, "cannot watch the resolver");
  }
  std::ranges::move(listeners->udp, std::back_inserter(process.sockets_));
  std::ranges::move(listeners->tcp, std::back_inserter(process.sockets_));
  return process;
}

ResolverProcess::ResolverProcess(ResolverProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      channel_(std::move(other.channel_)),
      ports_(other.ports_),
      mark_(other.mark_),
      sockets_(std::move(other.sockets_)) {}

ResolverProcess::~ResolverProcess() {
  if (pid_ < 0) return;
  Kill(pidfd_.get());
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

engine::BrokerService ResolverProcess::Service(const engine::RunNames*& known, OnRefusal on_refusal,
                                               const PinnedNames* pinned) const {
  const int fd = channel_.get();
  const auto give_up = [pidfd = pidfd_.get()](const Error& error) {
    Say("palyra-run", error.message + ": the run cannot look up names any more");
    Kill(pidfd);
    return false;
  };
  const auto serve = [fd, give_up, &known, pinned,
                      on_refusal = std::move(on_refusal)](engine::RunNames& names) -> bool {
    known = &names;
    const Result<std::optional<broker::NameQuestion>> question = broker::ReceiveNameQuestion(fd);
    if (!question) return give_up(question.error());
    if (!*question) return true;
    const broker::AddressSet answer = AnswerTo(names, **question, pinned);
    const bool is_refused =
        (*question)->kind == broker::NameQuestion::Kind::kMayAsk && answer.none();
    if (is_refused) {
      on_refusal({.name = (*question)->name,
                  .is_unpinned = pinned != nullptr && names.MayBeAskedFor((*question)->name)});
    }
    const Result<void> answered = broker::AnswerNameQuestion(fd, answer);
    return answered || give_up(answered.error());
  };
  engine::BrokerService service;
  service.ports = {.resolver = ports_, .mark = mark_};
  for (const UniqueFd& socket : sockets_) service.sockets.push_back(socket.get());
  service.resolver_fd = fd;
  service.serve_resolver = serve;
  return service;
}

}  // namespace palyra::cli
