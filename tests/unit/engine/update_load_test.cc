// Four writers exchange two policies a thousand times under a run whose clients never pause. Every
// answer is one of the two policies', and no answer is made of both.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/live_run.h"
#include "engine/rule_update.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/net_caller.h"
#include "tests/unit/engine/own_kernel.h"
#include "tests/unit/engine/peer.h"

namespace palyra::engine {
namespace {

using policy::RuleSet;
using policy::Verdict;
using std::chrono::milliseconds;

constexpr int kWriters = 4;
constexpr int kSwapsOfEach = 250;
constexpr int kClients = 3;
constexpr uint16_t kPort = 5009;

Place At(uint8_t host) {
  return {.is_ipv6 = false, .address = "127.0.1." + std::to_string(host), .port = kPort};
}

// Hosts of both policies.
constexpr uint8_t kAlways = 1;
constexpr uint8_t kNever = 2;
constexpr uint8_t kOnlyFirst = 3;
constexpr uint8_t kOnlySecond = 4;

// So many spans that a decision looks into three tables.
policy::AddressClass LongClass(Verdict verdict, uint32_t reason) {
  policy::AddressClass address_class;
  for (uint16_t i = 0; i < 40; ++i) {
    address_class.spans.push_back({.first = static_cast<uint16_t>(i * 1000),
                                   .last = static_cast<uint16_t>(i * 1000 + 900),
                                   .actions = 0b11111,
                                   .protocols = 0b11111,
                                   .verdict = verdict,
                                   .reason = reason});
  }
  return address_class;
}

// Even classes allow in one policy and deny in the other. So an address that was looked up in one,
// with a class that was looked up in the other, gives an answer of neither: kAlways is denied, or
// kNever allowed, or the reason is the other policy's.
RuleSet PolicyOf(bool first) {
  const uint32_t reason = first ? 1 : 2;
  const Verdict odd = first ? Verdict::kAllow : Verdict::kDeny;
  const Verdict even = first ? Verdict::kDeny : Verdict::kAllow;
  RuleSet rules = {.prefixes = {},
                   .classes = {{}, LongClass(odd, reason), LongClass(even, reason)},
                   .reasons = {{.layers = {{policy::Layer::kCaller, {}}}},
                               {.layers = {{policy::Layer::kCaller, {"first"}}}},
                               {.layers = {{policy::Layer::kCaller, {"second"}}}}}};
  const auto add = [&rules](uint8_t host, uint32_t address_class) {
    rules.prefixes.push_back({.is_ipv6 = false,
                              .length = 32,
                              .bytes = {127, 0, 1, host},
                              .address_class = address_class});
  };
  const uint32_t allows = first ? 1 : 2;
  const uint32_t denies = first ? 2 : 1;
  add(kAlways, allows);
  add(kNever, denies);
  add(kOnlyFirst, first ? allows : denies);
  add(kOnlySecond, first ? denies : allows);
  return rules;
}

// In memory that all processes of the test share.
struct Shared {
  std::atomic<uint64_t> begun;
  std::atomic<uint64_t> done;
  std::atomic<bool> stop;
  std::atomic<uint64_t> calls;
  std::atomic<uint64_t> snapshots;
};

bool IsAllowed(int type, uint8_t host) {
  return ConnectTo(type, At(host)).valid() || errno != EPERM;
}

// What a client sees must agree with one policy: 0, or the number of the claim that failed.
int Client(Shared& shared) {
  while (!shared.stop.load()) {
    const uint64_t done = shared.done.load();
    const bool is_quiet = shared.begun.load() == done;
    const bool first = IsAllowed(SOCK_DGRAM, kOnlyFirst);
    const bool second = IsAllowed(SOCK_DGRAM, kOnlySecond);
    const bool again = IsAllowed(SOCK_STREAM, kOnlyFirst);
    if (is_quiet && shared.begun.load() == done) {
      ++shared.snapshots;
      if (first == second) return 1;
      if (first != again) return 2;
    }
    if (!IsAllowed(SOCK_DGRAM, kAlways) || !IsAllowed(SOCK_STREAM, kAlways)) return 3;
    if (IsAllowed(SOCK_DGRAM, kNever) || IsAllowed(SOCK_STREAM, kNever)) return 4;
    ++shared.calls;
  }
  return 0;
}

int Writer(const KernelObjects& objects, const std::string& run, Shared& shared, int number) {
  for (int i = 0; i < kSwapsOfEach; ++i) {
    ++shared.begun;
    const bool replaced =
        ReplaceRulesOfRun(objects, run, PolicyOf((i + number) % 2 == 0)).has_value();
    ++shared.done;
    if (!replaced) return 1;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return 0;
}

class UpdateLoadTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (tests::JudgeHere(tests::Root()) == tests::Requirement::kMet) EnterNetworkWhereAllIsLocal();
  }

  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    void* memory =
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    shared_ = new (memory) Shared();
  }

  void TearDown() override {
    if (shared_ != nullptr) munmap(shared_, sizeof(Shared));
  }

  Shared* shared_ = nullptr;
};

TEST_F(UpdateLoadTest, NoAnswerIsAMixtureOfTwoPolicies) {
  const KernelObjects& objects = OwnKernel::Get().objects();
  Result<LiveRun> run = LiveRun::Create(OwnKernel::Get().host(), objects, PolicyOf(true));
  ASSERT_TRUE(run) << run.error().message;
  const uint32_t first = run->first_profile();
  const Result<Replacement> to_second = run->Replace(PolicyOf(false));
  ASSERT_TRUE(to_second);
  const uint32_t second = to_second->profile;

  std::vector<std::unique_ptr<Inside>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(
        std::make_unique<Inside>(run->cgroup().path(), [this] { return Client(*shared_); }));
  }
  std::vector<pid_t> writers;
  for (int number = 0; number < kWriters; ++number) {
    const pid_t writer = fork();
    if (writer == 0) _exit(Writer(objects, run->id(), *shared_, number));
    writers.push_back(writer);
  }

  uint64_t told = 0;
  const EventRing::Handler judge = [&](const palyra_event& event) {
    ++told;
    const bool is_first = event.profile == first;
    EXPECT_TRUE(is_first || event.profile == second) << event.profile;
    EXPECT_EQ(event.reason, is_first ? 1U : 2U) << "a reason of the other policy";
    const uint8_t host = event.address[3];
    EXPECT_TRUE(host == kNever || host == (is_first ? kOnlySecond : kOnlyFirst)) << int{host};
  };
  for (const pid_t writer : writers) {
    int status = -1;
    while (waitpid(writer, &status, WNOHANG) == 0) {
      run->events().Drain(judge, 1 << 16);
      std::this_thread::sleep_for(milliseconds(1));
    }
    EXPECT_EQ(status, 0) << "a writer failed";
  }
  shared_->stop = true;
  for (const auto& client : clients) EXPECT_EQ(client->Answer(), 0) << "claim of Client()";
  run->events().Drain(judge, 1 << 16);
  EXPECT_EQ(shared_->done.load(), uint64_t{kWriters} * kSwapsOfEach);
  EXPECT_GT(shared_->calls.load(), 100U);
  EXPECT_GT(shared_->snapshots.load(), 10U);
  EXPECT_GT(told, 100U);
  RecordProperty("calls", std::to_string(shared_->calls.load()));
  RecordProperty("snapshots", std::to_string(shared_->snapshots.load()));
}

}  // namespace
}  // namespace palyra::engine
