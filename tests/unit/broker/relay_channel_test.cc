// The relay's questions to its supervisor, and what either side does with garbage and with silence.

#include "broker/relay_channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/unit/broker/relay_rig.h"

namespace palyra::tests {
namespace {

using broker::Address;
using broker::AnswerRelayQuestion;
using broker::Endpoint;
using broker::RelayChannel;
using broker::RelayEvent;
using broker::RelayReason;
using testing::ElementsAre;
using testing::Optional;

const Endpoint kV4{Address::V4({192, 0, 2, 1}), 443};
const Endpoint kV6{Address::V6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), 65535};

class RelayChannelTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    relay_ = UniqueFd(ends[0]);
    supervisor_ = UniqueFd(ends[1]);
    authority_.destination = kV6;
    authority_.addresses["a.test"] = {kV4, kV6};
    authority_.addresses["none.test"] = {};
  }

  RelayChannel Channel(std::chrono::milliseconds patience = RelayChannel::kPatience) const {
    return *RelayChannel::Create(relay_.get(), patience);
  }

  // Answers one question meanwhile.
  template <typename Ask>
  auto While(const Ask& ask) {
    std::thread supervisor([&] {
      pollfd ready = {.fd = supervisor_.get(), .events = POLLIN, .revents = 0};
      poll(&ready, 1, 10'000);
      EXPECT_THAT(AnswerRelayQuestion(supervisor_.get(), authority_), Optional(true));
    });
    RelayChannel channel = Channel();
    auto answer = ask(channel);
    supervisor.join();
    return answer;
  }

  bool RelayIsToldToEnd() const {
    pollfd ended = {.fd = relay_.get(), .events = POLLRDHUP, .revents = 0};
    return poll(&ended, 1, 0) == 1;
  }

  UniqueFd relay_;
  UniqueFd supervisor_;
  FakeAuthority authority_;
};

TEST_F(RelayChannelTest, AsksWhereAClientWantedToGo) {
  const auto ask = [](RelayChannel& c) { return c.OriginalDestination(kV4, kV6); };
  EXPECT_EQ(While(ask), kV6);
  authority_.destination.reset();
  EXPECT_EQ(While(ask), std::nullopt);
  EXPECT_FALSE(RelayIsToldToEnd());
}

TEST_F(RelayChannelTest, AsksWhereANameIs) {
  const auto ask = [](const char* name, const Endpoint& destination) {
    return [=](RelayChannel& c) { return c.Reach(name, destination); };
  };
  EXPECT_THAT(While(ask("a.test", kV6)), Optional(ElementsAre(kV4, kV6)));
  EXPECT_EQ(While(ask("a.test", {.address = kV4.address, .port = 1})), std::nullopt);
  EXPECT_EQ(While(ask("b.test", kV6)), std::nullopt);
  EXPECT_THAT(While(ask("none.test", kV6)), Optional(ElementsAre()));
  authority_.addresses["a.test"] = std::vector(broker::kMostAddresses + 1, kV4);
  EXPECT_EQ(While(ask("a.test", kV6))->size(), broker::kMostAddresses);
}

TEST_F(RelayChannelTest, TellsEventsWithoutWaiting) {
  RelayChannel channel = Channel();
  channel.Record({.outcome = RelayEvent::Outcome::kFailed,
                  .reason = RelayReason::kUnreachable,
                  .detail = "",
                  .name = "a.test",
                  .client = kV4,
                  .destination = kV6});
  channel.Record({.outcome = RelayEvent::Outcome::kDenied,
                  .reason = RelayReason::kTooMany,
                  .detail = "because",
                  .name = "",
                  .client = kV6,
                  .destination = std::nullopt});
  EXPECT_THAT(AnswerRelayQuestion(supervisor_.get(), authority_), Optional(true));
  EXPECT_THAT(AnswerRelayQuestion(supervisor_.get(), authority_), Optional(true));
  EXPECT_THAT(AnswerRelayQuestion(supervisor_.get(), authority_), Optional(false));
  const auto events = authority_.Events(2);
  EXPECT_EQ(events[0].outcome, RelayEvent::Outcome::kFailed);
  EXPECT_EQ(events[0].reason, RelayReason::kUnreachable);
  EXPECT_EQ(events[0].name, "a.test");
  EXPECT_EQ(events[0].client, kV4);
  EXPECT_EQ(events[0].destination, kV6);
  EXPECT_EQ(events[1].reason, RelayReason::kTooMany);
  EXPECT_EQ(events[1].name, "");
  EXPECT_EQ(events[1].client, kV6);
  EXPECT_EQ(events[1].destination, std::nullopt);
}

TEST_F(RelayChannelTest, DeniesEverythingAndEndsWhenTheSupervisorIsGone) {
  supervisor_.Reset();
  RelayChannel channel = Channel();
  EXPECT_EQ(channel.OriginalDestination(kV4, kV6), std::nullopt);
  EXPECT_EQ(channel.Reach("a.test", kV6), std::nullopt);
  EXPECT_TRUE(RelayIsToldToEnd());
}

TEST_F(RelayChannelTest, DeniesEverythingAndEndsWhenNobodyAnswers) {
  RelayChannel channel = Channel(std::chrono::milliseconds(50));
  EXPECT_EQ(channel.Reach("a.test", kV6), std::nullopt);
  EXPECT_TRUE(RelayIsToldToEnd());
  EXPECT_EQ(channel.OriginalDestination(kV4, kV6), std::nullopt);
  // The one question that was sent, then the end.
  EXPECT_FALSE(AnswerRelayQuestion(supervisor_.get(), authority_));
}

