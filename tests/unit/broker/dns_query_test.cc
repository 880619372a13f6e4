#include "broker/dns_query.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/broker/wire.h"

namespace palyra::broker {
namespace {

Bytes GoodQuery() {
  return Message(0x1234, kRd).Question("WWW.Example.com", kTypeAaaa).Opt(1400).bytes();
}

TEST(ParseQuery, ReadsWhatAClientAsks) {
  const Bytes packet = GoodQuery();
  const Query query = ParseQuery(packet);
  EXPECT_EQ(query.fault, QueryFault::kNone);
  EXPECT_EQ(query.id, 0x1234);
  EXPECT_TRUE(query.recursion_desired);
  EXPECT_FALSE(query.checking_disabled);
  EXPECT_EQ(query.question, (Question{"www.example.com", RecordType::kAaaa}));
  EXPECT_EQ(Bytes(query.wire.begin(), query.wire.end()),
            WireName("WWW.Example.com") + Bytes({0, kTypeAaaa, 0, 1}));
  EXPECT_TRUE(query.edns);
  EXPECT_EQ(query.udp_size, 1400);
}

TEST(ParseQuery, HasDefaultsWithoutEdns) {
  const Bytes packet = Message(1, kCd).Question("example.com", kTypeA).bytes();
  const Query query = ParseQuery(packet);
  EXPECT_EQ(query.fault, QueryFault::kNone);
  EXPECT_FALSE(query.edns);
  EXPECT_EQ(query.udp_size, 512);
  EXPECT_FALSE(query.recursion_desired);
  EXPECT_TRUE(query.checking_disabled);
}

TEST(ParseQuery, TakesNoLessThan512Bytes) {
  EXPECT_EQ(ParseQuery(Message(1, kRd).Question("a.b", kTypeA).Opt(16).bytes()).udp_size, 512);
}

TEST(ParseQuery, IsMalformedWhereverItEnds) {
  const Bytes whole = GoodQuery();
  for (size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    const QueryFault fault = ParseQuery(part).fault;
    EXPECT_EQ(fault, size < 12 ? QueryFault::kShort : QueryFault::kMalformed) << size;
  }
}

TEST(ParseQuery, IsMalformedWithBytesLeft) {
  EXPECT_EQ(ParseQuery(GoodQuery() + Bytes{0}).fault, QueryFault::kMalformed);
}

struct FaultCase {
  std::string what;
  Bytes packet;
  QueryFault fault;
};

std::vector<FaultCase> FaultCases() {
  const auto plain = [] { return Message(7, kRd).Question("example.com", kTypeA); };
  const auto with_name = [](const Bytes& name) {
    return Message(7, kRd).Count(4, 1).Raw(name).U16(kTypeA).U16(1).bytes();
  };
  Bytes too_long;
  for (int i = 0; i < 5; ++i) too_long = too_long + Bytes{62} + Bytes(62, 'a');
  return {
      {"a response", Message(7, kQr).Question("a.b", kTypeA).bytes(), QueryFault::kIsResponse},
      {"NOTIFY", Message(7, 4 << 11).Question("a.b", kTypeA).bytes(), QueryFault::kOpcode},
      {"UPDATE", Message(7, 5 << 11).Question("a.b", kTypeA).bytes(), QueryFault::kOpcode},
      {"no question", Message(7, kRd).bytes(), QueryFault::kMalformed},
      {"two questions", plain().Question("example.org", kTypeA).bytes(), QueryFault::kMalformed},
      {"more questions than there are", plain().Count(4, 2).bytes(), QueryFault::kMalformed},
      {"an answer", plain().Answer(WirePointer(kToQuestion), kTypeA, 1, {1, 2, 3, 4}).bytes(),
       QueryFault::kMalformed},
      {"an authority", plain().Authority({0}, kTypeA, 1, {1, 2, 3, 4}).bytes(),
       QueryFault::kMalformed},
      {"another record", plain().Additional({0}, kTypeTxt, 1, 0, {1, 'a'}).bytes(),
       QueryFault::kMalformed},
      {"two OPT records", plain().Opt(1232).Opt(1232).bytes(), QueryFault::kMalformed},
      {"an OPT record of a name", plain().Additional({1, 'a', 0}, kTypeOpt, 1232, 0, {}).bytes(),
       QueryFault::kMalformed},
      {"65535 additional records", plain().Count(10, 65535).bytes(), QueryFault::kMalformed},
      {"an EDNS version", plain().Opt(1232, 1U << 16).bytes(), QueryFault::kEdnsVersion},
      {"CHAOS", Message(7, kRd).Question("version.bind", kTypeTxt, 3).bytes(), QueryFault::kClass},
      {"class ANY", Message(7, kRd).Question("a.b", kTypeA, 255).bytes(), QueryFault::kClass},
      {"a label of 64", with_name(Bytes{64} + Bytes(64, 'a') + Bytes{0}), QueryFault::kMalformed},
      {"a reserved label", with_name(Bytes{0x80, 1, 'a', 0}), QueryFault::kMalformed},
      {"a name of 315", with_name(too_long + Bytes{0}), QueryFault::kMalformed},
      {"a name that is a loop", with_name(WirePointer(kToQuestion)), QueryFault::kMalformed},
      {"a pointer to the header", with_name(WirePointer(0xc000)), QueryFault::kMalformed},
      {"a pointer forward", with_name(WirePointer(0xc00e)), QueryFault::kMalformed},
      {"a pointer out of it", with_name(WirePointer(0xffff)), QueryFault::kMalformed},
      {"the root", with_name({0}), QueryFault::kNameNotCanonical},
      {"a wildcard", with_name(WireName("*.example")), QueryFault::kNameNotCanonical},
      {"a NUL", with_name({3, 'a', 0, 'b', 0}), QueryFault::kNameNotCanonical},
      {"a dot in a label", with_name({3, 'a', '.', 'b', 0}), QueryFault::kNameNotCanonical},
      {"an address", with_name(WireName("192.0.2.1")), QueryFault::kNameNotCanonical},
      {"UTF-8", with_name({2, 0xc3, 0xbc, 0}), QueryFault::kNameNotCanonical},
  };
}

TEST(ParseQuery, SaysWhatIsWrong) {
  for (const FaultCase& one : FaultCases()) {
    EXPECT_EQ(ParseQuery(one.packet).fault, one.fault) << one.what;
  }
}

TEST(ParseQuery, DoesNotRepeatWhatIsMalformed) {
  for (const FaultCase& one : FaultCases()) {
    const Query query = ParseQuery(one.packet);
    EXPECT_EQ(query.id, 7) << one.what;
    if (query.fault == QueryFault::kMalformed) {
      EXPECT_TRUE(query.wire.empty()) << one.what;
    }
  }
}

TEST(ParseQuery, OnlyDropsWhatHasNobodyToAnswer) {
  EXPECT_EQ(RcodeOf(QueryFault::kShort), std::nullopt);
  EXPECT_EQ(RcodeOf(QueryFault::kIsResponse), std::nullopt);
  EXPECT_EQ(RcodeOf(QueryFault::kOpcode), Rcode::kNotImplemented);
  EXPECT_EQ(RcodeOf(QueryFault::kMalformed), Rcode::kFormatError);
  EXPECT_EQ(RcodeOf(QueryFault::kEdnsVersion), Rcode::kBadVersion);
  EXPECT_EQ(RcodeOf(QueryFault::kClass), Rcode::kRefused);
  EXPECT_EQ(RcodeOf(QueryFault::kNameNotCanonical), Rcode::kNameError);
}

TEST(EncodeQuery, IsOnlyTheQuestion) {
  const Question question{"www.example.com", RecordType::kA};
  EXPECT_EQ(EncodeQuery(0xabcd, question, false),
            Message(0xabcd, kRd).Question("www.example.com", kTypeA).bytes());
  EXPECT_EQ(EncodeQuery(0xabcd, question, true),
            Message(0xabcd, kRd).Question("www.example.com", kTypeA).Opt(1232).bytes());
}

}  // namespace
}  // namespace palyra::broker
