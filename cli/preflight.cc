#include "cli/preflight.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "policy/named_class.h"

namespace palyra::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string_view WhyNot(broker::NameOutcome outcome) {
  switch (outcome) {
    case broker::NameOutcome::kNotFound:
      return "is no name that the DNS knows";
    case broker::NameOutcome::kNoAnswer:
      return "was not answered for by any server";
    case broker::NameOutcome::kWithheld:
      return "leads to addresses alone that are private or this machine's, and that no policy "
             "permits by themselves";
    case broker::NameOutcome::kNoAddress:
    case broker::NameOutcome::kPinned:
      break;
  }
  return "has no address";
}

// Whether `fd` is readable before `end`.
Result<bool> WaitFor(int fd, steady_clock::time_point end) {
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(end - steady_clock::now());
    if (left <= milliseconds::zero()) return false;
    pollfd waiting = {.fd = fd, .events = POLLIN, .revents = 0};
    const int count = poll(&waiting, 1, static_cast<int>(left.count()));
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return FailErrno(errno, "cannot wait for the resolver");
  }
}

}  // namespace

bool Preflight::MayLeadTo(const std::string& name, const engine::NetAddress& address) const {
  return policy::HasWayOut(policy::NamedClass(
      *rules_, {.is_ipv6 = address.is_ipv6, .bytes = address.bytes, .is_special = true},
      {&name, 1}));
}

broker::AddressSet Preflight::Learn(const broker::NameQuestion& question) {
  broker::AddressSet learned;
  for (size_t i = 0; i < question.addresses.size(); ++i) {
    const engine::NetAddress address = ToEngine(question.addresses[i]);
    const bool is_special = IsSpecialHere(question.addresses[i]);
    const bool may = pins_.size() < engine::kMaxAddressesOfRun &&
                     (!is_special || MayLeadTo(question.name, address));
    learned.set(i, may);
    if (may) {
      pins_.push_back({.name = question.name, .address = address, .is_special = is_special});
    }
  }
  return learned;
}

// What was learned counts, not what the resolver says of it.
void Preflight::Settle(const std::string& name, broker::NameOutcome outcome) {
  if (!settled_.insert(name).second) return;
  const bool is_pinned = std::ranges::any_of(
      pins_, [&](const engine::PinnedAddress& pin) { return pin.name == name; });
  if (is_pinned) return;
  failures_.push_back(fmt::format("\"{}\" {}", name, WhyNot(outcome)));
  has_no_answer_ = has_no_answer_ || outcome == broker::NameOutcome::kNoAnswer;
}

broker::AddressSet Preflight::AnswerTo(const broker::NameQuestion& question) {
  if (!names_.contains(question.name) || settled_.contains(question.name)) return {};
  switch (question.kind) {
    case broker::NameQuestion::Kind::kMayAsk:
      return 1;
    case broker::NameQuestion::Kind::kMayReveal:
      return MayLeadTo(question.name, ToEngine(question.addresses[0])) ? 1 : 0;
    case broker::NameQuestion::Kind::kLearn:
      return Learn(question);
    case broker::NameQuestion::Kind::kSettle:
      Settle(question.name, question.outcome);
      return {};
  }
  std::unreachable();
}

Result<std::vector<engine::PinnedAddress>> Preflight::Run(int channel) {
  const steady_clock::time_point end = steady_clock::now() + kLongest;
  while (!has_ended()) {
    Result<bool> is_readable = WaitFor(channel, end);
    if (!is_readable) return std::unexpected(is_readable.error());
    if (!*is_readable) {
      return Fail(ErrorCode::kRefused,
                  fmt::format("the names of the policies were not resolved within {} s, and so the "
                              "run does not begin (--egress preflight)",
                              kLongest.count()));
    }
    const Result<std::optional<broker::NameQuestion>> question =
        broker::ReceiveNameQuestion(channel);
    if (!question) return std::unexpected(question.error());
    if (!*question) continue;
    if (Result<void> sent = broker::AnswerNameQuestion(channel, AnswerTo(**question)); !sent) {
      return std::unexpected(sent.error());
    }
  }
  if (failures_.empty()) return std::move(pins_);
  return Fail(ErrorCode::kRefused,
              fmt::format("the run does not begin, for a name of its policies cannot be resolved "
                          "(--egress preflight): {}",
                          fmt::join(failures_, "; ")));
}

}  // namespace palyra::cli
