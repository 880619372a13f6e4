// A policy or a policy set in JSON: what is read is written as something that reads the same.

#include "policy/est.h"
#include "policy/policy_set.h"
#include "tests/fuzz/targets/target.h"

namespace policy = palyra::policy;
using palyra::tests::InputSource;
using palyra::tests::Require;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const policy::SourcePtr source = InputSource(data, size);
  if (const auto one = policy::PolicyFromEst(*source)) {
    const std::string written = policy::ToEst(*one);
    const auto again = policy::PolicyFromEst(policy::SourceFile("again", written));
    Require(again && policy::ToEst(*again) == written);
  }
  if (const auto set = policy::PolicySetFromEst(source)) {
    const std::string written = policy::ToEst(*set);
    const auto again =
        policy::PolicySetFromEst(std::make_shared<const policy::SourceFile>("again", written));
    Require(again && policy::ToEst(*again) == written);
  }
  return 0;
}
