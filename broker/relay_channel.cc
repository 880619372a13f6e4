#include "broker/relay_channel.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "base/domain_name.h"

namespace palyra::broker {
namespace {

enum class Kind : uint8_t { kOriginalDestination, kReach, kRecord };

struct WireEndpoint {
  uint8_t size;  // Of the address: 4 or 16; 0 where there is none.
  uint8_t zero;
  uint16_t port;
  uint8_t bytes[16];
};

struct WireQuestion {
  uint8_t kind;
  uint8_t outcome;  // This and the reason: kRecord
  uint8_t reason;
  uint8_t detail_size;
  uint8_t name_size;
  uint8_t zero[3];
  WireEndpoint client;  // kOriginalDestination, kRecord
  WireEndpoint
      destination;   // kReach, and kRecord if it is known; kOriginalDestination: the local one
  char name[256];    // kReach, and kRecord if it is known
  char detail[128];  // kRecord
};

struct WireAnswer {
  uint8_t is_yes;
  uint8_t count;
  uint8_t zero[2];
  WireEndpoint endpoints[kMostAddresses];  // kOriginalDestination: one
};
static_assert(std::has_unique_object_representations_v<WireQuestion>);
static_assert(std::has_unique_object_representations_v<WireAnswer>);
static_assert(base::kMaxNameSize <= UINT8_MAX);

WireEndpoint ToWire(const std::optional<Endpoint>& endpoint) {
  WireEndpoint wire = {};
  if (!endpoint) return wire;
  const std::span<const uint8_t> bytes = endpoint->address.bytes();
  wire.size = static_cast<uint8_t>(bytes.size());
  wire.port = endpoint->port;
  std::ranges::copy(bytes, wire.bytes);
  return wire;
}

// False for what ToWire() does not write.
bool Read(const WireEndpoint& wire, std::optional<Endpoint>& endpoint) {
  endpoint.reset();
  if (wire.size > sizeof(wire.bytes)) return false;
  const auto address = Address::FromBytes({wire.bytes, wire.size});
  if (address) endpoint = Endpoint{*address, wire.port};
  return address || wire.size == 0;
}

// What `call` gives, which may be interrupted.
template <typename Call>
ssize_t Whole(const Call& call) {
  ssize_t size = 0;
  do {
    size = call();
  } while (size < 0 && errno == EINTR);
  return size;
}

template <typename Wire>
std::span<const char> BytesOf(const Wire& wire) {
  return {reinterpret_cast<const char*>(&wire), sizeof(wire)};
}

WireQuestion QuestionOf(Kind kind) {
  WireQuestion question = {};
  question.kind = static_cast<uint8_t>(kind);
  return question;
}

template <size_t kCapacity>
void Put(std::string_view text, char (&field)[kCapacity], uint8_t& size) {
  const std::string_view part = text.substr(0, std::min(kCapacity, size_t{UINT8_MAX}));
  std::ranges::copy(part, field);
  size = static_cast<uint8_t>(part.size());
}

}  // namespace

Result<RelayChannel> RelayChannel::Create(int fd, std::chrono::milliseconds patience) {
  const timeval time = {.tv_sec = patience.count() / 1000,
                        .tv_usec = patience.count() % 1000 * 1000};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) != 0) {
    return FailErrno(errno, "cannot set up the relay's channel");
  }
  return RelayChannel(fd);
}

void RelayChannel::Break() {
  is_broken_ = true;
  shutdown(fd_, SHUT_RDWR);
}

bool RelayChannel::Send(std::span<const char> message) {
  if (is_broken_) return false;
  const ssize_t size =
      Whole([&] { return send(fd_, message.data(), message.size(), MSG_NOSIGNAL); });
  if (std::cmp_not_equal(size, message.size())) Break();
  return !is_broken_;
}

bool RelayChannel::Receive(std::span<char> message) {
  if (is_broken_) return false;
  const ssize_t size = Whole([&] { return recv(fd_, message.data(), message.size(), MSG_TRUNC); });
  if (std::cmp_not_equal(size, message.size())) Break();
  return !is_broken_;
}

std::optional<std::vector<Endpoint>> RelayChannel::Ask(std::span<const char> question) {
  WireAnswer answer = {};
  const bool is_answered =
      Send(question) && Receive({reinterpret_cast<char*>(&answer), sizeof(answer)});
  if (!is_answered || answer.is_yes == 0) return std::nullopt;
  std::vector<Endpoint> endpoints;
  for (const WireEndpoint& wire :
       std::span(answer.endpoints).first(std::min<size_t>(answer.count, kMostAddresses))) {
    std::optional<Endpoint> endpoint;
    if (Read(wire, endpoint) && endpoint) endpoints.push_back(*endpoint);
  }
  return endpoints;
}

