#include "broker/dns_response.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/service_params.h"
#include "tests/unit/broker/wire.h"

namespace palyra::broker {
namespace {

using std::chrono_literals::operator""s;

constexpr uint16_t kId = 0x4242;
const Bytes kOwner = WirePointer(kToQuestion);

Message Response(uint16_t flags = 0, std::string_view name = "www.example",
                 uint16_t type = kTypeA) {
  Message message(kId, static_cast<uint16_t>(kQr | kRd | kRa | flags));
  message.Question(name, type);
  return message;
}

auto Parse(const Message& message, RecordType type = RecordType::kA) {
  return ParseResponse(message.bytes(), kId, {"www.example", type});
}

ResponseFault FaultOf(const Message& message, RecordType type = RecordType::kA) {
  const auto answer = Parse(message, type);
  EXPECT_FALSE(answer);
  return answer ? ResponseFault{} : answer.error();
}

std::vector<std::string> AddressesOf(const Answer& answer) {
  std::vector<std::string> texts;
  for (const Address& address : answer.addresses) texts.push_back(address.ToString());
  return texts;
}

using Texts = std::vector<std::string>;

TEST(ParseResponse, ReadsAddresses) {
  const auto answer = Parse(Response()
                                .Answer(kOwner, kTypeA, 300, WireV4("8.8.8.8"))
                                .Answer(WireName("WWW.example"), kTypeA, 200, WireV4("8.8.4.4"))
                                .Opt(1232));
  ASSERT_TRUE(answer);
  EXPECT_EQ(AddressesOf(*answer), (Texts{"8.8.8.8", "8.8.4.4"}));
  EXPECT_EQ(answer->ttl, 200s);
  EXPECT_EQ(answer->rcode, Rcode::kNoError);
  EXPECT_FALSE(answer->IsNegative(RecordType::kA));
}

TEST(ParseResponse, ReadsV6Addresses) {
  const auto answer = Parse(Response(0, "www.example", kTypeAaaa)
                                .Answer(kOwner, kTypeAaaa, 300, WireV6("2606:4700::1"))
                                .Answer(kOwner, kTypeAaaa, 300, WireV6("::ffff:10.0.0.1")),
                            RecordType::kAaaa);
  ASSERT_TRUE(answer);
  EXPECT_EQ(AddressesOf(*answer), (Texts{"2606:4700::1", "10.0.0.1"}));
}

TEST(ParseResponse, FollowsTheChainInAnyOrder) {
  const auto answer =
      Parse(Response()
                .Answer(WireName("c.example"), kTypeA, 300, WireV4("8.8.8.8"))
                .Answer(WireName("b.example"), kTypeCname, 20, WireName("C.example"))
                .Answer(kOwner, kTypeCname, 100, WireName("b.example")));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->chain, (Texts{"b.example", "c.example"}));
  EXPECT_EQ(AddressesOf(*answer), Texts{"8.8.8.8"});
  EXPECT_EQ(answer->ttl, 20s);
}

TEST(ParseResponse, IgnoresWhatIsNotOnTheChain) {
  const auto answer =
      Parse(Response()
                .Answer(kOwner, kTypeCname, 100, WireName("b.example"))
                .Answer(kOwner, kTypeA, 1, WireV4("8.8.1.1"))
                .Answer(WireName("evil.example"), kTypeA, 1, WireV4("8.8.2.2"))
                .Answer(WireName("b.example"), kTypeAaaa, 1, WireV6("2000::1"))
                .Answer(WireName("b.example"), kTypeA, 50, WireV4("8.8.8.8"))
                .Authority(WireName("b.example"), kTypeA, 1, WireV4("8.8.3.3"))
                .Additional(WireName("b.example"), kTypeA, 1, 1, WireV4("8.8.4.4")));
  ASSERT_TRUE(answer);
  EXPECT_EQ(AddressesOf(*answer), Texts{"8.8.8.8"});
  EXPECT_EQ(answer->ttl, 50s);
}

TEST(ParseResponse, DoesNotFollowForACnameQuestion) {
  const auto answer =
      Parse(Response(0, "www.example", kTypeCname)
                .Answer(kOwner, kTypeCname, 100, WireName("b.example"))
                .Answer(WireName("b.example"), kTypeCname, 9, WireName("c.example")),
            RecordType::kCname);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->chain, Texts{"b.example"});
  EXPECT_EQ(answer->ttl, 100s);
  EXPECT_FALSE(answer->IsNegative(RecordType::kCname));
}

