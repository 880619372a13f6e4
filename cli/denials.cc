#include "cli/denials.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

#include "policy/compile/named_resource.h"
#include "policy/shorthand.h"

namespace palyra::cli {
namespace {

constexpr size_t kMostEntries = 256;
constexpr size_t kShown = 3;

std::string ActionName(palyra_action action) {
  switch (action) {
    case PALYRA_NET_CONNECT:
      return "net.connect";
    case PALYRA_NET_SEND:
      return "net.send";
    case PALYRA_NET_ACCEPT:
      return "net.accept";
    case PALYRA_NET_BIND:
      return "net.bind";
    case PALYRA_NET_LISTEN:
      return "net.listen";
    case PALYRA_SOCKET_CREATE:
      return "socket.create";
    case PALYRA_SOCKET_RECEIVE:
      return "socket.receive";
  }
  return "unknown";
}

std::string ProtocolName(const palyra_event& event) {
  switch (event.protocol) {
    case PALYRA_TCP:
      return "tcp";
    case PALYRA_UDP:
      return "udp";
    case PALYRA_UDPLITE:
      return "udplite";
    case PALYRA_ICMP:
      return "icmp";
    case PALYRA_ICMPV6:
      return "icmpv6";
    case PALYRA_PROTOCOL_OTHER:
      break;
  }
  return fmt::format("protocol {}", event.ip_protocol);
}

std::string SocketKind(const palyra_event& event) {
  if (event.socket_family != AF_INET && event.socket_family != AF_INET6) {
    return fmt::format("family {}", event.socket_family);
  }
  return fmt::format("{} {} protocol {}", event.socket_type == SOCK_RAW ? "raw" : "unusual",
                     event.socket_family == AF_INET6 ? "ipv6" : "ipv4", event.ip_protocol);
}

constexpr const char* kResolve = "resolve";
// The C library asks there by itself, and does without: nscd(8).
bool IsNameServiceCache(const std::string& path) {
  return path == "/var/run/nscd/socket" || path == "/run/nscd/socket";
}

std::string NameActionText(palyra_name_action action) {
  if (action == PALYRA_KERNEL_CONTROL) return "kernel.control";
  return std::string(policy::ActionName(static_cast<policy::NameAction>(action)));
}

// By number from PALYRA_HOOK_FILE_OPEN on.
constexpr std::array kHookNames = {
    "file_open",           "file_receive",      "file_truncate",
    "file_ioctl",          "path_truncate",     "path_mknod",
    "path_mkdir",          "path_symlink",      "path_unlink",
    "path_rmdir",          "path_rename",       "path_link",
    "path_chmod",          "path_chown",        "inode_setattr",
    "inode_setxattr",      "inode_removexattr", "inode_set_acl",
    "inode_remove_acl",    "mmap_file",         "file_mprotect",
    "ptrace_access_check", "ptrace_traceme",    "task_kill",
    "task_set…",           "sb_mount",          "sb_umount",
    "sb_remount",          "sb_pivotroot",      "move_mount",
    "path_chroot",         "userns_create",     "bpf",
    "perf_event_open",     "file_fcntl",        "bprm_check",
};

std::string HookName(palyra_hook hook) {
  switch (hook) {
    case PALYRA_HOOK_UNIX_CONNECT:
      return "unix_connect";
    case PALYRA_HOOK_UNIX_SENDMSG:
      return "unix_sendmsg";
    case PALYRA_HOOK_LSM_UNIX_STREAM_CONNECT:
      return "unix_stream_connect";
    case PALYRA_HOOK_LSM_UNIX_MAY_SEND:
      return "unix_may_send";
    default:
      break;
  }
  const size_t index = static_cast<size_t>(hook) - PALYRA_HOOK_FILE_OPEN;
  return index < kHookNames.size() ? kHookNames.at(index) : "unknown";
}

// Why it is denied though no policy was asked; empty where the policies decided.
std::string WithoutPolicy(const palyra_path_event& event) {
  switch (event.path_state) {
    case PALYRA_PATH_FOUND:
    case PALYRA_PATH_LINKED:
      break;
    case PALYRA_PATH_TOO_LONG:
      return "its path is too long to be judged";
    case PALYRA_PATH_UNREACHABLE:
    case PALYRA_PATH_OUTSIDE:
      return "it is below no mount that can be seen";
    case PALYRA_PATH_INTERNAL:
    case PALYRA_PATH_UNLINKED:
      return "it has no name";
    case PALYRA_PATH_MOVES_RULES:
      return "what lies below would be decided otherwise under the new name; copy it";
    case PALYRA_PATH_GAINS:
      return "more would be allowed under the new name than under the old one";
    case PALYRA_PATH_RENAMES_SOCKET:
      return "a socket keeps the name that its server gave it";
    case PALYRA_PATH_CONTROL:
      return "the kernel is controlled there";
    case PALYRA_PATH_OWN:
      return "Palyra's own, which no run changes";
    case PALYRA_PATH_NO_DIGEST:
      return "it depends on the program's digest, which cannot be told there";
    case PALYRA_PATH_WRITTEN:
      return "it depends on the program's digest, and somebody has it open for writing";
    case PALYRA_PATH_MAPPED:
      return "it was executed because of its digest; replace it by a new file";
    case PALYRA_PATH_UNPINNED:
      return "permitted, but no socket of one name was there when the run began";
    case PALYRA_PATH_WALKING:
    case PALYRA_PATH_NO_SLOT:
    case PALYRA_PATH_UNSTABLE:
      return "its path could not be told just then";
  }
  if (event.judged == PALYRA_NOT_UTF8) return "its path is not UTF-8";
  return "";
}

// For a policy: a permit of exactly this.
std::string AddressText(const palyra_event& event) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  inet_ntop(event.is_ipv6 != 0 ? AF_INET6 : AF_INET, event.address, text.data(), text.size());
  return text.data();
}

std::string Bracketed(const std::string& address) {
  return address.find(':') == std::string::npos ? address : fmt::format("[{}]", address);
}

std::string Target(const Denial& denial) {
  if (!denial.path.empty()) return denial.path;
  if (denial.address.empty()) return denial.protocol;
  const std::string address = Bracketed(denial.address);
  if (denial.protocol.starts_with("icmp")) return fmt::format("{} {}", denial.protocol, address);
  return fmt::format("{} {}:{}{}{}", denial.protocol, address, denial.port,
                     denial.names.empty() ? "" : " as ", fmt::join(denial.names, ", "));
}

// What --allow-net and --allow-listen take for it.
std::string Shorthand(const Denial& denial) {
  const std::string& host = denial.names.empty() ? denial.address : denial.names.front();
  if (denial.port == 0) return host;
  return fmt::format("{}:{}", Bracketed(host), denial.port);
}

std::string By(const Denial& denial) {
  if (!denial.note.empty()) return denial.note;
  if (!denial.layer) return "no policy can permit it";
  if (!denial.policies.empty()) {
    return fmt::format("by {} of the {} policies", fmt::join(denial.policies, ", "),
                       policy::LayerName(*denial.layer));
  }
  return fmt::format("no {} policy permits it", policy::LayerName(*denial.layer));
}

// What a shell and a policy take as it is: the path is the tool's choice, and so would be the rest.
bool IsPlainPath(std::string_view path) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/@._-+,:=%";
  return (path.starts_with('/') || path.starts_with('@')) &&
         path.find_first_not_of(kPlain) == std::string_view::npos && !path.contains("//") &&
         !path.contains("/../") && !path.contains("/./");
}