TEST_F(RelayChannelTest, EndsWhenNobodyReads) {
  RelayChannel channel = Channel(std::chrono::milliseconds(50));
  const RelayEvent event = {.outcome = RelayEvent::Outcome::kDenied,
                            .reason = RelayReason::kNameNotAllowed,
                            .detail = "",
                            .name = "a.test",
                            .client = kV4,
                            .destination = kV6};
  for (int i = 0; i < 100'000 && !RelayIsToldToEnd(); ++i) channel.Record(event);
  EXPECT_TRUE(RelayIsToldToEnd());
}

TEST_F(RelayChannelTest, DeniesEverythingAndEndsAfterAnAnswerThatIsNone) {
  for (const size_t size : {size_t{1}, size_t{500}}) {
    SetUp();
    const std::string answer(size, '\1');
    ASSERT_EQ(send(supervisor_.get(), answer.data(), size, 0), static_cast<ssize_t>(size));
    RelayChannel channel = Channel();
    EXPECT_EQ(channel.Reach("a.test", kV6), std::nullopt);
    EXPECT_TRUE(RelayIsToldToEnd());
  }
}

// A question as the channel sends it.
std::vector<char> Sent(int supervisor) {
  std::vector<char> message(1024);
  const ssize_t size = recv(supervisor, message.data(), message.size(), MSG_DONTWAIT);
  message.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return message;
}

struct Change {
  size_t offset;
  char value;
  const char* what;
};

constexpr size_t kClient = 8;
constexpr size_t kDestination = 28;
constexpr size_t kName = 48;
constexpr size_t kDetail = 304;

class RelayQuestions : public RelayChannelTest {
 protected:
  Result<bool> Answer(const std::vector<char>& message) {
    EXPECT_EQ(send(relay_.get(), message.data(), message.size(), 0),
              static_cast<ssize_t>(message.size()));
    const Result<bool> answered = AnswerRelayQuestion(supervisor_.get(), authority_);
    std::array<char, 256> answer = {};
    const ssize_t size = recv(relay_.get(), answer.data(), answer.size(), MSG_DONTWAIT);
    EXPECT_TRUE(answered || size < 0) << "an answer to what is no question";
    return answered;
  }

  void ExpectRefused(const std::vector<char>& good, std::initializer_list<Change> changes) {
    EXPECT_TRUE(Answer(good));
    for (const Change& change : changes) {
      std::vector<char> bad = good;
      ASSERT_NE(bad.at(change.offset), change.value) << change.what;
      bad.at(change.offset) = change.value;
      const Result<bool> answered = Answer(bad);
      ASSERT_FALSE(answered) << change.what;
      EXPECT_EQ(answered.error().code, ErrorCode::kInternal) << change.what;
    }
  }
};

TEST_F(RelayQuestions, AboutNamesAreTakenAsTheChannelSendsThemAlone) {
  RelayChannel channel = Channel(std::chrono::milliseconds(1));
  (void)channel.Reach("a.test", kV6);
  const std::vector<char> good = Sent(supervisor_.get());
  ASSERT_EQ(good.size(), kDetail + 128);
  SetUp();
  ExpectRefused(good, {{0, 3, "an unknown kind"},
                       {4, 0, "no name"},
                       {4, 7, "a name with NUL at its end"},
                       {kName, 'A', "a name that is not canonical"},
                       {kName + 1, '\0', "NUL in a name"},
                       {kDestination, 0, "no destination"},
                       {kDestination, 5, "an address of no size"},
                       {kDestination, 17, "an address that is too long"}});
}

TEST_F(RelayQuestions, AboutDestinationsAreTakenAsTheChannelSendsThemAlone) {
  RelayChannel channel = Channel(std::chrono::milliseconds(1));
  (void)channel.OriginalDestination(kV4, kV6);
  const std::vector<char> good = Sent(supervisor_.get());
  SetUp();
  ExpectRefused(good, {{0, '\xff', "an unknown kind"},
                       {4, 1, "a name"},
                       {kClient, 0, "no client"},
                       {kClient, 3, "an address of no size"},
                       {kDestination, 0, "no local address"}});
}

TEST_F(RelayQuestions, EventsAreTakenAsTheChannelSendsThemAlone) {
  RelayChannel channel = Channel();
  channel.Record({.outcome = RelayEvent::Outcome::kDenied,
                  .reason = RelayReason::kBadHello,
                  .detail = "unknown version",
                  .name = "a.test",
                  .client = kV4,
                  .destination = kV6});
  const std::vector<char> good = Sent(supervisor_.get());
  ExpectRefused(good, {{1, 3, "an unknown outcome"},
                       {2, 15, "an unknown reason"},
                       {3, 16, "a detail with NUL at its end"},
                       {3, '\x81', "a detail that is too long"},
                       {kDetail, '\x1b', "a detail that drives a terminal"},
                       {kDetail + 2, '\x80', "a detail that is no ASCII"},
                       {kName, '\n', "a name that is none"},
                       {kClient, 0, "no client"},
                       {kDestination, 1, "an address of no size"}});
  // The good one alone.
  EXPECT_EQ(authority_.Events(1)[0].name, "a.test");
}

TEST_F(RelayQuestions, OfAnotherSizeAreNone) {
  RelayChannel channel = Channel(std::chrono::milliseconds(1));
  (void)channel.Reach("a.test", kV6);
  std::vector<char> message = Sent(supervisor_.get());
  SetUp();
  message.pop_back();
  EXPECT_FALSE(Answer(message));
  message.resize(message.size() + 2);
  EXPECT_FALSE(Answer(message));
  relay_.Reset();
  EXPECT_EQ(AnswerRelayQuestion(supervisor_.get(), authority_).error().code,
            ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace palyra::tests
