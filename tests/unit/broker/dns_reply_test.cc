#include "broker/dns_reply.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "broker/dns_response.h"
#include "tests/unit/broker/wire.h"

namespace palyra::broker {
namespace {

using std::chrono_literals::operator""s;

constexpr uint16_t kId = 0x7788;

// A reply to the query in `packet`.
Bytes Reply(const Bytes& packet, const Answer& answer, const ReplyFields& fields,
            size_t limit = kMaxTcpSize) {
  const Query query = ParseQuery(packet);
  const ReplyRecords records(query.question, answer);
  Bytes reply;
  WriteReply(query, records, fields, limit, reply);
  return reply;
}

Bytes ErrorReply(const Bytes& packet, const ReplyFields& fields) {
  Bytes reply = {1, 2, 3};
  WriteReply(ParseQuery(packet), ReplyRecords(), fields, kPlainUdpSize, reply);
  return reply;
}

Answer ChainToTwo() {
  Answer answer;
  answer.chain = {"b.example", "c.other"};
  answer.addresses = {*Address::Parse("8.8.8.8"), *Address::Parse("10.0.0.1")};
  return answer;
}

TEST(WriteReply, IsReadAsWhatItSays) {
  const Bytes packet = Message(kId, kRd | kCd).Question("wWw.eXample", kTypeA).Opt(4096).bytes();
  const Bytes reply = Reply(packet, ChainToTwo(), {.ttl = 77s});
  const auto answer = ParseResponse(reply, kId, {"www.example", RecordType::kA});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->chain, ChainToTwo().chain);
  EXPECT_EQ(answer->addresses, ChainToTwo().addresses);
  EXPECT_EQ(answer->ttl, 77s);
  EXPECT_TRUE(HasFlag(reply, kQr));
  EXPECT_TRUE(HasFlag(reply, kRd));
  EXPECT_TRUE(HasFlag(reply, kRa));
  EXPECT_TRUE(HasFlag(reply, kCd));
  // The client may look whether its own spelling comes back.
  EXPECT_EQ(Bytes(reply.begin() + 12, reply.begin() + 12 + 17),
            WireName("wWw.eXample") + Bytes({0, kTypeA, 0, 1}));
}

TEST(WriteReply, IsTheSameForEveryClientButForTheQuestion) {
  const ReplyRecords records({"a.example", RecordType::kA}, ChainToTwo());
  for (const char* spelling : {"a.example", "A.EXAMPLE", "a.eXaMpLe"}) {
    const Bytes packet = Message(9, 0).Question(spelling, kTypeA).bytes();
    Bytes reply;
    WriteReply(ParseQuery(packet), records, {.ttl = 5s}, kPlainUdpSize, reply);
    const auto answer = ParseResponse(reply, 9, {"a.example", RecordType::kA});
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->addresses, ChainToTwo().addresses);
    EXPECT_FALSE(HasFlag(reply, kRd));
  }
}

TEST(WriteReply, WritesAddressesOfTheTypeThatWasAsked) {
  Answer answer;
  answer.addresses = {*Address::Parse("2606:4700::1"), *Address::Parse("::ffff:8.8.8.8")};
  const Bytes packet = Message(kId, kRd).Question("www.example", kTypeAaaa).bytes();
  const auto read =
      ParseResponse(Reply(packet, answer, {.ttl = 5s}), kId, {"www.example", RecordType::kAaaa});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->addresses, answer.addresses);
}

TEST(WriteReply, WritesServersAndServices) {
  Answer answer;
  answer.servers = {{.priority = 1, .weight = 2, .port = 3, .target = "a.example"},
                    {.priority = 4, .weight = 5, .port = 6, .target = ""}};
  const Bytes packet = Message(kId, kRd).Question("www.example", kTypeSrv).bytes();
  const auto servers =
      ParseResponse(Reply(packet, answer, {.ttl = 5s}), kId, {"www.example", RecordType::kSrv});
  ASSERT_TRUE(servers);
  ASSERT_EQ(servers->servers.size(), 2U);
  EXPECT_EQ(servers->servers[0].port, 3);
  EXPECT_EQ(servers->servers[0].target, "a.example");
  EXPECT_EQ(servers->servers[1].target, "");

  answer = {};
  answer.services = {{.priority = 1, .target = "", .params = {0, 1, 0, 3, 2, 'h', '2'}},
                     {.priority = 0, .target = "b.example", .params = {}}};
  const Bytes https = Message(kId, kRd).Question("www.example", kTypeHttps).bytes();
  const auto services =
      ParseResponse(Reply(https, answer, {.ttl = 5s}), kId, {"www.example", RecordType::kHttps});
  ASSERT_TRUE(services);
  ASSERT_EQ(services->services.size(), 2U);
  EXPECT_EQ(services->services[0].params, answer.services[0].params);
  EXPECT_EQ(services->services[1].target, "b.example");
}

