#include "cli/relay_process.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <string>
#include <vector>

#include "broker/relay_channel.h"
#include "cli/run_sockets.h"

namespace palyra::cli {
namespace {

// Then whoever called has other things to look at.
constexpr int kMostAtOnce = 64;

// For one look at each open connection.
constexpr std::chrono::seconds kPatience{3};

}  // namespace

Result<RelayProcess> RelayProcess::Start(uint32_t mark) {
  Result<RunSockets> sockets = OpenRunSockets(RunProtocols::kTcp, mark);
  if (!sockets) return std::unexpected(sockets.error());
  const std::string count = std::to_string(sockets->tcp.size());
  std::array<int, 2> ends = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return FailErrno(errno, "cannot make a socket for the relay");
  }
  UniqueFd changed(ends[0]);
  std::vector<UniqueFd> fds;
  fds.emplace_back(ends[1]);
  std::ranges::move(sockets->tcp, std::back_inserter(fds));
  Result<ServiceProcess> process = ServiceProcess::Start("palyra-relay", std::move(fds), {count});
  if (!process) return std::unexpected(process.error());
  return RelayProcess(*std::move(process), std::move(changed), sockets->port);
}

Result<void> RelayProcess::Serve(broker::RelayAuthority& authority) const {
  for (int i = 0; i < kMostAtOnce; ++i) {
    const Result<bool> answered = broker::AnswerRelayQuestion(process_.channel(), authority);
    if (!answered) {
      process_.Kill();
      return std::unexpected(answered.error());
    }
    if (!*answered) break;
  }
  return {};
}

Result<void> RelayProcess::AskAgain(broker::RelayAuthority& authority) const {
  const char change = 0;
  const auto end = std::chrono::steady_clock::now() + kPatience;
  const bool is_told =
      send(changed_.get(), &change, sizeof(change), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
  while (is_told) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    std::array<pollfd, 2> waited = {{{.fd = changed_.get(), .events = POLLIN, .revents = 0},
                                     {.fd = process_.channel(), .events = POLLIN, .revents = 0}}};
    const int ready =
        left.count() > 0 ? poll(waited.data(), waited.size(), static_cast<int>(left.count())) : 0;
    if (ready == 0 || (ready < 0 && errno != EINTR)) break;
    if (ready > 0 && waited[0].revents != 0) {
      char done = 0;
      if (recv(changed_.get(), &done, sizeof(done), MSG_DONTWAIT) == sizeof(done)) return {};
      break;
    }
    if (ready > 0) {
      if (Result<void> served = Serve(authority); !served) return served;
    }
  }
  process_.Kill();
  return Fail(ErrorCode::kUnavailable, "the relay does not look at its connections again");
}

}  // namespace palyra::cli
