// palyra-relay: relays connections of one run by the names that they ask for. palyra-run starts it
// with descriptor 3, where it asks about them (broker/relay_channel.h), 4, a socket that says when
// answers have changed, and then the sockets that it listens at.

#include <fcntl.h>

#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "broker/relay.h"
#include "broker/relay_channel.h"
#include "broker/relay_sandbox.h"
#include "cli/console.h"

namespace palyra::cli {
namespace {

constexpr const char* kProgram = "palyra-relay";
constexpr int kChannel = 3;
constexpr int kChanged = 4;

std::optional<int> CountOf(std::string_view text) {
  int count = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool is_count = failure == std::errc() && end == text.data() + text.size() && count > 0 &&
                        std::cmp_less_equal(count, broker::Relay::kMostListeners);
  return is_count ? std::optional(count) : std::nullopt;
}

Result<void> Serve(int count) {
  std::vector<UniqueFd> listeners;
  listeners.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) listeners.emplace_back(kChanged + 1 + i);
  Result<broker::RelayChannel> channel = broker::RelayChannel::Create(kChannel);
  if (!channel) return std::unexpected(channel.error());
  Result<std::unique_ptr<broker::Relay>> relay =
      broker::Relay::Create(std::move(listeners), *channel);
  if (!relay) return std::unexpected(relay.error());
  if (Result<void> started = (*relay)->Start(); !started) return started;
  if (Result<void> entered = broker::EnterRelaySandbox(); !entered) return entered;
  return (*relay)->Run({.life = kChannel, .changed = kChanged});
}

int Main(std::span<char*> arguments) {
  const std::optional<int> count = arguments.size() == 2 ? CountOf(arguments[1]) : std::nullopt;
  if (!count || fcntl(kChannel, F_GETFD) < 0) {
    Say(kProgram, "this is a part of palyra-run, which starts it where policies name hosts");
    return EXIT_FAILURE;
  }
  const Result<void> served = Serve(*count);
  if (!served) Say(kProgram, served.error().message);
  return served ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace palyra::cli

int main(int argc, char** argv) {
  return palyra::cli::Main(std::span(argv, static_cast<size_t>(argc)));
}
