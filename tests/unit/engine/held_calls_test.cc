// What a supervisor is told of calls that wait, and what its answers do.

#include "engine/held_calls.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <vector>

#include "engine/run.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/own_kernel.h"

namespace palyra::engine {
namespace {

using std::chrono::milliseconds;

policy::RuleSet AskAboutConnections() {
  return {
      .prefixes = {},
      .classes = {{.spans = {{.first = 0,
                              .last = 65535,
                              .actions = 1U << static_cast<unsigned>(policy::NetAction::kConnect),
                              .protocols = 1U << static_cast<unsigned>(policy::Protocol::kTcp),
                              .verdict = policy::Verdict::kAsk,
                              .reason = 1}}}},
      .reasons = {{.layers = {{policy::Layer::kCaller, {}}}},
                  {.layers = {{policy::Layer::kCaller, {"policy0"}}}}}};
}

class HeldCallsTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    server_.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(bind(server_.get(), name, size), 0);
    ASSERT_EQ(listen(server_.get(), 8), 0);
    ASSERT_EQ(getsockname(server_.get(), name, &size), 0);
    port_ = ntohs(address.sin_port);
  }

  // A shell that connects to the server and ends with 0 where that succeeded.
  Result<RunOutcome> Run(HeldAnswer answer, milliseconds limit,
                         std::optional<milliseconds> timeout = std::nullopt) {
    RunRequest request;
    request.argv = {"bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/" + std::to_string(port_)};
    request.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
    request.user.uid = request.user.gid = 65534;
    request.rules = AskAboutConnections();
    request.timeout = timeout;
    request.hold = {.limit = limit,
                    .on_held =
                        [this](const HeldCall& call, const policy::RuleSet* rules, size_t) {
                          held_.push_back(call);
                          rules_known_ = rules != nullptr;
                        },
                    .answer = [answer](const HeldCall&) { return answer; },
                    .on_end =
                        [this](const HeldCall& call, HeldEnd end) {
                          EXPECT_EQ(call.id, held_.back().id);
                          ends_.push_back(end);
                        }};
    OwnKernel& kernel = OwnKernel::Get();
    return RunConstrainedProcess(kernel.host(), kernel.objects(), kernel.features(), request);
  }

  UniqueFd server_;
  uint16_t port_ = 0;
  std::vector<HeldCall> held_;
  std::vector<HeldEnd> ends_;
  bool rules_known_ = false;
};

TEST_F(HeldCallsTest, AreToldWithAllThatIsKnown) {
  const Result<RunOutcome> outcome = Run(HeldAnswer::kAllow, milliseconds(600'000));
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(outcome->exit_code, 0);
  ASSERT_EQ(held_.size(), 1U);
  EXPECT_EQ(held_[0].id, 1U);
  EXPECT_EQ(held_[0].caller.comm, "bash");
  EXPECT_TRUE(held_[0].caller.executable.ends_with("bash")) << held_[0].caller.executable;
  EXPECT_EQ(held_[0].reason, 1U);
  EXPECT_TRUE(rules_known_);
  const auto& resource = std::get<policy::NetEvent>(held_[0].resource);
  EXPECT_EQ(resource.port, port_);
  EXPECT_EQ(resource.protocol, policy::Protocol::kTcp);
  EXPECT_FALSE(resource.is_ipv6);
  EXPECT_EQ(resource.address[0], 127);
  EXPECT_EQ(ends_, std::vector{HeldEnd::kGranted});
}

TEST_F(HeldCallsTest, AreDeniedWhereTheAnswerIsNo) {
  const Result<RunOutcome> outcome = Run(HeldAnswer::kDeny, milliseconds(600'000));
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_NE(outcome->exit_code, 0);
  EXPECT_GE(outcome->counters.denied, 1U);
  EXPECT_EQ(ends_, std::vector{HeldEnd::kDenied});
}

TEST_F(HeldCallsTest, AreDeniedWhereThereIsNoAnswer) {
  const Result<RunOutcome> outcome = Run(HeldAnswer::kNone, milliseconds(100));
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_NE(outcome->exit_code, 0);
  EXPECT_GE(outcome->counters.denied, 1U);
  EXPECT_EQ(ends_, std::vector{HeldEnd::kTimedOut});
}

TEST_F(HeldCallsTest, AreGoneWithTheirRun) {
  const Result<RunOutcome> outcome =
      Run(HeldAnswer::kNone, milliseconds(600'000), milliseconds(1'000));
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(outcome->end, RunEnd::kTimedOut);
  EXPECT_EQ(ends_, std::vector{HeldEnd::kGone});
}

}  // namespace
}  // namespace palyra::engine