// Nothing where a shell would not take the path as it is.
std::optional<std::string> HowToAllowPath(const Denial& denial) {
  if (!IsPlainPath(denial.path)) return std::nullopt;
  const policy::PathShorthand option =
      denial.action == "file.read"      ? policy::PathShorthand::kAllowRead
      : denial.action == "process.exec" ? policy::PathShorthand::kAllowExec
                                        : policy::PathShorthand::kAllowWrite;
  return fmt::format("allow it with {} {}", OptionName(option), denial.path);
}

std::optional<std::string> HowToAllow(const Denial& denial) {
  if (denial.action == kResolve) return "allow it with --allow-net " + denial.protocol;
  if (!denial.layer || *denial.layer == policy::Layer::kMandatory) return std::nullopt;
  if (*denial.layer == policy::Layer::kOperator) {
    return fmt::format("the operator allows it in {}", kOperatorPolicies);
  }
  if (!denial.policies.empty()) return "change that policy to allow it";
  if (denial.action == "process.signal" || denial.action == "process.trace") return std::nullopt;
  if (denial.action == "unix.connect") {
    if (!IsPlainPath(denial.path)) return std::nullopt;
    return "allow it with --allow-unix " + denial.path;
  }
  if (!denial.path.empty()) return HowToAllowPath(denial);
  const bool is_local = denial.action == "net.bind" || denial.action == "net.listen";
  if (is_local && denial.port != 0) return "allow it with --allow-listen " + Shorthand(denial);
  // Which peers, or which port of the kernel's choice, no shorthand says.
  if (is_local || denial.action == "net.accept") {
    return fmt::format("allow it by a permit for {}", denial.action);
  }
  return "allow it with --allow-net " + Shorthand(denial);
}

