// What a relay that somebody has taken over may send its supervisor: one message. What it asks is
// about canonical names, and whatever it sends, one answer of one size comes back, or none.

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "base/domain_name.h"
#include "broker/relay_channel.h"
#include "tests/fuzz/targets/target.h"

namespace broker = palyra::broker;
using broker::Endpoint;
using palyra::tests::Require;

namespace {

class Checked : public broker::RelayAuthority {
 public:
  std::optional<Endpoint> OriginalDestination(const Endpoint& client,
                                              const Endpoint& /*local*/) override {
    ++asked;
    return client;
  }
  std::optional<std::vector<Endpoint>> Reach(std::string_view name,
                                             const Endpoint& destination) override {
    ++asked;
    Require(palyra::base::CanonicalDomain(name) == name);
    return std::vector<Endpoint>(name.size(), destination);
  }
  void Record(const broker::RelayEvent& event) override {
    ++told;
    Require(event.name.empty() || palyra::base::CanonicalDomain(event.name) == event.name);
    Require(!RelayReasonText(event.reason).empty());
    Require(std::ranges::all_of(event.detail, [](char c) { return c >= ' ' && c <= '~'; }));
  }

  int asked = 0;
  int told = 0;
};

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::array<int, 2> ends = [] {
    std::array<int, 2> made = {-1, -1};
    Require(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, made.data()) == 0);
    return made;
  }();
  Require(send(ends[0], data, size, 0) == static_cast<ssize_t>(size));
  Checked authority;
  const auto answered = broker::AnswerRelayQuestion(ends[1], authority);
  Require(answered ? *answered && authority.asked + authority.told == 1
                   : authority.asked + authority.told == 0);
  std::array<char, 256> answer = {};
  const ssize_t got = recv(ends[0], answer.data(), answer.size(), MSG_DONTWAIT);
  Require((got > 0) == (authority.asked == 1));
  return 0;
}
