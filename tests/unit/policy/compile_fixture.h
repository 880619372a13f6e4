// Policy text to rule sets, for tests.

#ifndef PALYRA_TESTS_UNIT_POLICY_COMPILE_FIXTURE_H_
#define PALYRA_TESTS_UNIT_POLICY_COMPILE_FIXTURE_H_

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/compile/compiler.h"

namespace palyra::policy {

// Layers of policy text with one entity store, and the principal Palyra::Agent::"bot", which is in
// Palyra::AgentGroup::"ci". The entities have the actions of the Palyra schema with them.
class CompileFixture {
 public:
  // Throws std::runtime_error where the text or the JSON does not parse.
  CompileFixture(const std::vector<std::pair<Layer, std::string>>& layers,
                 std::string_view entities_json = kEntities, std::string_view context_json = "{}");
  // The caller's layer alone.
  explicit CompileFixture(const std::string& policies, Coverage coverage = Coverage::kNetwork)
      : CompileFixture({{Layer::kCaller, policies}}) {
    input_.coverage = coverage;
  }

  CompileFixture(const CompileFixture&) = delete;
  CompileFixture& operator=(const CompileFixture&) = delete;

  [[nodiscard]] const CompileInput& input() const { return input_; }
  void set_coverage(Coverage coverage) { input_.coverage = coverage; }
  void set_offline() { input_.is_offline = true; }
  [[nodiscard]] std::expected<CompileOutput, std::vector<Diagnostic>> Compile() const {
    return CompileRules(input_);
  }

  static constexpr std::string_view kEntities = R"([
    {"uid": {"type": "Palyra::Agent", "id": "bot"},
     "attrs": {"port": 8443, "limit": 1024, "name": "tcp",
               "net": {"__extn": {"fn": "ip", "arg": "10.20.0.0/16"}},
               "hosts": [{"__extn": {"fn": "ip", "arg": "192.0.2.7"}},
                         {"__extn": {"fn": "ip", "arg": "2001:db8::7"}}],
               "peer": {"__entity": {"type": "Palyra::Endpoint", "id": "tcp 192.0.2.1:80"}},
               "places": [{"__entity": {"type": "Palyra::Directory", "id": "/srv"}},
                          {"__entity": {"type": "Palyra::Directory", "id": "/data"}}]},
     "parents": [{"type": "Palyra::AgentGroup", "id": "ci"}],
     "tags": {"home": {"__extn": {"fn": "ip", "arg": "198.51.100.9"}}}},
    {"uid": {"type": "Palyra::Agent", "id": "other"}, "attrs": {"port": 22}, "parents": []},
    {"uid": {"type": "Palyra::Endpoint", "id": "tcp 192.0.2.1:80"}, "attrs": {"port": 1},
     "parents": []},
    {"uid": {"type": "Palyra::Domain", "id": "b.a.test"}, "attrs": {},
     "parents": [{"type": "Palyra::Domain", "id": "partners"}]},
    {"uid": {"type": "Palyra::Directory", "id": "/opt/share"}, "attrs": {},
     "parents": [{"type": "Palyra::Directory", "id": "shared"}]},
    {"uid": {"type": "Palyra::Path", "id": "/usr/one.txt"}, "attrs": {},
     "parents": [{"type": "Palyra::Directory", "id": "shared"}]}
  ])";

 private:
  std::vector<PolicySet> policies_;
  EntityStore entities_;
  CompileInput input_;
};

// An address without a prefix, IPv4 or IPv6.
NetEvent Event(std::string_view address, uint16_t port, Protocol protocol = Protocol::kTcp,
               NetAction action = NetAction::kConnect);

// The verdict and reason of a rule set, with the reason resolved.
Outcome OutcomeOf(const RuleSet& rules, const NetEvent& event);
Outcome OutcomeOf(const RuleSet& rules, const NameEvent& event);

}  // namespace palyra::policy

#endif  // PALYRA_TESTS_UNIT_POLICY_COMPILE_FIXTURE_H_
