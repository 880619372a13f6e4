// A schema in Cedar's syntax or in JSON, whichever it is: what holds together does so in the other
// syntax, too.

#include "policy/schema/json_reader.h"
#include "policy/schema/printer.h"
#include "policy/schema/schema.h"
#include "policy/schema/text_parser.h"
#include "tests/fuzz/targets/target.h"

namespace policy = palyra::policy;
using palyra::tests::InputSource;
using palyra::tests::Require;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const policy::SourcePtr source = InputSource(data, size);
  const auto fragment = size > 0 && data[0] == '{' ? policy::ParseSchemaJson(source)
                                                   : policy::ParseSchemaText(source);
  if (!fragment) {
    Require(!policy::Render(fragment.error()).empty());
    return 0;
  }
  const std::string json = policy::ToSchemaJson(*fragment);
  const auto again =
      policy::ParseSchemaJson(std::make_shared<const policy::SourceFile>("again", json));
  Require(again && policy::ToSchemaJson(*again) == json);
  const auto schema = policy::Schema::Resolve({&*fragment, 1});
  const auto other = policy::Schema::Resolve({&*again, 1});
  Require(schema.has_value() == other.has_value());
  return 0;
}
