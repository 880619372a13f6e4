#include "cli/resolver_process.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "cli/console.h"
#include "cli/run_sockets.h"

namespace palyra::cli {

Result<ResolverProcess> ResolverProcess::Start(uint32_t mark, const PinnedNames* pins) {
  ResolverPorts ports = {};
  std::vector<UniqueFd> udp;
  std::vector<UniqueFd> tcp;
  for (uint16_t& port : ports) {
    Result<RunSockets> sockets = OpenRunSockets(RunProtocols::kUdpAndTcp, mark);
    if (!sockets) return std::unexpected(sockets.error());
    port = sockets->port;
    std::ranges::move(sockets->udp, std::back_inserter(udp));
    std::ranges::move(sockets->tcp, std::back_inserter(tcp));
  }
  std::vector<std::string> arguments = {std::to_string(udp.size()), std::to_string(tcp.size())};
  if (pins != nullptr) {
    arguments.emplace_back("pin");
    arguments.insert(arguments.end(), pins->begin(), pins->end());
  }
  std::vector<UniqueFd> all = std::move(udp);
  std::ranges::move(tcp, std::back_inserter(all));
  Result<ServiceProcess> process =
      ServiceProcess::Start("palyra-resolver", std::move(all), arguments);
  if (!process) return std::unexpected(process.error());
  return ResolverProcess(*std::move(process), ports);
}

bool ResolverProcess::Serve(engine::RunNames& names, const OnRefusal& on_refusal,
                            const PinnedNames* pinned) const {
  const auto give_up = [this](const Error& error) {
    Say("palyra-run", error.message + ": the run cannot look up names any more");
    process_.Kill();
    return false;
  };
  const Result<std::optional<broker::NameQuestion>> question =
      broker::ReceiveNameQuestion(process_.channel());
  if (!question) return give_up(question.error());
  if (!*question) return true;
  const broker::AddressSet answer = AnswerTo(names, **question, pinned);
  if ((*question)->kind == broker::NameQuestion::Kind::kMayAsk && answer.none()) {
    on_refusal({.name = (*question)->name,
                .is_unpinned = pinned != nullptr && names.MayBeAskedFor((*question)->name)});
  }
  const Result<void> answered = broker::AnswerNameQuestion(process_.channel(), answer);
  return answered || give_up(answered.error());
}

}  // namespace palyra::cli
