// RuleSet: what policies decide about a run's events, as plain tables without any kernel in them.
//
// A RuleSet answers, for one (principal, context), two kinds of questions exactly as Cedar's
// authorizer would for the Palyra schema.
//
// Of the network: (action, address, name?, protocol, port) -> (verdict, reason).
//   1. Where the endpoint goes by a name and there are `domains`, the automaton there gives the
//      tables that count, in place of the RuleSet's own `prefixes` and `classes`.
//   2. The longest matching prefix of the address in `prefixes` gives an address class; an address
//      that no prefix matches has class 0, which is the first entry of `classes` and may hold
//      spans.
//   3. The one span of that class that holds the port, the action and the protocol gives verdict
//      and reason; where no span matches, the verdict is deny with `kReasonDefaultDeny`.
// Addresses are in canonical form: IPv4-mapped IPv6 has become IPv4 before the question is asked;
// names are domains in lower case, without a trailing dot. An address that is known by several
// names is judged under each (NamedClass).
//
// Of names (files, programs, processes, unix sockets): (action, name, flag) -> (verdict, reason).
//   1. The action's automaton gives the class of the name.
//   2. The leaf of class and flag gives verdict and reason.
// An action that has no rules is denied. Names are valid UTF-8 without NUL; paths are as the kernel
// resolved them: absolute, without "." and "..", without doubled or trailing slashes.

#ifndef PALYRA_POLICY_RULE_SET_H_
#define PALYRA_POLICY_RULE_SET_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "policy/automaton.h"

