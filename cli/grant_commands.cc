#include "cli/grant_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "base/file.h"
#include "cli/console.h"
#include "cli/run_options.h"
#include "engine/features.h"
#include "engine/grants.h"
#include "engine/host.h"
#include "engine/kernel_objects.h"
#include "engine/rule_update.h"
#include "policy/endpoint.h"
#include "policy/ip.h"

namespace palyra::cli {
namespace {

using policy::NetAction;
using policy::NetEvent;
using policy::Protocol;

constexpr const char* kProgram = "palyra";

struct Arguments {
  std::string run;
  std::string action;
  std::string protocol;
  std::string endpoint;
  std::optional<std::string> time;
  uint32_t uses = 0;
  bool once = false;
};

struct Kernel {
  engine::Features features;
  std::optional<engine::KernelObjects> objects;
};

Result<Kernel> OpenKernel() {
  if (geteuid() != 0) {
    return Fail(ErrorCode::kPermissionDenied, "this needs root; start it with sudo");
  }
  Result<engine::Host> host = engine::PrepareHost();
  if (!host) return std::unexpected(host.error());
  Kernel kernel;
  Result<engine::KernelObjects> objects = engine::KernelObjects::Open(*host, kernel.features);
  if (!objects) return std::unexpected(objects.error());
  kernel.objects.emplace(*std::move(objects));
  return kernel;
}

template <typename Enum, size_t kCount>
std::optional<Enum> ByName(std::string_view name, std::string_view (*name_of)(Enum)) {
  for (size_t i = 0; i < kCount; ++i) {
    if (name_of(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

bool HasPort(Protocol protocol) {
  return protocol != Protocol::kIcmp && protocol != Protocol::kIcmpv6;
}

std::unexpected<Error> BadEndpoint(const std::string& endpoint) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("\"{}\" is no endpoint; write ADDRESS:PORT, [IPV6]:PORT, or for icmp and "
                          "icmpv6 ADDRESS",
                          endpoint));
}

// Address and port apart; without brackets where they were.
struct Split {
  std::string address;
  std::optional<uint16_t> port;
};

std::optional<Split> SplitEndpoint(std::string_view text, bool with_port) {
  if (!with_port) return Split{.address = std::string(text), .port = 0};
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  Split split = {.address = std::string(text.substr(0, colon)), .port = std::nullopt};
  const std::string_view digits = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  split.port = port;
  const bool bracketed = split.address.starts_with('[') && split.address.ends_with(']');
  if (bracketed) split.address = split.address.substr(1, split.address.size() - 2);
  const bool is_ipv6 = split.address.find(':') != std::string::npos;
  return bracketed == is_ipv6 ? std::optional(split) : std::nullopt;
}

void SetAddress(const policy::IpAddress& address, NetEvent& event) {
  constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  event.is_ipv6 = address.is_ipv6();
  event.address = address.bytes();
  if (!event.is_ipv6 || !std::equal(kMapped.begin(), kMapped.end(), event.address.begin())) return;
  event.is_ipv6 = false;
  std::ranges::copy_n(address.bytes().begin() + kMapped.size(), 4, event.address.begin());
  std::fill(event.address.begin() + 4, event.address.end(), uint8_t{0});
}

Result<void> Grant(const Arguments& arguments) {
  const Result<NetEvent> resource =
      ParseGrantResource(arguments.action, arguments.protocol, arguments.endpoint);
  if (!resource) return std::unexpected(resource.error());
  engine::GrantRequest request = {
      .resource = *resource, .lifetime = std::nullopt, .uses = arguments.once ? 1 : arguments.uses};
  if (arguments.time) {
    Result<std::chrono::milliseconds> time = ParseDuration(*arguments.time);
    if (!time) return std::unexpected(time.error());
    request.lifetime = *time;
  }
  const Result<Kernel> kernel = OpenKernel();
  if (!kernel) return std::unexpected(kernel.error());
  const Result<engine::Cgroup> run = engine::CgroupOfRun(*kernel->objects, arguments.run);
  if (!run) return std::unexpected(run.error());
  return engine::AddGrant(*kernel->objects, run->id(), request);
}

Result<void> Revoke(const Arguments& arguments) {
  const Result<NetEvent> resource =
      ParseGrantResource(arguments.action, arguments.protocol, arguments.endpoint);
  if (!resource) return std::unexpected(resource.error());
  const Result<Kernel> kernel = OpenKernel();
  if (!kernel) return std::unexpected(kernel.error());
  const Result<engine::Cgroup> run = engine::CgroupOfRun(*kernel->objects, arguments.run);
  if (!run) return std::unexpected(run.error());
  return engine::RevokeGrant(*kernel->objects, *run, *resource);
}

std::vector<std::string> RunIds(const engine::KernelObjects& objects) {
  std::vector<std::string> ids;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(objects.cgroup_path(), failure)) {
    if (entry.is_directory(failure)) ids.push_back(entry.path().filename());
  }
  std::ranges::sort(ids);
  return ids;
}

std::string LineOf(const std::string& run, const engine::Grant& grant) {
  std::string line = fmt::format("{} {}", run, GrantResourceText(grant.resource));
  if (grant.uses != 0) line += fmt::format(" used {} of {}", grant.used, grant.uses);
  if (!grant.left) return line + " until its run ends\n";
  if (grant.left->count() <= 0) return line + " expired\n";
  return line + fmt::format(" for {:.1f} s\n", static_cast<double>(grant.left->count()) / 1000);
}

Result<void> List(const Arguments& arguments) {
  const Result<Kernel> kernel = OpenKernel();
  if (!kernel) return std::unexpected(kernel.error());
  std::string text;
  const std::vector<std::string> runs =
      arguments.run.empty() ? RunIds(*kernel->objects) : std::vector{arguments.run};
  for (const std::string& id : runs) {
    const Result<engine::Cgroup> run = engine::CgroupOfRun(*kernel->objects, id);
    if (!run && !arguments.run.empty()) return std::unexpected(run.error());
    if (!run) continue;
    for (const engine::Grant& grant : engine::ListGrants(*kernel->objects, run->id())) {
      text += LineOf(id, grant);
    }
  }
  return base::WriteAll(STDOUT_FILENO, text, "stdout");
}

void AddResource(CLI::App& verb, Arguments& arguments) {
  verb.add_option("RUN", arguments.run, "id of a live run")->required();
  verb.add_option("ACTION", arguments.action, "net.connect, net.send or net.accept")->required();
  verb.add_option("PROTOCOL", arguments.protocol, "tcp, udp, udplite, icmp or icmpv6")->required();
  verb.add_option("ENDPOINT", arguments.endpoint, "ADDRESS:PORT or [IPV6]:PORT")->required();
}

int StatusOf(const Result<void>& result) {
  if (result) return 0;
  Say(kProgram, result.error().message);
  return 1;
}

}  // namespace

Result<NetEvent> ParseGrantResource(const std::string& action, const std::string& protocol,
                                    const std::string& endpoint) {
  const auto known_action = ByName<NetAction, policy::kNetActionCount>(action, policy::ActionName);
  if (!known_action) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("\"{}\" is no action that is granted; write net.connect, net.send or "
                            "net.accept",
                            action));
  }
  const auto known_protocol =
      ByName<Protocol, policy::kProtocolCount>(protocol, policy::ProtocolName);
  if (!known_protocol) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("\"{}\" is no protocol; write tcp, udp, udplite, icmp or icmpv6", protocol));
  }
  const std::optional<Split> split = SplitEndpoint(endpoint, HasPort(*known_protocol));
  if (!split) return BadEndpoint(endpoint);
  const std::optional<policy::IpAddress> address = policy::IpAddress::Parse(split->address);
  if (!address || address->prefix_length() != address->max_prefix_length() ||
      split->address.find('/') != std::string::npos) {
    return BadEndpoint(endpoint);
  }
  NetEvent event = {.action = *known_action,
                    .protocol = *known_protocol,
                    .is_ipv6 = false,
                    .address = {},
                    .port = *split->port};
  SetAddress(*address, event);
  return event;
}

