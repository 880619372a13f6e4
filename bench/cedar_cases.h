// Inputs of the Cedar benchmarks: the three applications of the OOPSLA'24 paper on Cedar
// (https://doi.org/10.1145/3649835, section 6), and large policy sets that differ in scope.
//
// As in the paper, an application of size n has n entities of each type, and each possible edge of
// its hierarchy is there with probability 0.05. Everything is the same in every run.

#ifndef PALYRA_BENCH_CEDAR_CASES_H_
#define PALYRA_BENCH_CEDAR_CASES_H_

#include <string>
#include <vector>

#include "policy/value.h"

namespace palyra::bench {

struct CedarRequest {
  policy::EntityUid principal;
  policy::EntityUid action;
  policy::EntityUid resource;
};

struct CedarCase {
  std::string name;      // "github/20"
  std::string policies;  // Cedar text.
  std::string entities;  // JSON.
  std::vector<CedarRequest> requests;
};

// gdrive, github and tinytodo at 5, 10, 20 and 50 entities of each type; then 10,000 policies that
// differ in their principal, in their resource, and in both.
std::vector<CedarCase> CedarCases();

// An array of {"name", "policies", "entities", "requests"}, as other engines take it.
std::string ToJson(const std::vector<CedarCase>& cases);

}  // namespace palyra::bench

#endif  // PALYRA_BENCH_CEDAR_CASES_H_
