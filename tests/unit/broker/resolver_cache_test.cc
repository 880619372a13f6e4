// How long answers hold, and what the resolver keeps at all.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/answer_cache.h"
#include "tests/unit/broker/resolver_fixture.h"

namespace palyra::broker {
namespace {

using std::chrono_literals::operator""s;

FakeServer::Script Negative(uint16_t rcode, uint32_t ttl) {
  return [rcode, ttl](const Asked& asked) {
    return Messages{ResponseTo(asked, rcode)
                        .Authority(WireName("example"), kTypeSoa, ttl, WireSoa(ttl))
                        .bytes()};
  };
}

TEST(ResolverCache, LearnsAgainForWhatIsLeft) {
  const FakeServer server(Always({"8.8.8.8"}, 300));
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  EXPECT_EQ(TtlIn(client.Ask("www.example", kTypeA), "www.example", kTypeA), 300s);
  resolver.Advance(100s);
  const auto left = TtlIn(client.Ask("www.example", kTypeA), "www.example", kTypeA);
  EXPECT_LE(left, 200s);
  EXPECT_GT(left, 100s);
  EXPECT_EQ(server.count(), 1U);
  const std::vector<Learned> learned = resolver.authority().learned();
  ASSERT_EQ(learned.size(), 2U);
  EXPECT_EQ(learned[1], (Learned{"www.example", {"8.8.8.8"}, left}));
  EXPECT_EQ(resolver.Stop().cache_hits, 1U);
}

TEST(ResolverCache, AsksAgainWhenItIsOver) {
  const FakeServer server(Always({"8.8.8.8"}, 300));
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  (void)client.Ask("www.example", kTypeA);
  resolver.Advance(301s);
  EXPECT_EQ(TtlIn(client.Ask("www.example", kTypeA), "www.example", kTypeA), 300s);
  EXPECT_EQ(server.count(), 2U);
}

TEST(ResolverCache, DoesNotMixTypesAndNames) {
  const FakeServer server(Always({"8.8.8.8", "2606:4700::1"}));
  RunningResolver const resolver({server.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(AddressesIn(client.Ask("a.example", kTypeA), "a.example", kTypeA), Texts{"8.8.8.8"});
    EXPECT_EQ(AddressesIn(client.Ask("a.example", kTypeAaaa), "a.example", kTypeAaaa),
              Texts{"2606:4700::1"});
    EXPECT_EQ(AddressesIn(client.Ask("b.example", kTypeA), "b.example", kTypeA), Texts{"8.8.8.8"});
  }
  EXPECT_EQ(server.count(), 3U);
}

TEST(ResolverCache, ClampsTtls) {
  for (const auto& [ttl, told] : {std::pair(0U, 1s), std::pair(7U, 7s), std::pair(86400U, 3600s),
                                  std::pair(0xffffffffU, 1s)}) {
    const FakeServer server(Always({"8.8.8.8"}, ttl));
    RunningResolver resolver({server.endpoint()}, PatientOptions());
    EXPECT_EQ(TtlIn(UdpClient(resolver).Ask("www.example", kTypeA), "www.example", kTypeA), told);
    EXPECT_EQ(resolver.authority().learned()[0].ttl, told);
  }
}

TEST(ResolverCache, KeepsThatANameDoesNotExist) {
  for (const uint16_t rcode : {uint16_t{0}, uint16_t{3}}) {
    const FakeServer server(Negative(rcode, 900));
    RunningResolver resolver({server.endpoint()}, PatientOptions());
    const UdpClient client(resolver);
    for (int i = 0; i < 2; ++i) {
      const Bytes reply = client.Ask("www.example", kTypeA);
      EXPECT_EQ(RcodeOf(reply), rcode);
      EXPECT_LE(TtlIn(reply, "www.example", kTypeA), 60s);
      EXPECT_GT(TtlIn(reply, "www.example", kTypeA), 0s);
    }
    EXPECT_EQ(server.count(), 1U);
    resolver.Advance(61s);
    (void)client.Ask("www.example", kTypeA);
    EXPECT_EQ(server.count(), 2U);
    EXPECT_TRUE(resolver.authority().learned().empty());
  }
}

TEST(ResolverCache, DoesNotKeepANegativeAnswerWithoutAnSoa) {
  const FakeServer server(
      [](const Asked& asked) { return Messages{ResponseTo(asked, 3).bytes()}; });
  RunningResolver const resolver({server.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  EXPECT_EQ(RcodeOf(client.Ask("www.example", kTypeA)), 3);
  EXPECT_EQ(RcodeOf(client.Ask("www.example", kTypeA)), 3);
  EXPECT_EQ(server.count(), 2U);
}

TEST(ResolverCache, AsksTheRulesForWhatItKnowsToo) {
  const FakeServer server(Always({"8.8.8.8"}));
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  EXPECT_EQ(AnswersOf(client.Ask("www.example", kTypeA)), 1);
  resolver.authority().RefuseToLearn("8.8.8.8");
  EXPECT_EQ(AnswersOf(client.Ask("www.example", kTypeA)), 0);
  EXPECT_EQ(server.count(), 1U);
}

TEST(ResolverCache, ForgetsTheOldestUnderAFloodOfNames) {
  const FakeServer server(Always({"8.8.8.8"}));
  ResolverOptions options = PatientOptions();
  options.cache_entries = 8;
  RunningResolver const resolver({server.endpoint()}, options);
  const UdpClient client(resolver);
  for (int i = 0; i < 200; ++i) {
    const std::string name = "n" + std::to_string(i) + ".example";
    EXPECT_EQ(AnswersOf(client.Ask(name, kTypeA)), 1);
  }
  EXPECT_EQ(server.count(), 200U);
  (void)client.Ask("n199.example", kTypeA);
  EXPECT_EQ(server.count(), 200U);
  (void)client.Ask("n0.example", kTypeA);
  EXPECT_EQ(server.count(), 201U);
}

KnownAnswer Known(const Question& question, TimePoint expires) {
  Answer answer;
  answer.addresses = {Address::V4({8, 8, 8, 8})};
  return {question, std::move(answer), expires};
}

TEST(AnswerCache, IsBoundedInEntriesAndBytes) {
  AnswerCache few(3, 1 << 20);
  AnswerCache small(1000, 4096);
  const TimePoint start;
  for (int i = 0; i < 1000; ++i) {
    const Question question{"n" + std::to_string(i), RecordType::kA};
    few.Put(question, Known(question, start + 10s));
    small.Put(question, Known(question, start + 10s));
    EXPECT_LE(few.size(), 3U);
    EXPECT_LE(small.bytes(), 4096U);
  }
  EXPECT_GT(small.size(), 1U);
  EXPECT_LT(small.size(), 20U);
}

TEST(AnswerCache, ForgetsWhatWasUsedLeast) {
  AnswerCache cache(2, 1 << 20);
  const TimePoint start;
  const Question a{"a", RecordType::kA};
  const Question b{"b", RecordType::kA};
  const Question c{"c", RecordType::kA};
  cache.Put(a, Known(a, start + 10s));
  cache.Put(b, Known(b, start + 10s));
  EXPECT_NE(cache.Find(a, start), nullptr);
  cache.Put(c, Known(c, start + 10s));
  EXPECT_NE(cache.Find(a, start), nullptr);
  EXPECT_EQ(cache.Find(b, start), nullptr);
}

TEST(AnswerCache, ForgetsWhatIsOver) {
  AnswerCache cache(2, 1 << 20);
  const TimePoint start;
  const Question a{"a", RecordType::kA};
  cache.Put(a, Known(a, start + 10s));
  const KnownAnswer* known = cache.Find(a, start + 9s);
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(known->Remaining(start + 9s), 1s);
  EXPECT_EQ(cache.Find(a, start + 10s), nullptr);
  EXPECT_EQ(cache.size(), 0U);
  EXPECT_EQ(cache.bytes(), 0U);
}

}  // namespace
}  // namespace palyra::broker
