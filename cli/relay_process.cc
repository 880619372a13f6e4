#include "cli/relay_process.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>
#include <vector>

#include "broker/relay_channel.h"
#include "cli/run_sockets.h"

namespace palyra::cli {
namespace {

// Then whoever called has other things to look at.
constexpr int kMostAtOnce = 64;

}  // namespace

Result<RelayProcess> RelayProcess::Start() {
  const Result<uint32_t> mark = RandomMark();
  if (!mark) return std::unexpected(mark.error());
  Result<RunSockets> sockets = OpenRunSockets(RunProtocols::kTcp, *mark);
  if (!sockets) return std::unexpected(sockets.error());
  const std::string count = std::to_string(sockets->tcp.size());
  UniqueFd changed(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  std::vector<UniqueFd> fds;
  fds.emplace_back(fcntl(changed.get(), F_DUPFD_CLOEXEC, 0));
  if (!fds[0].valid()) return FailErrno(errno, "cannot make an eventfd for the relay");
  std::ranges::move(sockets->tcp, std::back_inserter(fds));
  Result<ServiceProcess> process = ServiceProcess::Start("palyra-relay", std::move(fds), {count});
  if (!process) return std::unexpected(process.error());
  return RelayProcess(*std::move(process), std::move(changed), sockets->port, *mark);
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

void RelayProcess::AskAgain() const {
  const uint64_t one = 1;
  // A counter that is full says the same.
  [[maybe_unused]] const ssize_t written = write(changed_.get(), &one, sizeof(one));
}

}  // namespace palyra::cli
