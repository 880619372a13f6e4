// Places that a policy names without knowing them: ${workspace}, ${home} and ${tmp} at the
// beginning of the ids of directories, paths and programs.

#ifndef PALYRA_POLICY_COMPILE_PLACES_H_
#define PALYRA_POLICY_COMPILE_PLACES_H_

#include <expected>
#include <string>
#include <vector>

#include "policy/policy_set.h"
#include "policy/source.h"

namespace palyra::policy {

// Absolute paths; empty where there is none.
struct Places {
  std::string workspace;
  std::string home;
  std::string tmp;
};

// The policies with every place in its stead; ids stay. Refused with LOW-PLACE: an id that begins
// with ${ and is none of these, or one that there is none of.
std::expected<PolicySet, std::vector<Diagnostic>> ExpandPlaces(const PolicySet& policies,
                                                               const Places& places);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_PLACES_H_
