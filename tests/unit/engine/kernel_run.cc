#include "tests/unit/engine/kernel_run.h"

#include <arpa/inet.h>

#include <memory>

#include "policy/compile/compiler.h"
#include "policy/policy_set.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/net_caller.h"
#include "tests/unit/engine/own_kernel.h"

namespace palyra::engine {

policy::RuleSet RulesFrom(const std::string& text) {
  const auto source = std::make_shared<const policy::SourceFile>("test.cedar", text);
  const auto policies = policy::PolicySet::Parse({source});
  const policy::EntityStore entities;
  return policy::CompileRules({.principal = policy::EntityUid("Palyra::Agent", "any"),
                               .context = policy::Value::Record({}),
                               .layers = {{policy::Layer::kCaller, &policies.value(), &entities}}})
      .value()
      .rules;
}

NetAddress AddressFrom(const std::string& text) {
  NetAddress address;
  address.is_ipv6 = text.find(':') != std::string::npos;
  inet_pton(address.is_ipv6 ? AF_INET6 : AF_INET, text.c_str(), address.bytes.data());
  return address;
}

void KernelRunTest::SetUpTestSuite() {
  if (tests::JudgeHere(tests::Root()) == tests::Requirement::kMet) EnterNetworkWhereAllIsLocal();
}

void KernelRunTest::SetUp() {
  PALYRA_REQUIRE_FEATURE(tests::Root());
  before_ = OwnKernel::Get().Entries();
}

void KernelRunTest::TearDown() {
  if (IsSkipped()) return;
  EXPECT_EQ(OwnKernel::Get().Entries(), before_) << "something outlived its run";
}

const KernelObjects& KernelRunTest::Objects() { return OwnKernel::Get().objects(); }

LiveRun KernelRunTest::Start(const policy::RuleSet& rules) {
  Result<LiveRun> run = LiveRun::Create(OwnKernel::Get().host(), Objects(), rules);
  EXPECT_TRUE(run) << run.error().message;
  return *std::move(run);
}

}  // namespace palyra::engine
