// Cedar policy text to trees: the whole policy grammar of Cedar 4.5.
// https://docs.cedarpolicy.com/policies/syntax-grammar.html
//
// What Cedar accepts is accepted and what it refuses is refused, but for policies nested deeper
// than kMaxNesting, which are refused.

#ifndef PALYRA_POLICY_PARSER_H_
#define PALYRA_POLICY_PARSER_H_

#include <expected>
#include <optional>
#include <vector>

#include "policy/ast.h"
#include "policy/source.h"

namespace palyra::policy {

// All policies and templates of a file, in order; or every error found, at least one. After an
// error the parser goes on behind the next `;` outside strings and comments, and gives up after 20
// errors.
std::expected<std::vector<Policy>, std::vector<Diagnostic>> ParsePolicies(const SourcePtr& source);

// One expression and nothing behind it.
std::expected<ExprPtr, std::vector<Diagnostic>> ParseExpression(const SourcePtr& source);

// What is wrong with a text before it has tokens: it is no UTF-8, or too large.
std::optional<Diagnostic> CheckText(const SourcePtr& source);

// Whether `name` is an entity type as Cedar writes it in data: identifiers joined by "::" without
// spaces, none of them reserved.
bool IsTypeName(std::string_view name);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_PARSER_H_
