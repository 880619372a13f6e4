#include "cli/cedar/uid.h"

#include <fmt/format.h>

#include <memory>
#include <string>

#include "policy/ast.h"
#include "policy/parser.h"

namespace palyra::cli {

Result<policy::EntityUid> ParseUid(std::string_view name, std::string_view text) {
  const auto source =
      std::make_shared<const policy::SourceFile>(std::string(name), std::string(text));
  const auto parsed = policy::ParseExpression(source);
  // A parenthesis before the id is one around the entity.
  const bool bare = !text.substr(0, text.find('"')).contains('(');
  if (parsed && bare) {
    const policy::Value* value = policy::ConstantOf(**parsed);
    if (value != nullptr && value->AsEntity() != nullptr) return *value->AsEntity();
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format(R"({}: "{}" is no entity; write TYPE::"ID")", name, text));
}

}  // namespace palyra::cli
