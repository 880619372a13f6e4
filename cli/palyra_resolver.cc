// palyra-resolver: answers the DNS of one run. palyra-run starts it with descriptor 3, where it
// asks about names (broker/name_channel.h), and then the sockets that it serves:
//
//   palyra-resolver UDP_COUNT TCP_COUNT            names are looked up as the run asks
//   palyra-resolver UDP_COUNT TCP_COUNT pin NAME…  these names are, before it; no others ever

#include <fcntl.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/unique_fd.h"
#include "broker/name_channel.h"
#include "broker/resolv_conf.h"
#include "broker/resolver.h"
#include "broker/resolver_sandbox.h"
#include "cli/console.h"

namespace palyra::cli {
namespace {

constexpr const char* kProgram = "palyra-resolver";
constexpr const char* kServersPath = "/etc/resolv.conf";
constexpr int kChannel = 3;
constexpr int kMostSockets = 64;
constexpr const char* kPin = "pin";

std::optional<int> CountOf(std::string_view text) {
  int count = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool is_count = failure == std::errc() && end == text.data() + text.size() && count >= 0 &&
                        count <= kMostSockets;
  return is_count ? std::optional(count) : std::nullopt;
}

using Pins = std::optional<std::vector<std::string>>;

Result<broker::ResolvConf> ReadServers(const Pins& pins) {
  if (pins && pins->empty()) return broker::ResolvConf();
  Result<std::string> text = base::ReadFile(kServersPath);
  if (!text) return std::unexpected(text.error());
  return broker::ParseResolvConf(*text);
}

Result<void> Serve(int udp_count, int tcp_count, const Pins& pins) {
  Result<broker::ResolvConf> servers = ReadServers(pins);
  if (!servers) return std::unexpected(servers.error());

  broker::ResolverSockets sockets;
  int next = kChannel + 1;
  for (int i = 0; i < udp_count; ++i) sockets.udp.emplace_back(next++);
  for (int i = 0; i < tcp_count; ++i) sockets.tcp.emplace_back(next++);
  broker::NameChannel channel(kChannel);
  broker::ResolverOptions options;
  options.attempts = servers->attempts;
  options.pins = pins;
  Result<broker::Resolver> resolver =
      broker::Resolver::Create(std::move(sockets), std::move(servers->servers), options, channel);
  if (!resolver) return std::unexpected(resolver.error());
  if (Result<void> entered = broker::EnterResolverSandbox(); !entered) return entered;
  if (pins) {
    if (Result<void> resolved = resolver->Preflight(kChannel); !resolved) return resolved;
    if (Result<void> given_up = broker::ForbidNewSockets(); !given_up) return given_up;
  }
  // Nobody writes there unasked: it is readable when the run has ended.
  return resolver->Run(kChannel);
}

int Main(std::span<char*> arguments) {
  const bool has_pins = arguments.size() > 3 && std::string_view(arguments[3]) == kPin;
  const bool is_whole = arguments.size() == 3 || has_pins;
  const std::optional<int> udp = is_whole ? CountOf(arguments[1]) : std::nullopt;
  const std::optional<int> tcp = is_whole ? CountOf(arguments[2]) : std::nullopt;
  Pins pins;
  if (has_pins) pins.emplace(arguments.begin() + 4, arguments.end());
  if (!udp || !tcp || fcntl(kChannel, F_GETFD) < 0) {
    Say(kProgram, "this is a part of palyra-run, which starts it where policies name hosts");
    return EXIT_FAILURE;
  }
  const Result<void> served = Serve(*udp, *tcp, pins);
  if (!served) Say(kProgram, served.error().message);
  return served ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace palyra::cli

int main(int argc, char** argv) {
  return palyra::cli::Main(std::span(argv, static_cast<size_t>(argc)));
}
