// The resolver's questions to its supervisor, and what either side does with garbage.

#include "broker/name_channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace palyra::broker {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

class NameChannelTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    resolver_ = UniqueFd(ends[0]);
    supervisor_ = UniqueFd(ends[1]);
  }

  // Answers one question meanwhile, and keeps it.
  AddressSet While(const std::function<AddressSet(NameChannel&)>& ask, const AddressSet& answer) {
    std::thread supervisor([&] {
      std::array<char, 1> byte = {};
      recv(supervisor_.get(), byte.data(), byte.size(), MSG_PEEK);
      Result<std::optional<NameQuestion>> question = ReceiveNameQuestion(supervisor_.get());
      ASSERT_TRUE(question && *question);
      question_ = **question;
      ASSERT_TRUE(AnswerNameQuestion(supervisor_.get(), answer));
    });
    NameChannel channel(resolver_.get());
    const AddressSet given = ask(channel);
    supervisor.join();
    return given;
  }

  UniqueFd resolver_;
  UniqueFd supervisor_;
  NameQuestion question_ = {};
};

const Address kV4 = Address::V4({192, 0, 2, 1});
const Address kV6 = Address::V6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});

TEST_F(NameChannelTest, AsksAboutNames) {
  EXPECT_TRUE(While([](NameChannel& c) { return AddressSet(c.MayAsk("a.test") ? 1 : 0); }, 1)[0]);
  EXPECT_EQ(question_.kind, NameQuestion::Kind::kMayAsk);
  EXPECT_EQ(question_.name, "a.test");
  EXPECT_FALSE(While([](NameChannel& c) { return AddressSet(c.MayAsk("a.test") ? 1 : 0); }, 0)[0]);
}

TEST_F(NameChannelTest, TellsWhatItGivesOut) {
  const std::vector<Address> addresses = {kV4, kV6};
  const AddressSet learned = While(
      [&](NameChannel& c) { return c.Learn("b.a.test", addresses, seconds(7)); }, AddressSet(2));
  EXPECT_EQ(learned, AddressSet(2));
  EXPECT_EQ(question_.kind, NameQuestion::Kind::kLearn);
  EXPECT_THAT(question_.addresses, ElementsAre(kV4, kV6));
  EXPECT_EQ(question_.ttl, seconds(7));
  EXPECT_TRUE(
      While([&](NameChannel& c) { return AddressSet(c.MayReveal("a.test", kV6) ? 1 : 0); }, 1)[0]);
  EXPECT_THAT(question_.addresses, ElementsAre(kV6));
}

TEST_F(NameChannelTest, SaysWhatCameOfAName) {
  While(
      [](NameChannel& c) {
        c.Settle("a.test", NameOutcome::kWithheld);
        return AddressSet();
      },
      0);
  EXPECT_EQ(question_.kind, NameQuestion::Kind::kSettle);
  EXPECT_EQ(question_.name, "a.test");
  EXPECT_EQ(question_.outcome, NameOutcome::kWithheld);
}

TEST_F(NameChannelTest, TellsNothingTwiceThatIsKnownForAsLong) {
  const std::vector<Address> addresses = {kV4};
  NameChannel channel(resolver_.get());
  const auto learn = [&](seconds ttl) { return channel.Learn("a.test", addresses, ttl).any(); };
  ASSERT_TRUE(AnswerNameQuestion(supervisor_.get(), 1));
  EXPECT_TRUE(learn(seconds(60)));
  EXPECT_TRUE(learn(seconds(30))) << "nobody answers, and nobody is asked";
  ASSERT_TRUE(*ReceiveNameQuestion(supervisor_.get()));
  EXPECT_FALSE(*ReceiveNameQuestion(supervisor_.get()));
  ASSERT_TRUE(AnswerNameQuestion(supervisor_.get(), 0));
  EXPECT_FALSE(learn(seconds(90))) << "longer than is known";
  const std::vector<Address> others = {kV4, Address::V4({192, 0, 2, 2})};
  ASSERT_TRUE(AnswerNameQuestion(supervisor_.get(), 1));
  EXPECT_EQ(channel.Learn("a.test", others, seconds(1)), AddressSet(1)) << "another address";
}

TEST_F(NameChannelTest, DeniesEverythingWhenTheSupervisorIsGone) {
  supervisor_.Reset();
  NameChannel channel(resolver_.get());
  EXPECT_FALSE(channel.MayAsk("a.test"));
  EXPECT_FALSE(channel.MayReveal("a.test", kV4));
  EXPECT_TRUE(channel.Learn("a.test", std::vector{kV4}, seconds(1)).none());
}

TEST_F(NameChannelTest, DeniesEverythingAfterAnAnswerThatIsNone) {
  ASSERT_EQ(send(supervisor_.get(), "x", 1, 0), 1);
  NameChannel channel(resolver_.get());
  EXPECT_FALSE(channel.MayAsk("a.test"));
  ASSERT_TRUE(AnswerNameQuestion(supervisor_.get(), 1));
  EXPECT_FALSE(channel.MayAsk("a.test"));
}

TEST_F(NameChannelTest, NoQuestionIsNothing) {
  const auto question = ReceiveNameQuestion(supervisor_.get());
  ASSERT_TRUE(question);
  EXPECT_FALSE(*question);
}

TEST_F(NameChannelTest, TheSupervisorTakesNothingElse) {
  // A question as the channel sends it, then one part of it changed at a time.
  std::vector<char> good(12 + 256 + 64 * 17);
  good[1] = 6;
  std::string("a.test").copy(&good[12], 6);
  const auto received = [&](const std::vector<char>& message) {
    EXPECT_EQ(send(resolver_.get(), message.data(), message.size(), 0),
              static_cast<ssize_t>(message.size()));
    return ReceiveNameQuestion(supervisor_.get());
  };
  ASSERT_TRUE(received(good));
  const struct {
    size_t offset;
    char value;
    const char* what;
  } changes[] = {{0, 4, "an unknown kind"},
                 {0, 1, "an address is missing"},
                 {1, 0, "no name"},
                 {2, 65, "too many addresses"},
                 {2, 1, "an address of no size"},
                 {8, 5, "an unknown outcome"},
                 {12, 'A', "a name that is not canonical"},
                 {13, '\0', "NUL in a name"}};
  for (const auto& change : changes) {
    std::vector<char> bad = good;
    bad[change.offset] = change.value;
    EXPECT_EQ(received(bad).error().code, ErrorCode::kInternal) << change.what;
  }
  EXPECT_FALSE(received(std::vector<char>(good.begin(), good.end() - 1)));
  std::vector<char> longer = good;
  longer.push_back(0);
  EXPECT_FALSE(received(longer));
  resolver_.Reset();
  EXPECT_EQ(ReceiveNameQuestion(supervisor_.get()).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace palyra::broker
