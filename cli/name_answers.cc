#include "cli/name_answers.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/domain_name.h"
#include "broker/special_address.h"
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

broker::AddressSet Learn(engine::RunNames& names, const broker::NameQuestion& question) {
  broker::AddressSet learned;
  if (!names.MayBeAskedFor(question.name)) return learned;
  const std::chrono::nanoseconds ttl = std::min(question.ttl, kLongestTtl);
  const uint64_t end = engine::NowBootNs() + static_cast<uint64_t>(ttl.count());
  for (size_t i = 0; i < question.addresses.size(); ++i) {
    const engine::NetAddress address = ToEngine(question.addresses[i]);
    // The resolver asked before; who took it over would not.
    const bool is_special = IsSpecialHere(question.addresses[i]);
    const bool may = !is_special || names.MayLeadTo(question.name, address);
    learned.set(i, may && names.Learn(question.name, address, is_special, end).has_value());
  }
  return learned;
}

}  // namespace

bool IsSpecialHere(const broker::Address& address) {
  return broker::IsSpecial(address) || IsOwn(address);
}

engine::NetAddress ToEngine(const broker::Address& address) {
  engine::NetAddress result;
  result.is_ipv6 = !address.is_v4();
  std::ranges::copy(address.bytes(), result.bytes.begin());
  return result;
}

broker::AddressSet AnswerTo(engine::RunNames& names, const broker::NameQuestion& question,
                            const PinnedNames* pinned) {
  const bool is_live = pinned == nullptr || base::IsLocalhost(question.name);
  if (!is_live && !pinned->contains(question.name)) return {};
  switch (question.kind) {
    case broker::NameQuestion::Kind::kMayAsk:
      return names.MayBeAskedFor(question.name) ? 1 : 0;
    case broker::NameQuestion::Kind::kMayReveal:
      return is_live && names.MayLeadTo(question.name, ToEngine(question.addresses[0])) ? 1 : 0;
    case broker::NameQuestion::Kind::kLearn:
      return is_live ? Learn(names, question) : broker::AddressSet();
    case broker::NameQuestion::Kind::kSettle:
      return {};
  }
  std::unreachable();
}

}  // namespace palyra::cli