std::string GrantResourceText(const NetEvent& resource) {
  const std::optional<policy::IpAddress> address =
      policy::IpAddress::Create(resource.is_ipv6, resource.address, resource.is_ipv6 ? 128 : 32);
  std::string endpoint = address ? address->ToString() : "?";
  if (HasPort(resource.protocol)) {
    endpoint =
        fmt::format(fmt::runtime(resource.is_ipv6 ? "[{}]:{}" : "{}:{}"), endpoint, resource.port);
  }
  return fmt::format("{} {} {}", policy::ActionName(resource.action),
                     policy::ProtocolName(resource.protocol), endpoint);
}

void AddGrantCommands(CLI::App& app, int& status) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* grant =
      app.add_subcommand("grant", "allow a live run one address and port, where its policies ask");
  AddResource(*grant, *arguments);
  grant->add_option("--for", arguments->time, "for this time (s, m or h); else until the run ends")
      ->type_name("TIME");
  CLI::Option* once = grant->add_flag("--once", arguments->once, "for one connection or datagram");
  grant->add_option("--uses", arguments->uses, "for so many")->type_name("N")->excludes(once);
  grant->callback([arguments, &status] { status = StatusOf(Grant(*arguments)); });

  CLI::App* grants = app.add_subcommand("grants", "list what live runs were granted");
  grants->add_option("RUN", arguments->run, "of one run alone");
  grants->callback([arguments, &status] { status = StatusOf(List(*arguments)); });

  CLI::App* revoke =
      app.add_subcommand("revoke", "take a grant back, and end the connections that it allowed");
  AddResource(*revoke, *arguments);
  revoke->callback([arguments, &status] { status = StatusOf(Revoke(*arguments)); });
}

}  // namespace palyra::cli