// Who did what to which path.
Denial WithoutReason(const engine::PathEvent& event) {
  return {.action = NameActionText(event.event.action),
          .protocol = {},
          .address = {},
          .port = 0,
          .layer = std::nullopt,
          .policies = {},
          .note = {},
          .names = {},
          .path = event.path,
          .executable = event.executable,
          .hook = HookName(event.event.hook)};
}

}  // namespace

Denial DenialNames::Name(const palyra_event& event) const {
  Denial denial = {.action = ActionName(event.action),
                   .protocol = {},
                   .address = {},
                   .port = event.port,
                   .layer = std::nullopt,
                   .policies = {},
                   .note = {}};
  if (event.action == PALYRA_SOCKET_CREATE) {
    denial.protocol = SocketKind(event);
    return denial;
  }
  if (event.action == PALYRA_SOCKET_RECEIVE) {
    const bool is_inet = event.socket_family == AF_INET || event.socket_family == AF_INET6;
    denial.protocol = is_inet ? ProtocolName(event) : SocketKind(event);
    denial.note = "a socket of another process, which no policy would hold";
    return denial;
  }
  denial.protocol = ProtocolName(event);
  denial.address = AddressText(event);
  if (event.reason == PALYRA_REASON_EXPIRED) {
    denial.note = "the policies' time is over and no other rules are in force";
    return denial;
  }
  if (event.protocol != PALYRA_PROTOCOL_OTHER) AddReason(event.reason, denial);
  return denial;
}

Denial DenialNames::Name(const engine::PathEvent& event) const {
  const palyra_path_event& told = event.event;
  Denial denial = WithoutReason(event);
  if (told.action == PALYRA_KERNEL_CONTROL) denial.path = denial.hook;
  if (told.target_pid != 0) denial.path = fmt::format("pid {}", told.target_pid);
  if (told.reason == PALYRA_REASON_EXPIRED) {
    denial.note = "the policies' time is over and no other rules are in force";
    return denial;
  }
  denial.note = WithoutPolicy(told);
  if (denial.note.empty() && told.action != PALYRA_KERNEL_CONTROL) AddReason(told.reason, denial);
  return denial;
}

void DenialNames::AddReason(uint32_t index, Denial& denial) const {
  if (index >= rules_.reasons.size()) return;
  const policy::Reason& reason = rules_.reasons[index];
  if (reason.layers.empty()) return;
  denial.layer = reason.layers.front().layer;
  denial.policies = LabelsOf(reason.layers.front());
}