std::optional<Endpoint> RelayChannel::OriginalDestination(const Endpoint& client,
                                                          const Endpoint& local) {
  WireQuestion question = QuestionOf(Kind::kOriginalDestination);
  question.client = ToWire(client);
  question.destination = ToWire(local);
  const auto endpoints = Ask(BytesOf(question));
  if (!endpoints || endpoints->empty()) return std::nullopt;
  return endpoints->front();
}

std::optional<std::vector<Endpoint>> RelayChannel::Reach(std::string_view name,
                                                         const Endpoint& destination) {
  WireQuestion question = QuestionOf(Kind::kReach);
  question.destination = ToWire(destination);
  Put(name, question.name, question.name_size);
  return Ask(BytesOf(question));
}

void RelayChannel::Record(const RelayEvent& event) {
  WireQuestion question = QuestionOf(Kind::kRecord);
  question.outcome = static_cast<uint8_t>(event.outcome);
  question.reason = static_cast<uint8_t>(event.reason);
  question.client = ToWire(event.client);
  question.destination = ToWire(event.destination);
  Put(event.name, question.name, question.name_size);
  Put(event.detail, question.detail, question.detail_size);
  (void)Send(BytesOf(question));
}

namespace {

// What a question says, once it is known to be one.
struct Question {
  Kind kind = Kind::kOriginalDestination;
  std::string name;  // Canonical or empty.
  std::optional<Endpoint> client;
  std::optional<Endpoint> destination;
};

bool IsPrintable(char c) { return c >= ' ' && c <= '~'; }

bool IsEvent(const WireQuestion& wire) {
  return wire.outcome <= static_cast<uint8_t>(RelayEvent::Outcome::kFailed) &&
         wire.reason <= static_cast<uint8_t>(RelayReason::kUnreachable) &&
         wire.detail_size <= sizeof(wire.detail) &&
         std::ranges::all_of(std::string_view(wire.detail, wire.detail_size), IsPrintable);
}

std::optional<Question> Read(const WireQuestion& wire) {
  if (wire.kind > static_cast<uint8_t>(Kind::kRecord)) return std::nullopt;
  Question question;
  question.kind = static_cast<Kind>(wire.kind);
  question.name = std::string(wire.name, wire.name_size);
  if (!Read(wire.client, question.client) || !Read(wire.destination, question.destination)) {
    return std::nullopt;
  }
  const bool has_name = !question.name.empty();
  if (has_name && base::CanonicalDomain(question.name) != question.name) return std::nullopt;
  bool is_whole = false;
  switch (question.kind) {
    case Kind::kOriginalDestination:
      is_whole = question.client && question.destination && !has_name;
      break;
    case Kind::kReach:
      is_whole = question.destination && has_name;
      break;
    case Kind::kRecord:
      is_whole = question.client && IsEvent(wire);
      break;
  }
  return is_whole ? std::optional(std::move(question)) : std::nullopt;
}

WireAnswer AnswerTo(const Question& question, RelayAuthority& authority) {
  WireAnswer answer = {};
  if (question.kind == Kind::kOriginalDestination) {
    const auto original = authority.OriginalDestination(*question.client, *question.destination);
    answer.is_yes = answer.count = original ? 1 : 0;
    answer.endpoints[0] = ToWire(original);
    return answer;
  }
  const auto addresses = authority.Reach(question.name, *question.destination);
  if (!addresses) return answer;
  answer.is_yes = 1;
  for (const Endpoint& address :
       std::span(*addresses).first(std::min(addresses->size(), kMostAddresses))) {
    answer.endpoints[answer.count++] = ToWire(address);
  }
  return answer;
}

}  // namespace

Result<bool> AnswerRelayQuestion(int fd, RelayAuthority& authority) {
  WireQuestion wire;
  const ssize_t size = recv(fd, &wire, sizeof(wire), MSG_DONTWAIT | MSG_TRUNC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (size <= 0) return Fail(ErrorCode::kUnavailable, "the relay has ended");
  std::optional<Question> question;
  if (std::cmp_equal(size, sizeof(wire))) question = Read(wire);
  if (!question) return Fail(ErrorCode::kInternal, "the relay asked what is no question");
  if (question->kind == Kind::kRecord) {
    authority.Record({.outcome = static_cast<RelayEvent::Outcome>(wire.outcome),
                      .reason = static_cast<RelayReason>(wire.reason),
                      .detail = {wire.detail, wire.detail_size},
                      .name = std::move(question->name),
                      .client = *question->client,
                      .destination = question->destination});
    return true;
  }
  const WireAnswer answer = AnswerTo(*question, authority);
  if (send(fd, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL) !=
      static_cast<ssize_t>(sizeof(answer))) {
    return Fail(ErrorCode::kUnavailable, "the relay does not take answers");
  }
  return true;
}

}  // namespace palyra::broker
