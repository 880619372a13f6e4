// Names that are resolved before the run, and nothing but what they led to then.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/unit/broker/resolver_fixture.h"

namespace palyra::broker {
namespace {

using testing::UnorderedElementsAre;

const Bytes kOwner = WirePointer(kToQuestion);

ResolverOptions Pinning(std::vector<std::string> names, ResolverOptions options) {
  options.pins = std::move(names);
  return options;
}

using Settled = std::vector<std::pair<std::string, NameOutcome>>;

TEST(PinnedNames, AreAnsweredWithoutAnyServerFromThenOn) {
  const FakeServer server([](const Asked& asked) {
    Message message = ResponseTo(asked);
    const std::string address = asked.name == "a.test" ? "8.8.8.8" : "8.8.4.4";
    if (asked.type == kTypeA) message.Answer(kOwner, kTypeA, 1, WireV4(address));
    return Messages{message.bytes()};
  });
  RunningResolver resolver({server.endpoint()}, Pinning({"a.test", "b.test"}, PatientOptions()));
  EXPECT_EQ(server.count(), 4U) << "both addresses of both names";
  EXPECT_THAT(resolver.authority().settled(),
              UnorderedElementsAre(std::pair("a.test", NameOutcome::kPinned),
                                   std::pair("b.test", NameOutcome::kPinned)));
  const size_t learned = resolver.authority().learned().size();
  const UdpClient client(resolver);
  resolver.Advance(std::chrono::hours(1000));
  EXPECT_EQ(AddressesIn(client.Ask("A.test", kTypeA), "a.test", kTypeA), Texts{"8.8.8.8"});
  EXPECT_EQ(AddressesIn(client.Ask("b.test", kTypeA), "b.test", kTypeA), Texts{"8.8.4.4"});
  const Bytes v6 = client.Ask("a.test", kTypeAaaa);
  EXPECT_EQ(RcodeOf(v6), 0);
  EXPECT_EQ(AnswersOf(v6), 0);
  EXPECT_EQ(RcodeOf(client.Ask("c.test", kTypeA)), 3);
  EXPECT_EQ(RcodeOf(client.Ask("x.a.test", kTypeA)), 3);
  EXPECT_EQ(server.count(), 4U);
  EXPECT_EQ(resolver.authority().learned().size(), learned) << "nothing is told twice";
}

TEST(PinnedNames, HaveNoOtherRecords) {
  const FakeServer server(Always({"8.8.8.8"}));
  const RunningResolver resolver({server.endpoint()}, Pinning({"a.test"}, PatientOptions()));
  const size_t asked = server.count();
  const UdpClient client(resolver);
  for (const uint16_t type : {kTypeHttps, kTypeSrv, kTypeCname}) {
    const Bytes reply = client.Ask("a.test", type);
    EXPECT_EQ(RcodeOf(reply), 0) << type;
    EXPECT_EQ(AnswersOf(reply), 0) << type;
  }
  constexpr uint16_t kTxt = 16;
  EXPECT_EQ(RcodeOf(client.Ask("a.test", kTxt)), 5);
  EXPECT_EQ(server.count(), asked);
}

TEST(PinnedNames, SayWhatCameOfThem) {
  const FakeServer server([](const Asked& asked) {
    if (asked.name == "silent.test") return Messages{};
    if (asked.name == "no.test") return Messages{ResponseTo(asked, 3).bytes()};
    Message message = ResponseTo(asked);
    const bool is_v4 = asked.type == kTypeA;
    if (asked.name == "inside.test" && is_v4) {
      message.Answer(kOwner, kTypeA, 300, WireV4("10.0.0.1"));
    }
    if (asked.name == "mixed.test" && is_v4) {
      message.Answer(kOwner, kTypeA, 300, WireV4("10.0.0.1"));
      message.Answer(kOwner, kTypeA, 300, WireV4("8.8.8.8"));
    }
    if (asked.name == "six.test" && !is_v4) {
      message.Answer(kOwner, kTypeAaaa, 300, WireV6("2606:4700::1"));
    }
    return Messages{message.bytes()};
  });
  RunningResolver resolver({server.endpoint()}, Pinning({"silent.test", "no.test", "empty.test",
                                                         "inside.test", "mixed.test", "six.test"},
                                                        HastyOptions()));
  EXPECT_THAT(resolver.authority().settled(),
              UnorderedElementsAre(std::pair("silent.test", NameOutcome::kNoAnswer),
                                   std::pair("no.test", NameOutcome::kNotFound),
                                   std::pair("empty.test", NameOutcome::kNoAddress),
                                   std::pair("inside.test", NameOutcome::kWithheld),
                                   std::pair("mixed.test", NameOutcome::kPinned),
                                   std::pair("six.test", NameOutcome::kPinned)));
  const UdpClient client(resolver);
  EXPECT_EQ(AddressesIn(client.Ask("mixed.test", kTypeA), "mixed.test", kTypeA), Texts{"8.8.8.8"});
  EXPECT_EQ(AddressesIn(client.Ask("six.test", kTypeAaaa), "six.test", kTypeAaaa),
            Texts{"2606:4700::1"});
  EXPECT_EQ(RcodeOf(client.Ask("inside.test", kTypeA)), 3);
}

TEST(PinnedNames, AreAskedFewAtATime) {
  std::vector<std::string> names;
  for (int i = 0; i < 200; ++i) names.push_back(std::to_string(i) + ".test");
  const FakeServer server(Always({"8.8.8.8"}));
  RunningResolver resolver({server.endpoint()}, Pinning(names, PatientOptions()));
  EXPECT_EQ(resolver.authority().settled().size(), names.size());
  EXPECT_EQ(AddressesIn(UdpClient(resolver).Ask("199.test", kTypeA), "199.test", kTypeA),
            Texts{"8.8.8.8"});
}

TEST(PinnedNames, NoneNeedsNoServer) {
  const RunningResolver resolver({}, Pinning({}, PatientOptions()));
  const UdpClient client(resolver);
  EXPECT_EQ(RcodeOf(client.Ask("a.test", kTypeA)), 3);
  EXPECT_EQ(AddressesIn(client.Ask("localhost", kTypeA), "localhost", kTypeA), Texts{"127.0.0.1"});
}

}  // namespace
}  // namespace palyra::broker