namespace palyra::policy {

// Ordered by strictness: the verdict of several layers is the smallest. kVerify: allowed if what
// the client says by itself, once connected, names a host that is allowed too; where nothing looks
// at that, it is a deny.
enum class Verdict : uint8_t { kDeny = 0, kAsk = 1, kVerify = 2, kAllow = 3 };

// Ordered from the outermost. Each layer is decided apart, with its own policies and entities.
enum class Layer : uint8_t { kMandatory = 0, kOperator = 1, kCaller = 2 };

// Bits of PortSpan::actions.
enum class NetAction : uint8_t { kConnect = 0, kSend = 1, kAccept = 2, kBind = 3, kListen = 4 };
inline constexpr int kNetActionCount = 5;

// Bits of PortSpan::protocols, in the order of the names tcp, udp, udplite, icmp, icmpv6.
// MPTCP counts as tcp. ICMP has port 0.
enum class Protocol : uint8_t { kTcp = 0, kUdp = 1, kUdplite = 2, kIcmp = 3, kIcmpv6 = 4 };
inline constexpr int kProtocolCount = 5;

// Which policies decided, as Cedar's response would name them.
//   allow: for each layer, the satisfied permits.
//   ask:   for each layer whose verdict is ask, the satisfied permits (all carry @ask).
//   verify: for each layer whose verdict is verify, the satisfied permits (all carry @verify or
//          @ask).
//   deny:  for each layer with a satisfied forbid, those forbids; where no forbid is satisfied, one
//          entry without policy ids: the outermost layer in which no permit is satisfied.
struct Reason {
  struct LayerPolicies {
    Layer layer;
    std::vector<std::string> policy_ids;  // In policy order.
    bool operator==(const LayerPolicies&) const = default;
  };
  std::vector<LayerPolicies> layers;  // Outermost first.
  bool operator==(const Reason&) const = default;
};

// reasons[0] is always {{kCaller, {}}}: no policy of the caller's layer permits it.
inline constexpr uint32_t kReasonDefaultDeny = 0;

struct PortSpan {
  uint16_t first;     // Inclusive.
  uint16_t last;      // Inclusive.
  uint8_t actions;    // Bit set over NetAction.
  uint8_t protocols;  // Bit set over Protocol.
  Verdict verdict;
  uint32_t reason;  // Index into RuleSet::reasons.
  bool operator==(const PortSpan&) const = default;
};

// The spans of one class are disjoint over (port, action, protocol) and sorted by `first`, then
// `actions`, then `protocols`. Spans that would say deny with kReasonDefaultDeny are left out.
struct AddressClass {
  std::vector<PortSpan> spans;
  bool operator==(const AddressClass&) const = default;
};

struct AddressPrefix {
  bool is_ipv6;
  uint8_t length;                 // In bits: 0..32 or 0..128.
  std::array<uint8_t, 16> bytes;  // Network byte order; IPv4 in the first four; host bits zero.
  uint32_t address_class;         // Index into RuleSet::classes.
  bool operator==(const AddressPrefix&) const = default;
};

// What decides about endpoints.
struct NetTables {
  std::vector<AddressPrefix> prefixes;  // Sorted: IPv4 first, then by bytes, then by length.
  std::vector<AddressClass> classes;    // classes[0] is for addresses without a prefix.
  bool operator==(const NetTables&) const = default;
};

// What decides about endpoints that go by a name.
struct DomainRules {
  Automaton automaton;  // The class of a name is an index into `tables`.
  std::vector<NetTables> tables;
  bool operator==(const DomainRules&) const = default;
};

enum class NameAction : uint8_t {
  kFileRead,
  kFileWrite,
  kFileCreate,
  kFileRemove,
  kFileRename,
  kFileLink,
  kFileAttributes,
  kProcessExec,
  kProcessSignal,
  kProcessTrace,
  kUnixConnect,
};
inline constexpr int kNameActionCount = 11;

struct Ruling {
  Verdict verdict;
  uint32_t reason;  // Index into RuleSet::reasons.
  bool operator==(const Ruling&) const = default;
};

// What one action on names decides.
struct NameRules {
  NameAction action;
  Automaton automaton;
  // Of process.exec only: the SHA-256 values that policies tell apart, sorted.
  std::vector<std::string> digests;
  // Class * flag_count + flag; see FlagOf.
  uint32_t flag_count;
  std::vector<Ruling> leaves;
  bool operator==(const NameRules&) const = default;
};

struct RuleSet {
  std::vector<AddressPrefix> prefixes;  // Sorted: IPv4 first, then by bytes, then by length.
  std::vector<AddressClass> classes;    // classes[0] is for addresses without a prefix.
  // Nothing where no policy asks for a name.
  std::optional<DomainRules> domains = std::nullopt;
  // What forbids about files and programs name: whole paths, and directories, which stand for what
  // is below them. Sorted, each once. Decide() does not look at it; see linked_names.h.
  std::vector<std::string> protected_names = {};  // NOLINT(readability-redundant-member-init)
  // Sorted by action, each at most once. With `= {}` because g++ warns where it is left out.
  std::vector<NameRules> names = {};  // NOLINT(readability-redundant-member-init)
  std::vector<Reason> reasons;
  // From then on (wall clock, milliseconds since the epoch) a condition on `context.now` may have
  // changed: the rules say nothing any more, and everything is denied until others are in force.
  // Decide() does not look at it. Nothing where no condition changes.
  std::optional<int64_t> valid_until_ms = std::nullopt;
  bool operator==(const RuleSet&) const = default;
};

// One question, in canonical form.
struct NetEvent {
  NetAction action;
  Protocol protocol;
  bool is_ipv6;
  std::array<uint8_t, 16> address;  // Network byte order; IPv4 in the first four, the rest zero.
  uint16_t port;                    // Host byte order.
  // By which the endpoint is known; nothing of an address that nobody looked up.
  std::optional<std::string> domain = std::nullopt;
};

// One question about a name, in canonical form.
struct NameEvent {
  NameAction action;
  // Absolute path; of an abstract socket the name without the leading NUL; of a process nothing.
  std::string name;
  bool flag = false;  // Of a socket: abstract. Of a process: of the same run.
  std::optional<std::string> sha256 = std::nullopt;  // Of a program, where known: lower-case hex.
};

// The RuleSet's own interpreter: the reference for what the kernel programs answer.
Ruling Decide(const RuleSet& rules, const NetEvent& event);
Ruling Decide(const RuleSet& rules, const NameEvent& event);

// The tables that decide about an endpoint of that name, or of none. Borrowed from the RuleSet.
struct NetTablesView {
  std::span<const AddressPrefix> prefixes;
  std::span<const AddressClass> classes;
};
NetTablesView TablesFor(const RuleSet& rules, const std::optional<std::string>& domain);

// Index into `classes`, by the longest matching prefix.
uint32_t ClassOf(const NetTablesView& tables, bool is_ipv6, const std::array<uint8_t, 16>& address);

// "deny", "ask", "verify", "allow"
std::string_view VerdictName(Verdict verdict);
// "mandatory", "operator", "caller"
std::string_view LayerName(Layer layer);

// The index of a leaf within its class. Files have one flag. For sockets and processes it is the
// event's `flag`. For programs: 0 without a digest, 1 + index into `digests`, 1 + their number for
// any other.
uint32_t FlagOf(const NameRules& rules, const NameEvent& event);
// Null where the action has no rules.
const NameRules* FindRules(const RuleSet& rules, NameAction action);

// One line for the end of validity, where there is one, and per prefix, span, state, leaf and
// reason; stable for equal RuleSets; the first line is the format version "palyra-ruleset 5".
std::string DumpText(const RuleSet& rules);

// SHA-256 of a canonical binary form, which begins with its version: the same for equal RuleSets,
// on every machine, and another as soon as one prefix, span, state, leaf,
// reason or the end of validity differs.
base::Sha256Digest Digest(const RuleSet& rules);

// "policy0, policy2 (caller)", or "no policy permits it (caller)".
std::string ReasonText(const Reason& reason);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_RULE_SET_H_
