// What parses prints, formats and goes through JSON as what it is.

#include <algorithm>

#include "policy/est.h"
#include "policy/formatter.h"
#include "policy/parser.h"
#include "policy/policy_set.h"
#include "policy/printer.h"
#include "tests/fuzz/targets/target.h"

using palyra::policy::SourceFile;
using palyra::tests::InputSource;
using palyra::tests::Require;
namespace policy = palyra::policy;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const policy::SourcePtr source = InputSource(data, size);
  const auto parsed = policy::ParsePolicies(source);
  const auto formatted = policy::FormatPolicies(source);
  Require(parsed.has_value() == formatted.has_value());
  if (!parsed) {
    Require(!parsed.error().empty() && !policy::Render(parsed.error()).empty());
    return 0;
  }
  const auto again = policy::ParsePolicies(std::make_shared<const SourceFile>("again", *formatted));
  Require(again && std::ranges::equal(*parsed, *again, policy::SamePolicy));
  for (const policy::Policy& one : *parsed) {
    const auto printed =
        policy::ParsePolicies(std::make_shared<const SourceFile>("printed", policy::ToCedar(one)));
    Require(printed && printed->size() == 1 && policy::SamePolicy(printed->front(), one));
    const auto through = policy::PolicyFromEst(SourceFile("json", policy::ToEst(one)));
    Require(through && policy::ToEst(*through) == policy::ToEst(one));
  }
  return 0;
}
