// palyra-resolver: answers the DNS of one run. palyra-run starts it with descriptor 3, where it
// asks about names (broker/name_channel.h), and then the sockets that it serves.

#include <fcntl.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>

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

std::optional<int> CountOf(std::string_view text) {
  int count = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool is_count = failure == std::errc() && end == text.data() + text.size() && count >= 0 &&
                        count <= kMostSockets;
  return is_count ? std::optional(count) : std::nullopt;
}

Result<void> Serve(int udp_count, int tcp_count) {
  Result<std::string> text = base::ReadFile(kServersPath);
  if (!text) return std::unexpected(text.error());
  Result<broker::ResolvConf> servers = broker::ParseResolvConf(*text);
  if (!servers) return std::unexpected(servers.error());

  broker::ResolverSockets sockets;
  int next = kChannel + 1;
  for (int i = 0; i < udp_count; ++i) sockets.udp.emplace_back(next++);
  for (int i = 0; i < tcp_count; ++i) sockets.tcp.emplace_back(next++);
  broker::NameChannel channel(kChannel);
  broker::ResolverOptions options;
  options.attempts = servers->attempts;
  Result<broker::Resolver> resolver =
      broker::Resolver::Create(std::move(sockets), std::move(servers->servers), options, channel);
  if (!resolver) return std::unexpected(resolver.error());
  if (Result<void> entered = broker::EnterResolverSandbox(); !entered) return entered;
  // Nobody writes there unasked: it is readable when the run has ended.
  return resolver->Run(kChannel);
}

int Main(std::span<char*> arguments) {
  const std::optional<int> udp = arguments.size() == 3 ? CountOf(arguments[1]) : std::nullopt;
  const std::optional<int> tcp = arguments.size() == 3 ? CountOf(arguments[2]) : std::nullopt;
  if (!udp || !tcp || fcntl(kChannel, F_GETFD) < 0) {
    Say(kProgram, "this is a part of palyra-run, which starts it where policies name hosts");
    return EXIT_FAILURE;
  }
  const Result<void> served = Serve(*udp, *tcp);
  if (!served) Say(kProgram, served.error().message);
  return served ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace palyra::cli

int main(int argc, char** argv) {
  return palyra::cli::Main(std::span(argv, static_cast<size_t>(argc)));
}
