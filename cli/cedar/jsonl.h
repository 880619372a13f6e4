// `palyra cedar eval --jsonl`: one question a line in, one answer a line out.

#ifndef PALYRA_CLI_CEDAR_JSONL_H_
#define PALYRA_CLI_CEDAR_JSONL_H_

#include <optional>
#include <string>
#include <string_view>

#include "cli/cedar/setting.h"

namespace palyra::cli {

class JsonlEvaluator {
 public:
  // Takes {"policies": text or JSON, "schema"?: text or JSON, "entities"?: […], "principal",
  // "action", "resource": "T::\"id\"", "context"?: {…}, "validate"?: bool}; no other keys.
  // Gives {"decision": "allow" or "deny", "reasons": [ids], "errors": [ids], "validation"?:
  // {"valid", "errors", "warnings"}}, or {"error": why, "stage": "policies", "schema", "entities"
  // or "request"}. Neither ends with a newline. Whatever the line, there is an answer.
  //
  // Policies, schema and entities that are, as text, those of the line before are not read again.
  std::string Answer(std::string_view line);

 private:
  struct Remembered {
    std::string key;
    Setting setting;
  };
  std::expected<const Setting*, Refusal> Load(std::string_view policies, std::string_view schema,
                                              std::string_view entities);
  std::expected<std::string, Refusal> TryAnswer(std::string_view line);

  std::optional<Remembered> last_;
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_CEDAR_JSONL_H_
