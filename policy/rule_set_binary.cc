#include "policy/rule_set_binary.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <tuple>
#include <utility>

#include "policy/compile/named_resource.h"
#include "policy/ip.h"
#include "policy/rule_set_form.h"

namespace palyra::policy {
namespace {

class StringSink {
 public:
  void Append(std::span<const uint8_t> bytes) {
    text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

constexpr unsigned kEveryAction = (1U << kNetActionCount) - 1;
constexpr unsigned kEveryProtocol = (1U << kProtocolCount) - 1;

// Whether the spans are in order and none overlaps another.
bool AreSpansOfAClass(const std::vector<PortSpan>& spans) {
  const auto key = [](const PortSpan& span) {
    return std::tie(span.first, span.actions, span.protocols);
  };
  // Those that reach to where the next begins; disjoint, so never more than pairs of bits.
  std::vector<const PortSpan*> open;
  for (size_t i = 0; i < spans.size(); ++i) {
    const PortSpan& span = spans[i];
    if (i > 0 && !(key(spans[i - 1]) < key(span))) return false;
    std::erase_if(open, [&](const PortSpan* other) { return other->last < span.first; });
    const bool overlaps = std::ranges::any_of(open, [&](const PortSpan* other) {
      return (other->actions & span.actions) != 0 && (other->protocols & span.protocols) != 0;
    });
    if (overlaps) return false;
    open.push_back(&span);
  }
  return true;
}

// Reads the form. After the first fault nothing is read any more, and the answer is a refusal.
class FormReader {
 public:
  explicit FormReader(std::string_view bytes) : left_(bytes) {}

  Result<RuleSet> Read() {
    RuleSet rules;
    Require(Text() == kFormHeader);
    NetTables tables = Net();
    rules.prefixes = std::move(tables.prefixes);
    rules.classes = std::move(tables.classes);
    if (Flag()) rules.domains = Domains();
    for (size_t count = Count(kLeastNames); count > 0 && good_; --count) {
      rules.names.push_back(Names());
      const size_t size = rules.names.size();
      Require(size == 1 || rules.names[size - 2].action < rules.names[size - 1].action);
    }
    for (size_t count = Count(kLeastList); count > 0 && good_; --count) {
      rules.reasons.push_back(ReadReason());
    }
    for (size_t count = Count(kLeastList); count > 0 && good_; --count) {
      rules.protected_names.emplace_back(Text());
    }
    Require(std::ranges::adjacent_find(rules.protected_names, std::ranges::greater_equal()) ==
            rules.protected_names.end());
    const bool has_end = Flag();
    const auto end = Number<int64_t>();
    Require(has_end || end == 0);
    if (has_end) rules.valid_until_ms = end;
    const Reason no_permit{.layers = {{.layer = Layer::kCaller, .policy_ids = {}}}};
    Require(!rules.reasons.empty() && rules.reasons[kReasonDefaultDeny] == no_permit &&
            greatest_reason_ < rules.reasons.size() && left_.empty());
    if (good_) return rules;
    return Fail(ErrorCode::kInvalidArgument, "these bytes are not a rule set of this version");
  }

 private:
  // The fewest bytes that members of lists have.
  static constexpr size_t kLeastList = 8;
  static constexpr size_t kLeastPrefix = 10;
  static constexpr size_t kLeastSpan = 11;
  static constexpr size_t kLeastState = 16;
  static constexpr size_t kEdge = 5;
  static constexpr size_t kLeastNames = 289;
  static constexpr size_t kLeaf = 5;
  static constexpr size_t kLeastPart = 9;

  std::string_view left_;
  bool good_ = true;
  uint32_t greatest_reason_ = 0;

  void Require(bool holds) { good_ = good_ && holds; }

  std::string_view Take(size_t size) {
    if (!good_ || size > left_.size()) {
      good_ = false;
      return {};
    }
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }

  template <typename Integer>
  Integer Number() {
    uint64_t value = 0;
    const std::string_view bytes = Take(sizeof(Integer));
    for (size_t i = 0; i < bytes.size(); ++i) {
      value |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
    }
    return static_cast<Integer>(value);
  }

  // Of members with at least so many bytes each.
  size_t Count(size_t least) {
    const auto count = Number<uint64_t>();
    Require(count <= left_.size() / least);
    return good_ ? static_cast<size_t>(count) : 0;
  }

  bool Flag() {
    const auto value = Number<uint8_t>();
    Require(value <= 1);
    return value == 1;
  }

  std::string_view Text() { return Take(Count(1)); }

  Verdict ReadVerdict() {
    const auto value = Number<uint8_t>();
    Require(value <= static_cast<uint8_t>(Verdict::kAllow));
    return static_cast<Verdict>(good_ ? value : 0);
  }

  uint32_t ReasonIndex() {
    const auto index = Number<uint32_t>();
    greatest_reason_ = std::max(greatest_reason_, index);
    return index;
  }

  AddressPrefix Prefix() {
    AddressPrefix prefix{
        .is_ipv6 = Flag(), .length = Number<uint8_t>(), .bytes = {}, .address_class = 0};
    const std::string_view bytes = Take(prefix.is_ipv6 ? 16 : 4);
    std::ranges::copy(bytes, prefix.bytes.begin());
    prefix.address_class = Number<uint32_t>();
    const auto address = IpAddress::Create(prefix.is_ipv6, prefix.bytes, prefix.length);
    Require(address && address->Masked().bytes() == prefix.bytes);
    return prefix;
  }

  PortSpan Span() {
    PortSpan span{.first = Number<uint16_t>(),
                  .last = Number<uint16_t>(),
                  .actions = Number<uint8_t>(),
                  .protocols = Number<uint8_t>(),
                  .verdict = ReadVerdict(),
                  .reason = ReasonIndex()};
    Require(span.first <= span.last && span.actions != 0 && span.actions <= kEveryAction &&
            span.protocols != 0 && span.protocols <= kEveryProtocol);
    return span;
  }

  NetTables Net() {
    const auto key = [](const AddressPrefix& p) { return std::tie(p.is_ipv6, p.bytes, p.length); };
    NetTables tables;
    uint32_t greatest_class = 0;
    const size_t prefixes = Count(kLeastPrefix);
    tables.prefixes.reserve(prefixes);
    for (size_t i = 0; i < prefixes && good_; ++i) {
      tables.prefixes.push_back(Prefix());
      greatest_class = std::max(greatest_class, tables.prefixes[i].address_class);
      Require(i == 0 || key(tables.prefixes[i - 1]) < key(tables.prefixes[i]));
    }
    const size_t classes = Count(kLeastList);
    Require(greatest_class < classes);
    tables.classes.resize(good_ ? classes : 0);
    for (AddressClass& address_class : tables.classes) {
      const size_t spans = Count(kLeastSpan);
      address_class.spans.reserve(spans);
      for (size_t i = 0; i < spans && good_; ++i) address_class.spans.push_back(Span());
      Require(AreSpansOfAClass(address_class.spans));
      if (!good_) break;
    }
    return tables;
  }

  // Of automata whose classes are below `classes`, which the caller learns only later: the greatest
  // is given back.
  Automaton ReadAutomaton(uint32_t& greatest_class) {
    SparseDfa form;
    std::ranges::copy(Take(form.symbols.size()), form.symbols.begin());
    const size_t states = Count(kLeastState);
    form.states.reserve(states);
    for (size_t i = 0; i < states && good_; ++i) {
      const SparseDfa::State state{.text_class = Number<uint32_t>(),
                                   .fallback = Number<uint32_t>(),
                                   .first_edge = static_cast<uint32_t>(form.edges.size())};
      greatest_class = std::max(greatest_class, state.text_class);
      form.states.push_back(state);
      for (size_t edges = Count(kEdge); edges > 0 && good_; --edges) {
        const auto symbol = Number<uint8_t>();
        form.edges.push_back({.symbol = symbol, .next = Number<uint32_t>()});
      }
    }
    if (!good_) return {};
    std::optional<Automaton> automaton = Automaton::FromCanonicalForm(std::move(form));
    Require(automaton.has_value());
    return good_ ? *std::move(automaton) : Automaton();
  }

  DomainRules Domains() {
    DomainRules domains;
    uint32_t greatest_class = 0;
    domains.automaton = ReadAutomaton(greatest_class);
    const size_t tables = Count(2 * kLeastList);
    Require(greatest_class < tables);
    for (size_t i = 0; i < tables && good_; ++i) domains.tables.push_back(Net());
    return domains;
  }

  NameRules Names() {
    NameRules names;
    const auto action = Number<uint8_t>();
    Require(action < kNameActionCount);
    names.action = static_cast<NameAction>(good_ ? action : 0);
    uint32_t greatest_class = 0;
    names.automaton = ReadAutomaton(greatest_class);
    for (size_t count = Count(kLeastList); count > 0 && good_; --count) {
      names.digests.emplace_back(Text());
      const size_t size = names.digests.size();
      Require(size == 1 || names.digests[size - 2] < names.digests[size - 1]);
    }
    names.flag_count = Number<uint32_t>();
    Require(names.flag_count == FlagCountOf(names));
    const size_t leaves = Count(kLeaf);
    Require(leaves == (size_t{greatest_class} + 1) * names.flag_count);
    names.leaves.reserve(good_ ? leaves : 0);
    for (size_t i = 0; i < leaves && good_; ++i) {
      const Verdict verdict = ReadVerdict();
      names.leaves.push_back({.verdict = verdict, .reason = ReasonIndex()});
      Require(verdict != Verdict::kVerify);
    }
    return names;
  }

  size_t FlagCountOf(const NameRules& names) {
    const std::string_view type = ResourceTypeOf(names.action);
    if (type == kExecutableType) return names.digests.size() + 2;
    Require(names.digests.empty());
    return type == kPathType ? 1 : 2;
  }

  Reason ReadReason() {
    Reason reason;
    for (size_t count = Count(kLeastPart); count > 0 && good_; --count) {
      const auto layer = Number<uint8_t>();
      Require(layer <= static_cast<uint8_t>(Layer::kCaller));
      Reason::LayerPolicies part{.layer = static_cast<Layer>(good_ ? layer : 0), .policy_ids = {}};
      Require(reason.layers.empty() || reason.layers.back().layer < part.layer);
      for (size_t ids = Count(kLeastList); ids > 0 && good_; --ids) {
        part.policy_ids.emplace_back(Text());
      }
      reason.layers.push_back(std::move(part));
    }
    Require(!reason.layers.empty());
    return reason;
  }
};

}  // namespace

std::string WriteRules(const RuleSet& rules) {
  StringSink sink;
  FormWriter(sink).Write(rules);
  return sink.Take();
}

Result<RuleSet> ReadRules(std::string_view bytes) { return FormReader(bytes).Read(); }

}  // namespace palyra::policy
