// What a server may send: two bytes that choose the type that was asked, then a packet with the id
// that it has and, as a rule, the question "a.example". What is read can be told to a client, who
// reads the same.

#include "broker/dns_response.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include "base/domain_name.h"
#include "broker/dns_query.h"
#include "broker/dns_reply.h"
#include "tests/fuzz/targets/target.h"

namespace broker = palyra::broker;
using palyra::tests::Require;

namespace {

constexpr std::array kTypes = {broker::RecordType::kA,    broker::RecordType::kAaaa,
                               broker::RecordType::kSrv,  broker::RecordType::kHttps,
                               broker::RecordType::kSvcb, broker::RecordType::kCname};

void CheckBounds(const broker::Answer& answer) {
  Require(answer.addresses.size() <= broker::kMaxAddresses);
  Require(answer.servers.size() <= broker::kMaxServices);
  Require(answer.services.size() <= broker::kMaxServices);
  Require(answer.chain.size() <= broker::kMaxChain);
  Require(answer.ttl.count() >= 0);
  Require(answer.rcode == broker::Rcode::kNoError || answer.rcode == broker::Rcode::kNameError);
  for (const std::string& name : answer.chain) Require(palyra::base::CanonicalDomain(name) == name);
}

void CheckTold(const broker::Question& question, const broker::Answer& answer) {
  const std::vector<uint8_t> packet = broker::EncodeQuery(1, question, false);
  std::vector<uint8_t> reply;
  broker::WriteReply(broker::ParseQuery(packet), broker::ReplyRecords(question, answer),
                     {.rcode = answer.rcode, .ttl = answer.ttl}, broker::kMaxTcpSize, reply);
  const auto read = broker::ParseResponse(reply, 1, question);
  Require(read.has_value());
  Require(read->rcode == answer.rcode && read->chain == answer.chain);
  Require(read->addresses == answer.addresses && read->zone == answer.zone);
  Require(read->servers.size() == answer.servers.size());
  Require(std::ranges::equal(read->services, answer.services, {}, &broker::ServiceRecord::params,
                             &broker::ServiceRecord::params));
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const broker::Question question{.name = "a.example", .type = kTypes[data[0] % kTypes.size()]};
  const std::span<const uint8_t> packet(data + 2, size - 2);
  const auto id = static_cast<uint16_t>((packet[0] << 8) | packet[1]);
  const auto answer = broker::ParseResponse(packet, id, question);
  if (!answer) {
    Require(answer.error() != broker::ResponseFault::kWrongId);
    return 0;
  }
  CheckBounds(*answer);
  CheckTold(question, *answer);
  return 0;
}
