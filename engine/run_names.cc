#include "engine/run_names.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/clock.h"
#include "engine/live_tables.h"
#include "engine/table_image.h"
#include "policy/named_class.h"

namespace palyra::engine {
namespace {

palyra_name_key KeyOf(uint64_t run, uint32_t profile, const NetAddress& address) {
  palyra_name_key key = {};
  key.run = run;
  key.profile = profile;
  key.is_ipv6 = address.is_ipv6 ? 1 : 0;
  std::memcpy(key.address, address.bytes.data(), sizeof(key.address));
  return key;
}

bool HasWayOut(const policy::AddressClass& address_class) {
  constexpr unsigned kOutward = PALYRA_NET_CONNECT | PALYRA_NET_SEND;
  return std::ranges::any_of(address_class.spans, [](const policy::PortSpan& span) {
    return span.verdict != policy::Verdict::kDeny && (span.actions & kOutward) != 0;
  });
}

}  // namespace

NetAddress AddressOf(const palyra_event& event) {
  NetAddress address;
  address.is_ipv6 = event.is_ipv6 != 0;
  std::ranges::copy(event.address, address.bytes.begin());
  return address;
}

RunNames::RunNames(const KernelObjects& objects, uint64_t run, uint32_t profile,
                   policy::RuleSet rules)
    : objects_(&objects), run_(run), profile_(profile), rules_(std::move(rules)) {}

bool RunNames::MayBeAskedFor(const std::string& name) const {
  return policy::MayBeReached(rules_, name);
}

bool RunNames::MayBeReached(const NetAddress& address) const {
  const policy::NetTablesView tables = policy::TablesFor(rules_, std::nullopt);
  return HasWayOut(tables.classes[policy::ClassOf(tables, address.is_ipv6, address.bytes)]);
}

Result<void> RunNames::Learn(const std::string& name, const NetAddress& address,
                             uint64_t expires_ns) {
  const auto known = addresses_.find(address);
  if (known == addresses_.end() && addresses_.size() >= kMaxAddressesOfRun && !MakeRoom()) {
    return Fail(ErrorCode::kExhausted, "the run knows as many addresses by name as it can");
  }
  Names names = known == addresses_.end() ? Names() : known->second;
  std::erase_if(names, [now = NowBootNs()](const auto& entry) { return entry.second <= now; });
  uint64_t& end = names[name];
  end = std::max(end, expires_ns);
  if (names.size() > kMaxNamesOfAddress) {
    return Fail(ErrorCode::kExhausted, "an address has more names than can be held");
  }
  if (Result<void> written = Write(profile_, rules_, address, names); !written) return written;
  addresses_[address] = std::move(names);
  objects_->runs().MarkNames(run_);
  return {};
}

// Connections to what goes are still open perhaps, but only its names have ended.
bool RunNames::MakeRoom() {
  const uint64_t now = NowBootNs();
  std::erase_if(addresses_, [&](const auto& entry) {
    const bool has_ended =
        std::ranges::all_of(entry.second, [now](const auto& name) { return name.second <= now; });
    if (has_ended) Erase(profile_, entry.first);
    return has_ended;
  });
  return addresses_.size() < kMaxAddressesOfRun;
}

std::optional<uint64_t> RunNames::next_expiry() const {
  std::optional<uint64_t> next;
  for (const auto& [address, names] : addresses_) {
    if (names.size() < 2) continue;
    for (const auto& [name, end] : names) next = std::min(next.value_or(end), end);
  }
  return next;
}

void RunNames::Expire() {
  const uint64_t now = NowBootNs();
  for (auto& [address, names] : addresses_) {
    if (names.size() < 2) continue;
    Names left = names;
    std::erase_if(left, [now](const auto& entry) { return entry.second <= now; });
    if (left.size() == names.size()) continue;
    // Where all have ended, one stays for what is open.
    if (left.empty()) {
      left.insert(
          *std::ranges::max_element(names, {}, [](const auto& name) { return name.second; }));
    }
    if (Write(profile_, rules_, address, left)) names = std::move(left);
  }
}

Result<void> RunNames::Prepare(uint32_t profile, const policy::RuleSet& rules) const {
  if (profile == profile_) return {};
  for (const auto& [address, names] : addresses_) {
    Result<void> written = Write(profile, rules, address, names);
    if (written) continue;
    for (const auto& [other, unused] : addresses_) Erase(profile, other);
    return written;
  }
  return {};
}

void RunNames::Settle(uint32_t profile, const policy::RuleSet& rules) {
  if (profile == profile_) return;
  const uint32_t before = std::exchange(profile_, profile);
  rules_ = rules;
  for (const auto& [address, names] : addresses_) Erase(before, address);
}

std::vector<std::string> RunNames::NamesOf(const NetAddress& address) const {
  std::vector<std::string> names;
  if (const auto found = addresses_.find(address); found != addresses_.end()) {
    for (const auto& [name, end] : found->second) names.push_back(name);
  }
  return names;
}

Result<void> RunNames::Write(uint32_t profile, const policy::RuleSet& rules,
                             const NetAddress& address, const Names& names) const {
  std::vector<std::string> texts;
  uint64_t last_end = 0;
  for (const auto& [name, end] : names) {
    texts.push_back(name);
    last_end = std::max(last_end, end);
  }
  const Result<palyra_name> value =
      BuildName(policy::NamedClass(rules, address.is_ipv6, address.bytes, texts), last_end);
  if (!value) return std::unexpected(value.error());
  const palyra_name_key key = KeyOf(run_, profile, address);
  if (bpf_map_update_elem(objects_->fd(Table::kNames), &key, &*value, BPF_ANY) != 0) {
    return FailErrno(errno, "cannot write the kernel table \"names\"");
  }
  return {};
}

void RunNames::Erase(uint32_t profile, const NetAddress& address) const {
  const palyra_name_key key = KeyOf(run_, profile, address);
  bpf_map_delete_elem(objects_->fd(Table::kNames), &key);
}

std::optional<policy::Ruling> DecideByName(const KernelObjects& objects, uint64_t run,
                                           uint32_t profile, const policy::NetEvent& event) {
  const palyra_name_key key =
      KeyOf(run, profile, {.is_ipv6 = event.is_ipv6, .bytes = event.address});
  palyra_name name;
  if (bpf_map_lookup_elem(objects.fd(Table::kNames), &key, &name) != 0) return std::nullopt;
  return DecideBySpans(name.spans, name.span_count, event);
}

void RemoveNamesOf(const KernelObjects& objects, uint64_t run) {
  const int fd = objects.fd(Table::kNames);
  std::vector<palyra_name_key> keys;
  palyra_name_key key = {};
  palyra_name_key* previous = nullptr;
  // A key that vanishes meanwhile starts the walk again; the bound ends one that never gets on.
  for (int i = 0; i < 4 * PALYRA_MAX_NAMES; ++i) {
    if (bpf_map_get_next_key(fd, previous, &key) != 0) break;
    if (key.run == run) keys.push_back(key);
    previous = &key;
  }
  for (const palyra_name_key& found : keys) bpf_map_delete_elem(fd, &found);
}

}  // namespace palyra::engine