TEST(ParseResponse, RefusesChainsThatLeadBack) {
  EXPECT_EQ(FaultOf(Response().Answer(kOwner, kTypeCname, 1, kOwner)), ResponseFault::kChainLoops);
  EXPECT_EQ(FaultOf(Response()
                        .Answer(kOwner, kTypeCname, 1, WireName("b.example"))
                        .Answer(WireName("b.example"), kTypeCname, 1, WireName("c.example"))
                        .Answer(WireName("c.example"), kTypeCname, 1, WireName("b.example"))),
            ResponseFault::kChainLoops);
}

Message Chain(size_t length) {
  Message message = Response();
  message.Answer(kOwner, kTypeCname, 60, WireName("n1.example"));
  for (size_t i = 1; i < length; ++i) {
    message.Answer(WireName("n" + std::to_string(i) + ".example"), kTypeCname, 60,
                   WireName("n" + std::to_string(i + 1) + ".example"));
  }
  return message.Answer(WireName("n" + std::to_string(length) + ".example"), kTypeA, 60,
                        WireV4("8.8.8.8"));
}

TEST(ParseResponse, FollowsSixteenAliases) {
  const auto answer = Parse(Chain(kMaxChain));
  ASSERT_TRUE(answer);
  EXPECT_EQ(AddressesOf(*answer), Texts{"8.8.8.8"});
  EXPECT_EQ(FaultOf(Chain(kMaxChain + 1)), ResponseFault::kChainTooLong);
}

TEST(ParseResponse, RefusesAliasesThatAreNoNames) {
  for (const char* target : {"192.0.2.1", "*.example", "a b", ""}) {
    EXPECT_EQ(FaultOf(Response().Answer(kOwner, kTypeCname, 1, WireName(target))),
              ResponseFault::kMalformed)
        << target;
  }
}

TEST(ParseResponse, CutsAtSixtyFourAddresses) {
  Message message = Response();
  for (int i = 0; i < 100; ++i) {
    message.Answer(kOwner, kTypeA, 60, {8, 8, 8, static_cast<uint8_t>(i)});
    message.Answer(kOwner, kTypeA, 60, {8, 8, 8, static_cast<uint8_t>(i)});
  }
  const auto answer = Parse(message);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->addresses.size(), kMaxAddresses);
  EXPECT_EQ(answer->addresses.back().ToString(), "8.8.8.63");
}

TEST(ParseResponse, TakesTheNegativeTtlFromTheSoa) {
  for (const uint16_t rcode : {uint16_t{0}, uint16_t{3}}) {
    const auto answer =
        Parse(Response(rcode).Authority(WireName("example"), kTypeSoa, 100, WireSoa(30)));
    ASSERT_TRUE(answer);
    EXPECT_EQ(static_cast<int>(answer->rcode), rcode);
    EXPECT_TRUE(answer->IsNegative(RecordType::kA));
    EXPECT_EQ(answer->zone, "example");
    EXPECT_EQ(answer->ttl, 30s);
  }
  const auto shorter = Parse(Response(3).Authority({0}, kTypeSoa, 10, WireSoa(30)));
  ASSERT_TRUE(shorter);
  EXPECT_EQ(shorter->zone, "");
  EXPECT_EQ(shorter->ttl, 10s);
}

TEST(ParseResponse, HasNoNegativeTtlWithoutTheSoaOfTheZone) {
  for (const Message& message :
       {Response(3), Response(3).Authority(WireName("other"), kTypeSoa, 100, WireSoa(30)),
        Response(3).Authority(WireName("ample"), kTypeSoa, 100, WireSoa(30))}) {
    const auto answer = Parse(message);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->zone, std::nullopt);
    EXPECT_EQ(answer->ttl, 0s);
  }
}

TEST(ParseResponse, IgnoresAddressesOfANameThatDoesNotExist) {
  const auto answer = Parse(Response(3).Answer(kOwner, kTypeA, 60, WireV4("8.8.8.8")));
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->addresses.empty());
}

