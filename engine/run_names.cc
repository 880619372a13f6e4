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

policy::NamedAddress Named(const NetAddress& address, bool is_special) {
  return {.is_ipv6 = address.is_ipv6, .bytes = address.bytes, .is_special = is_special};
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

bool RunNames::MayBeAskedFor(const std::string& name) {
  const uint32_t names = rules_.domains ? rules_.domains->automaton.ClassOf(name) : 0;
  const auto [entry, is_new] = askable_.try_emplace(names, false);
  if (is_new) entry->second = policy::MayBeAskedFor(rules_, name);
  return entry->second;
}

bool RunNames::MayLeadTo(const std::string& name, const NetAddress& address) const {
  return policy::HasWayOut(
      policy::NamedClass(rules_, Named(address, /*is_special=*/true), {&name, 1}));
}

Result<void> RunNames::Learn(const std::string& name, const NetAddress& address, bool is_special,
                             uint64_t expires_ns) {
  const auto place = addresses_.find(address);
  if (place == addresses_.end() && addresses_.size() >= kMaxAddressesOfRun && !MakeRoom()) {
    return Fail(ErrorCode::kExhausted, "the run knows as many addresses by name as it can");
  }
  Known known = place == addresses_.end() ? Known() : place->second;
  std::erase_if(known.names,
                [now = NowBootNs()](const auto& entry) { return entry.second <= now; });
  uint64_t& end = known.names[name];
  end = std::max(end, expires_ns);
  known.is_special = known.is_special || is_special;
  if (known.names.size() > kMaxNamesOfAddress) {
    return Fail(ErrorCode::kExhausted, "an address has more names than can be held");
  }
  if (!FitsName(ClassOf(rules_, address, known))) {
    return Fail(ErrorCode::kExhausted, "the policies tell more ports of one name apart than " +
                                           std::to_string(PALYRA_ROW_SPANS) + " spans can hold");
  }
  if (Result<void> written = Write(profile_, rules_, address, known); !written) return written;
  addresses_[address] = std::move(known);
  objects_->runs().ChangeNames(run_);
  return {};
}

// Connections to what goes are still open perhaps, but only its names have ended.
bool RunNames::MakeRoom() {
  const uint64_t now = NowBootNs();
  std::erase_if(addresses_, [&](const auto& entry) {
    const bool has_ended = std::ranges::all_of(
        entry.second.names, [now](const auto& name) { return name.second <= now; });
    if (has_ended) Erase(profile_, entry.first);
    return has_ended;
  });
  objects_->runs().ChangeNames(run_);
  return addresses_.size() < kMaxAddressesOfRun;
}

std::optional<uint64_t> RunNames::next_expiry() const {
  std::optional<uint64_t> next;
  for (const auto& [address, known] : addresses_) {
    if (known.names.size() < 2) continue;
    for (const auto& [name, end] : known.names) {
      if (end != kNeverEnds) next = std::min(next.value_or(end), end);
    }
  }
  return next;
}

void RunNames::Expire() {
  const uint64_t now = NowBootNs();
  for (auto& [address, known] : addresses_) {
    if (known.names.size() < 2) continue;
    Ends left = known.names;
    std::erase_if(left, [now](const auto& entry) { return entry.second <= now; });
    if (left.size() == known.names.size()) continue;
    // Where all have ended, one stays for what is open.
    if (left.empty()) {
      left.insert(
          *std::ranges::max_element(known.names, {}, [](const auto& name) { return name.second; }));
    }
    known.names = std::move(left);
    // Without an entry the address has no name, which is no more than it had.
    if (!Write(profile_, rules_, address, known)) Erase(profile_, address);
  }
  objects_->runs().ChangeNames(run_);
}

Result<void> RunNames::Prepare(uint32_t profile, const policy::RuleSet& rules) const {
  if (profile == profile_) return {};
  for (const auto& [address, known] : addresses_) {
    if (Write(profile, rules, address, known)) continue;
    Withdraw(profile);
    return Fail(ErrorCode::kUnavailable,
                "the kernel has no room for what the rules say of the names that the run knows");
  }
  return {};
}

void RunNames::Withdraw(uint32_t profile) const {
  if (profile == profile_) return;
  for (const auto& [address, known] : addresses_) Erase(profile, address);
}

void RunNames::Settle(uint32_t profile, const policy::RuleSet& rules) {
  if (profile == profile_) return;
  const uint32_t before = std::exchange(profile_, profile);
  rules_ = rules;
  askable_.clear();
  for (const auto& [address, known] : addresses_) Erase(before, address);
}

void RunNames::RemoveAll() {
  for (const auto& [address, known] : addresses_) Erase(profile_, address);
  addresses_.clear();
}

// Of an address that nobody looked up it is not known who owns it.
bool RunNames::MayReachVerified(const std::string& name, const NetAddress& address,
                                uint16_t port) const {
  const auto known = addresses_.find(address);
  const bool is_special = known == addresses_.end() || known->second.is_special;
  return policy::MayReachVerified(rules_, Named(address, is_special), port, name);
}

std::vector<NetAddress> RunNames::AddressesOf(const std::string& name) const {
  const uint64_t now = NowBootNs();
  std::vector<NetAddress> addresses;
  for (const auto& [address, known] : addresses_) {
    const auto found = known.names.find(name);
    if (found != known.names.end() && found->second > now) addresses.push_back(address);
  }
  return addresses;
}

std::vector<std::string> RunNames::NamesOf(const NetAddress& address) const {
  std::vector<std::string> names;
  if (const auto found = addresses_.find(address); found != addresses_.end()) {
    for (const auto& [name, end] : found->second.names) names.push_back(name);
  }
  return names;
}

policy::AddressClass RunNames::ClassOf(const policy::RuleSet& rules, const NetAddress& address,
                                       const Known& known) {
  std::vector<std::string> names;
  for (const auto& [name, end] : known.names) names.push_back(name);
  return policy::NamedClass(rules, Named(address, known.is_special), names);
}

Result<void> RunNames::Write(uint32_t profile, const policy::RuleSet& rules,
                             const NetAddress& address, const Known& known) const {
  uint64_t last_end = 0;
  for (const auto& [name, end] : known.names) last_end = std::max(last_end, end);
  const palyra_name value = BuildName(ClassOf(rules, address, known), last_end);
  const palyra_name_key key = KeyOf(run_, profile, address);
  if (bpf_map_update_elem(objects_->fd(Table::kNames), &key, &value, BPF_ANY) != 0) {
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