Denial DenialNames::NameAllowed(const palyra_event& event) const {
  Denial allowed = {.action = ActionName(event.action),
                    .protocol = ProtocolName(event),
                    .address = AddressText(event),
                    .port = event.port,
                    .layer = std::nullopt,
                    .policies = {},
                    .note = {}};
  AddPermits(event.reason, allowed);
  return allowed;
}

Denial DenialNames::NameAllowed(const engine::PathEvent& event) const {
  Denial allowed = WithoutReason(event);
  AddPermits(event.event.reason, allowed);
  return allowed;
}

void DenialNames::AddPermits(uint32_t index, Denial& allowed) const {
  if (index >= rules_.reasons.size()) return;
  for (const policy::Reason::LayerPolicies& layer : rules_.reasons[index].layers) {
    std::ranges::move(LabelsOf(layer), std::back_inserter(allowed.policies));
  }
}

std::vector<std::string> DenialNames::LabelsOf(const policy::Reason::LayerPolicies& named) const {
  std::vector<std::string> labels;
  for (const LayerPolicies& layer : layers_) {
    if (layer.layer != named.layer) continue;
    for (const std::string& id : named.policy_ids) {
      const policy::PlacedPolicy* policy = layer.policies.Find(id);
      labels.push_back(policy == nullptr ? id : policy->Label());
    }
  }
  return labels;
}

Denial RefusedName(const std::string& name, bool is_unpinned) {
  return {.action = kResolve,
          .protocol = name,
          .address = {},
          .layer = std::nullopt,
          .policies = {},
          .note = is_unpinned ? "it was not resolved before the run"
                              : "no policy could allow to reach it"};
}

void DenialSummary::Add(const Denial& denial) {
  if (denial.action == "unix.connect" && IsNameServiceCache(denial.path)) {
    ++unasked_;
    return;
  }
  const Key key = denial.Key();
  const auto found = entries_.find(key);
  if (found != entries_.end()) {
    ++found->second.count;
  } else if (entries_.size() < kMostEntries) {
    entries_.emplace(key, Entry{.denial = denial, .count = 1, .order = entries_.size()});
  }
}

void DenialSummary::AddOfBroker(const Denial& denial) {
  ++of_brokers_;
  Add(denial);
}

std::vector<std::pair<Denial, uint64_t>> DenialSummary::All() const {
  std::vector<const Entry*> ordered;
  ordered.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) ordered.push_back(&entry);
  std::ranges::sort(ordered, {}, &Entry::order);
  std::vector<std::pair<Denial, uint64_t>> all;
  all.reserve(ordered.size());
  for (const Entry* entry : ordered) all.emplace_back(entry->denial, entry->count);
  return all;
}

std::optional<std::string> DenialSummary::Line(uint64_t total, uint64_t lost) const {
  total += of_brokers_;
  total -= std::min(total, unasked_);
  if (total == 0) return std::nullopt;
  std::vector<const Entry*> shown;
  shown.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) shown.push_back(&entry);
  std::ranges::sort(shown, [](const Entry* a, const Entry* b) {
    return std::tuple(b->count, a->order) < std::tuple(a->count, b->order);
  });
  if (shown.size() > kShown) shown.resize(kShown);

  uint64_t named = 0;
  std::vector<std::string> parts;
  for (const Entry* entry : shown) {
    named += entry->count;
    parts.push_back(fmt::format("{} {} {}x ({})", entry->denial.action, Target(entry->denial),
                                entry->count, By(entry->denial)));
  }
  std::string line = "denied: " + fmt::format("{}", fmt::join(parts, "; "));
  if (total > named) line += fmt::format("{}{} more", parts.empty() ? "" : "; ", total - named);
  if (lost > 0) line += fmt::format(" ({} without details)", lost);
  if (!shown.empty()) {
    if (std::optional<std::string> how = HowToAllow(shown.front()->denial)) line += "; " + *how;
  }
  return line;
}

}  // namespace palyra::cli
