#include "cli/relay_process.h"

#include <string>

#include "broker/relay_channel.h"
#include "cli/run_sockets.h"

namespace palyra::cli {
namespace {

// Then whoever called has other things to look at.
constexpr int kMostAtOnce = 64;

}  // namespace

Result<RelayProcess> RelayProcess::Start(uint32_t mark) {
  Result<RunSockets> sockets = OpenRunSockets(RunProtocols::kTcp, mark);
  if (!sockets) return std::unexpected(sockets.error());
  const std::string count = std::to_string(sockets->tcp.size());
  Result<ServiceProcess> process =
      ServiceProcess::Start("palyra-relay", std::move(sockets->tcp), {count});
  if (!process) return std::unexpected(process.error());
  return RelayProcess(*std::move(process), sockets->port);
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

}  // namespace palyra::cli