TEST(ParseResponse, CountsAHugeTtlAsNone) {
  const auto answer = Parse(Response().Answer(kOwner, kTypeA, 0x80000000, WireV4("8.8.8.8")));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->ttl, 0s);
}

TEST(ParseResponse, IsUnrelatedWithoutTheRightIdAndQuestion) {
  const Question question{"www.example", RecordType::kA};
  EXPECT_EQ(ParseResponse(Response().bytes(), kId + 1, question).error(), ResponseFault::kWrongId);
  EXPECT_EQ(ParseResponse(Bytes(11, 0xff), kId, question).error(), ResponseFault::kNotAResponse);
  EXPECT_EQ(FaultOf(Message(kId, kRd).Question("www.example", kTypeA)),
            ResponseFault::kNotAResponse);
  EXPECT_EQ(FaultOf(Response(5 << 11)), ResponseFault::kNotAResponse);
  for (const Message& message :
       {Response(0, "www.example.com"), Response(0, "www.example", kTypeAaaa),
        Message(kId, kQr).Question("www.example", kTypeA, 3), Message(kId, kQr),
        Message(kId, kQr | 3), Response().Question("www.example", kTypeA)}) {
    const ResponseFault fault = FaultOf(message);
    EXPECT_EQ(fault, ResponseFault::kWrongQuestion);
    EXPECT_TRUE(IsUnrelated(fault));
  }
}

TEST(ParseResponse, SaysWhenTheServerFailed) {
  for (const uint16_t rcode : std::initializer_list<uint16_t>{1, 2, 4, 5, 9}) {
    EXPECT_EQ(FaultOf(Response(rcode)), ResponseFault::kServerFailed) << rcode;
    EXPECT_EQ(FaultOf(Message(kId, static_cast<uint16_t>(kQr | rcode))),
              ResponseFault::kServerFailed)
        << rcode;
  }
  EXPECT_EQ(FaultOf(Response().Opt(1232, 1U << 24)), ResponseFault::kServerFailed);
  EXPECT_FALSE(IsUnrelated(ResponseFault::kServerFailed));
}

TEST(ParseResponse, SaysWhenItIsTruncated) {
  EXPECT_EQ(FaultOf(Response(kTc)), ResponseFault::kTruncated);
  EXPECT_EQ(FaultOf(Response(kTc).Answer(kOwner, kTypeA, 1, WireV4("8.8.8.8"))),
            ResponseFault::kTruncated);
}

TEST(ParseResponse, IsNeverAnAnswerWhereverItEnds) {
  const Bytes whole = Response()
                          .Answer(kOwner, kTypeCname, 60, WireName("b.example"))
                          .Answer(WireName("b.example"), kTypeA, 60, WireV4("8.8.8.8"))
                          .Authority(WireName("example"), kTypeSoa, 100, WireSoa(30))
                          .Opt(1232)
                          .bytes();
  ASSERT_TRUE(ParseResponse(whole, kId, {"www.example", RecordType::kA}));
  for (size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(ParseResponse(part, kId, {"www.example", RecordType::kA})) << size;
  }
  EXPECT_FALSE(ParseResponse(whole + Bytes{0}, kId, {"www.example", RecordType::kA}));
}

TEST(ParseResponse, RefusesMalformedRecords) {
  const Bytes five = {8, 8, 8, 8, 8};
  for (const Message& message :
       {Response().Answer(kOwner, kTypeA, 60, five), Response().Answer(kOwner, kTypeA, 60, {8, 8}),
        Response().Answer(kOwner, kTypeCname, 60, WireName("b.example") + Bytes{0}),
        Response().Answer(kOwner, kTypeCname, 60, {}),
        Response().Answer(WirePointer(0xc000 + 29), kTypeA, 60, WireV4("8.8.8.8")),
        Response().Answer(WirePointer(0xffff), kTypeA, 60, WireV4("8.8.8.8")),
        Response().Answer(Bytes{64} + Bytes(64, 'a') + Bytes{0}, kTypeA, 60, WireV4("8.8.8.8")),
        Response().Count(6, 1), Response().Count(8, 65535), Response().Count(10, 1)}) {
    EXPECT_EQ(FaultOf(message), ResponseFault::kMalformed);
  }
}

