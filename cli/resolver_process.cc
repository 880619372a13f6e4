#include "cli/resolver_process.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "broker/special_address.h"
#include "cli/console.h"
#include "cli/run_sockets.h"
#include "engine/clock.h"

namespace palyra::cli {
namespace {

constexpr std::chrono::seconds kLongestTtl{3600};

// Of this machine: to connect there is to connect to whatever listens here.
bool IsOwn(const broker::Address& address) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return true;
  bool is_own = false;
  for (const ifaddrs* at = list; at != nullptr && !is_own; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    std::optional<broker::Address> own;
    if (at->ifa_addr->sa_family == AF_INET) {
      const auto* ipv4 = reinterpret_cast<const sockaddr_in*>(at->ifa_addr);
      own = broker::Address::FromBytes(
          {reinterpret_cast<const uint8_t*>(&ipv4->sin_addr), sizeof(ipv4->sin_addr)});
    } else if (at->ifa_addr->sa_family == AF_INET6) {
      const auto* ipv6 = reinterpret_cast<const sockaddr_in6*>(at->ifa_addr);
      own = broker::Address::FromBytes(ipv6->sin6_addr.s6_addr);
    }
    is_own = own == address;
  }
  freeifaddrs(list);
  return is_own;
}

engine::NetAddress ToEngine(const broker::Address& address) {
  engine::NetAddress result;
  result.is_ipv6 = !address.is_v4();
  std::ranges::copy(address.bytes(), result.bytes.begin());
  return result;
}

broker::AddressSet Learn(engine::RunNames& names, const broker::NameQuestion& question) {
  broker::AddressSet learned;
  if (!names.MayBeAskedFor(question.name)) return learned;
  const std::chrono::nanoseconds ttl = std::min(question.ttl, kLongestTtl);
  const uint64_t end = engine::NowBootNs() + static_cast<uint64_t>(ttl.count());
  for (size_t i = 0; i < question.addresses.size(); ++i) {
    const engine::NetAddress address = ToEngine(question.addresses[i]);
    // The resolver asked before; who took it over would not.
    const bool is_special =
        broker::IsSpecial(question.addresses[i]) || IsOwn(question.addresses[i]);
    const bool may = !is_special || names.MayLeadTo(question.name, address);
    learned.set(i, may && names.Learn(question.name, address, is_special, end).has_value());
  }
  return learned;
}

broker::AddressSet AnswerTo(engine::RunNames& names, const broker::NameQuestion& question) {
  switch (question.kind) {
    case broker::NameQuestion::Kind::kMayAsk:
      return names.MayBeAskedFor(question.name) ? 1 : 0;
    case broker::NameQuestion::Kind::kMayReveal:
      return names.MayLeadTo(question.name, ToEngine(question.addresses[0])) ? 1 : 0;
    case broker::NameQuestion::Kind::kLearn:
      return Learn(names, question);
  }
  std::unreachable();
}

}  // namespace

Result<ResolverProcess> ResolverProcess::Start() {
  const Result<uint32_t> mark = RandomMark();
  if (!mark) return std::unexpected(mark.error());
  engine::RunTable::ResolverPorts ports = {};
  std::vector<UniqueFd> udp;
  std::vector<UniqueFd> tcp;
  for (uint16_t& port : ports) {
    Result<RunSockets> sockets = OpenRunSockets(RunProtocols::kUdpAndTcp, *mark);
    if (!sockets) return std::unexpected(sockets.error());
    port = sockets->port;
    std::ranges::move(sockets->udp, std::back_inserter(udp));
    std::ranges::move(sockets->tcp, std::back_inserter(tcp));
  }
  const std::vector<std::string> counts = {std::to_string(udp.size()), std::to_string(tcp.size())};
  std::vector<UniqueFd> all = std::move(udp);
  std::ranges::move(tcp, std::back_inserter(all));
  Result<ServiceProcess> process = ServiceProcess::Start("palyra-resolver", std::move(all), counts);
  if (!process) return std::unexpected(process.error());
  return ResolverProcess(*std::move(process), ports, *mark);
}

engine::NameService ResolverProcess::Service(const engine::RunNames*& known,
                                             OnRefusal on_refusal) const {
  const int fd = process_.channel();
  const auto give_up = [this](const Error& error) {
    Say("palyra-run", error.message + ": the run cannot look up names any more");
    process_.Kill();
    return false;
  };
  const auto serve = [fd, give_up, &known,
                      on_refusal = std::move(on_refusal)](engine::RunNames& names) -> bool {
    known = &names;
    const Result<std::optional<broker::NameQuestion>> question = broker::ReceiveNameQuestion(fd);
    if (!question) return give_up(question.error());
    if (!*question) return true;
    const broker::AddressSet answer = AnswerTo(names, **question);
    const bool is_refused =
        (*question)->kind == broker::NameQuestion::Kind::kMayAsk && answer.none();
    if (is_refused) on_refusal((*question)->name);
    const Result<void> answered = broker::AnswerNameQuestion(fd, answer);
    return answered || give_up(answered.error());
  };
  return {.ports = ports_, .mark = mark_, .fd = fd, .serve = serve};
}

}  // namespace palyra::cli
