// Text as a part of JSON (RFC 8259).

#ifndef PALYRA_POLICY_JSON_TEXT_H_
#define PALYRA_POLICY_JSON_TEXT_H_

#include <string>
#include <string_view>

namespace palyra::policy {

// Appends `text`, which is UTF-8, as a JSON string with its quotes.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_JSON_TEXT_H_