TEST(ParseResponse, RefusesMoreRecordsThanItReads) {
  Message message = Response();
  for (int i = 0; i < 600; ++i) message.Answer(kOwner, kTypeA, 60, WireV4("8.8.8.8"));
  EXPECT_EQ(FaultOf(message), ResponseFault::kMalformed);
}

TEST(ParseResponse, ReadsServers) {
  const auto answer = Parse(Response(0, "www.example", kTypeSrv)
                                .Answer(kOwner, kTypeSrv, 60, WireSrv(10, 8080, "A.example"))
                                .Answer(kOwner, kTypeSrv, 60, WireSrv(20, 1, ""))
                                .Answer(kOwner, kTypeSrv, 60, WireSrv(20, 1, "10.0.0.1")),
                            RecordType::kSrv);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->servers.size(), 2U);
  EXPECT_EQ(answer->servers[0].priority, 10);
  EXPECT_EQ(answer->servers[0].weight, 1);
  EXPECT_EQ(answer->servers[0].port, 8080);
  EXPECT_EQ(answer->servers[0].target, "a.example");
  EXPECT_EQ(answer->servers[1].target, "");
}

const Bytes kAlpn = {0, 1, 0, 3, 2, 'h', '2'};
const Bytes kPort = {0, 3, 0, 2, 0x20, 0xfb};
const Bytes kHintV4 = {0, 4, 0, 4, 10, 0, 0, 1};
const Bytes kEch = {0, 5, 0, 2, 1, 2};

TEST(ParseResponse, ReadsServicesWithoutHintsAndKeys) {
  const auto answer =
      Parse(Response(0, "www.example", kTypeHttps)
                .Answer(kOwner, kTypeHttps, 60, WireService(1, "", kAlpn + kPort + kHintV4 + kEch))
                .Answer(kOwner, kTypeHttps, 60, WireService(0, "b.example", {}))
                .Answer(kOwner, kTypeHttps, 60, WireService(2, "a b", {})),
            RecordType::kHttps);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->services.size(), 2U);
  EXPECT_EQ(answer->services[0].priority, 1);
  EXPECT_EQ(answer->services[0].target, "");
  EXPECT_EQ(answer->services[0].params, kAlpn + kPort);
  EXPECT_EQ(answer->services[1].priority, 0);
  EXPECT_EQ(answer->services[1].target, "b.example");
}

TEST(KeptServiceParams, LeavesOutRecordsThatNeedWhatIsDropped) {
  EXPECT_EQ(KeptServiceParams(Bytes{0, 0, 0, 2, 0, 1} + kAlpn), Bytes({0, 0, 0, 2, 0, 1}) + kAlpn);
  EXPECT_EQ(KeptServiceParams(Bytes{0, 0, 0, 2, 0, 4} + kHintV4), std::nullopt);
  EXPECT_EQ(KeptServiceParams(Bytes{0, 0, 0, 4, 0, 1, 0, 5} + kAlpn + kEch), std::nullopt);
}

TEST(KeptServiceParams, RefusesWhatIsMalformed) {
  EXPECT_EQ(KeptServiceParams({}), Bytes{});
  EXPECT_EQ(KeptServiceParams(kPort + kAlpn), std::nullopt);
  EXPECT_EQ(KeptServiceParams(kAlpn + kAlpn), std::nullopt);
  EXPECT_EQ(KeptServiceParams(Bytes{0, 0, 0, 0}), std::nullopt);
  EXPECT_EQ(KeptServiceParams(Bytes{0, 0, 0, 1, 0}), std::nullopt);
  EXPECT_EQ(KeptServiceParams(Bytes{0, 1, 2, 0} + Bytes(512, 'a')), std::nullopt);
  const Bytes whole = kAlpn + kPort;
  for (size_t size = 1; size < whole.size(); ++size) {
    if (size == kAlpn.size()) continue;
    const Bytes part(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_EQ(KeptServiceParams(part), std::nullopt) << size;
  }
}

}  // namespace
}  // namespace palyra::broker
