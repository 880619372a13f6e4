// What a client may send: it is read, and its reply can be read by whoever sent a query. The seeds
// are whole packets.

#include "broker/dns_query.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/domain_name.h"
#include "broker/dns_reply.h"
#include "broker/dns_response.h"
#include "tests/fuzz/targets/target.h"

namespace broker = palyra::broker;
using palyra::tests::Require;

namespace {

// A reply is never longer than its limit, and answers the query.
void CheckReply(const broker::Query& query, broker::Rcode rcode) {
  std::vector<uint8_t> reply;
  broker::WriteReply(query, {}, {.rcode = rcode}, query.udp_size, reply);
  Require(reply.size() <= query.udp_size);
  const broker::Query again = broker::ParseQuery(reply);
  Require(again.fault == broker::QueryFault::kIsResponse && again.id == query.id);
}

// What is asked of a server has the name and nothing else of the client.
void CheckForwarded(const std::string& name) {
  const broker::Question question{.name = name, .type = broker::RecordType::kHttps};
  const std::vector<uint8_t> sent = broker::EncodeQuery(7, question, true);
  const broker::Query again = broker::ParseQuery(sent);
  Require(again.fault == broker::QueryFault::kNone && again.question == question);
  Require(sent.size() == name.size() + 2 + 12 + 4 + 11);
}

void CheckAnswered(const broker::Query& query) {
  broker::Answer answer;
  answer.zone = "";
  std::vector<uint8_t> reply;
  broker::WriteReply(query, broker::ReplyRecords(query.question, answer), {}, query.udp_size,
                     reply);
  const auto read = broker::ParseResponse(reply, query.id, query.question);
  Require(read.has_value() && read->zone == "");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const broker::Query query = broker::ParseQuery({data, size});
  if (const auto rcode = broker::RcodeOf(query.fault)) CheckReply(query, *rcode);
  if (query.fault != broker::QueryFault::kNone) return 0;
  Require(palyra::base::CanonicalDomain(query.question.name) == query.question.name);
  CheckForwarded(query.question.name);
  CheckAnswered(query);
  return 0;
}
