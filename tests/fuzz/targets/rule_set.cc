// Rule sets as they are kept (policy/rule_set_binary.h): read, or refused. What was read is in
// form, and decides about whatever is asked. The seeds are written by policies.

#include "policy/rule_set.h"

#include <array>
#include <cstdint>
#include <string_view>

#include "policy/rule_set_binary.h"
#include "tests/fuzz/targets/target.h"

namespace policy = palyra::policy;
using palyra::tests::Require;

namespace {

void Ask(const policy::RuleSet& rules) {
  for (int i = 0; i < policy::kNameActionCount; ++i) {
    for (const char* name : {"", "/", "/usr/bin/env", "/home/a/.ssh/id", "\xFF/"}) {
      for (const bool flag : {false, true}) {
        const auto action = static_cast<policy::NameAction>(i);
        const bool is_file = i <= static_cast<int>(policy::NameAction::kFileAttributes);
        if (is_file && flag) continue;
        const policy::Ruling ruling =
            Decide(rules, policy::NameEvent{.action = action, .name = name, .flag = flag});
        Require(ruling.reason < rules.reasons.size());
      }
    }
  }
  for (const uint8_t byte : {0, 10, 127, 255}) {
    for (int i = 0; i < policy::kNetActionCount; ++i) {
      policy::NetEvent event{.action = static_cast<policy::NetAction>(i),
                             .protocol = policy::Protocol::kTcp,
                             .is_ipv6 = byte == 127,
                             .address = {byte, 1, 2, 3},
                             .port = static_cast<uint16_t>(byte * 257)};
      Require(Decide(rules, event).reason < rules.reasons.size());
      event.domain = "a.example";
      Require(Decide(rules, event).reason < rules.reasons.size());
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto rules = policy::ReadRules(bytes);
  if (!rules) return 0;
  Require(policy::WriteRules(*rules) == bytes);
  Ask(*rules);
  return 0;
}