TEST(WriteReply, SaysHowLongThereIsNothing) {
  for (const std::string_view zone : {"example", ""}) {
    Answer answer;
    answer.rcode = Rcode::kNameError;
    answer.zone = zone;
    const Bytes packet = Message(kId, kRd).Question("www.example", kTypeA).bytes();
    const Bytes reply = Reply(packet, answer, {.rcode = Rcode::kNameError, .ttl = 33s});
    const auto read = ParseResponse(reply, kId, {"www.example", RecordType::kA});
    ASSERT_TRUE(read);
    EXPECT_EQ(read->rcode, Rcode::kNameError);
    EXPECT_EQ(read->zone, zone);
    EXPECT_EQ(read->ttl, 33s);
  }
}

TEST(WriteReply, IsTruncatedToWhatTheClientTakes) {
  Answer answer;
  for (uint8_t i = 0; i < kMaxAddresses; ++i) {
    answer.addresses.push_back(Address::V4({8, 8, 8, i}));
  }
  const Bytes packet = Message(kId, kRd).Question("www.example", kTypeA).Opt(1232).bytes();
  const Bytes whole = Reply(packet, answer, {.ttl = 5s});
  EXPECT_FALSE(HasFlag(whole, kTc));
  EXPECT_EQ(Reply(packet, answer, {.ttl = 5s}, whole.size()), whole);
  const Bytes cut = Reply(packet, answer, {.ttl = 5s}, whole.size() - 1);
  EXPECT_TRUE(HasFlag(cut, kTc));
  EXPECT_EQ(AnswersOf(cut), 0);
  EXPECT_LE(cut.size(), packet.size());
  EXPECT_EQ(ParseResponse(cut, kId, {"www.example", RecordType::kA}).error(),
            ResponseFault::kTruncated);
}

TEST(WriteReply, SaysWhyToClientsWithEdns) {
  const ReplyFields fields{.rcode = Rcode::kNameError, .error = ExtendedError::kBlocked};
  const Bytes plain = Message(kId, kRd).Question("www.example", kTypeA).bytes();
  EXPECT_EQ(ErrorReply(plain, fields),
            Message(kId, kQr | kRd | kRa | 3).Question("www.example", kTypeA).bytes());
  const Bytes edns = Message(kId, kRd).Question("www.example", kTypeA).Opt(4096).bytes();
  EXPECT_EQ(ErrorReply(edns, fields), Message(kId, kQr | kRd | kRa | 3)
                                          .Question("www.example", kTypeA)
                                          .Additional({0}, kTypeOpt, 1232, 0, {0, 15, 0, 2, 0, 15})
                                          .bytes());
}

TEST(WriteReply, HasTheExtendedErrorCode) {
  const Bytes packet =
      Message(kId, kRd).Question("www.example", kTypeA).Opt(1232, 1U << 16).bytes();
  EXPECT_EQ(
      ErrorReply(packet, {.rcode = Rcode::kBadVersion}),
      Message(kId, kQr | kRd | kRa).Question("www.example", kTypeA).Opt(1232, 1U << 24).bytes());
}

TEST(WriteReply, IsAHeaderForWhatIsMalformed) {
  const Bytes packet = Message(kId, kRd).Count(4, 1).Raw({64, 1}).bytes();
  EXPECT_EQ(ErrorReply(packet, {.rcode = Rcode::kFormatError}),
            Message(kId, kQr | kRd | kRa | 1).bytes());
}

TEST(ReplyRecords, HoldTheLargestAnswerThereIs) {
  const std::string label(63, 'a');
  const std::string tail = "." + label + "." + label + "." + std::string(55, 'b');
  Answer answer;
  for (int i = 0; i < 16; ++i) answer.chain.push_back("n" + std::to_string(100 + i) + tail);
  for (uint16_t i = 0; i < kMaxServices; ++i) {
    answer.services.push_back({.priority = i,
                               .target = "t" + std::to_string(100 + i) + tail,
                               .params = Bytes{0, 1, 1, 0xfc} + Bytes(508, 'x')});
  }
  const Bytes packet = Message(kId, kRd).Question("q" + tail, kTypeHttps).bytes();
  const auto read =
      ParseResponse(Reply(packet, answer, {.ttl = 5s}), kId, {"q" + tail, RecordType::kHttps});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->chain, answer.chain);
  EXPECT_EQ(read->services.size(), kMaxServices);
}

}  // namespace
}  // namespace palyra::broker
