// Policies as JSON, both ways: the form that Cedar's own tools call EST.
// https://docs.cedarpolicy.com/policies/json-format.html

#ifndef PALYRA_POLICY_EST_H_
#define PALYRA_POLICY_EST_H_

#include <string>

#include "base/result.h"
#include "policy/ast.h"
#include "policy/policy_set.h"
#include "policy/source.h"

namespace palyra::policy {

// {"effect", "principal", "action", "resource", "conditions", "annotations"?} on one line, for a
// policy or a template. Chains of && and || are nested to the left, and `x has a.b` is written as
// `x has a && x.a has b`. (Above 64 names, and where x itself holds such a chain, the list of names
// is kept, which Cedar reads as well: written out, they would grow without bound.)
std::string ToEst(const Policy& policy);

// One expression. An ErrorNode is {"error":[]}, as in Cedar's own residuals.
std::string ToEst(const Expr& expr);

// {"templates": {…}, "staticPolicies": {…}, "templateLinks": [{"templateId", "newId", "values"}]}.
std::string ToEst(const PolicySet& policies);

// The policy or template of a JSON text. Messages begin with the source's name and say where:
// `p.json: conditions[0].body.==.left: …`. Trees have empty spans. Refused: what Cedar refuses;
// constants that call an extension function that does not exist, which could only ever error; lists
// in the place of the objects that are expressions or scopes; and numbers that are no 64-bit
// integers even in members that Cedar ignores.
Result<Policy> PolicyFromEst(const SourceFile& source);

// A whole policy set. Ids are the keys of the JSON objects.
Result<PolicySet> PolicySetFromEst(const SourcePtr& source);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_EST_H_
