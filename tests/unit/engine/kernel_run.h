// What tests of runs in the kernel have in common: a network in which all is local, runs, and rules
// from policy text.

#ifndef PALYRA_TESTS_UNIT_ENGINE_KERNEL_RUN_H_
#define PALYRA_TESTS_UNIT_ENGINE_KERNEL_RUN_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <string>

#include "engine/live_run.h"
#include "engine/run_names.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// What the policies of `text` say of the network to any agent. Throws where they say nothing.
policy::RuleSet RulesFrom(const std::string& text);

// An address as inet_pton(3) takes it.
NetAddress AddressFrom(const std::string& text);

// At its end nothing may be left in the tables that was not there at its begin.
class KernelRunTest : public testing::Test {
 protected:
  static void SetUpTestSuite();
  void SetUp() override;
  void TearDown() override;

  static const KernelObjects& Objects();
  static LiveRun Start(const policy::RuleSet& rules);

 private:
  std::map<std::string, size_t> before_;
};

}  // namespace palyra::engine

#endif  // PALYRA_TESTS_UNIT_ENGINE_KERNEL_RUN_H_
