#include "broker/name_channel.h"

#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <type_traits>

#include "base/domain_name.h"

namespace palyra::broker {
namespace {

constexpr size_t kMostTold = 4096;

std::chrono::nanoseconds NowBoot() {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

struct WireAddress {
  uint8_t size;  // 4 or 16
  uint8_t bytes[16];
};

struct WireQuestion {
  uint8_t kind;
  uint8_t name_size;
  uint16_t address_count;
  uint32_t ttl_seconds;
  uint8_t outcome;
  uint8_t padding[3];
  char name[256];
  WireAddress addresses[kMaxAddresses];
};
static_assert(std::has_unique_object_representations_v<WireQuestion>);
static_assert(base::kMaxNameSize <= UINT8_MAX);

struct WireAnswer {
  uint64_t set;
};
static_assert(kMaxAddresses == 64);

std::optional<NameQuestion> Read(const WireQuestion& wire) {
  const bool is_known = wire.kind <= static_cast<uint8_t>(NameQuestion::Kind::kSettle) &&
                        wire.outcome <= static_cast<uint8_t>(NameOutcome::kPinned);
  if (!is_known || wire.address_count > kMaxAddresses) return std::nullopt;
  NameQuestion question{.kind = static_cast<NameQuestion::Kind>(wire.kind),
                        .name = std::string(wire.name, wire.name_size),
                        .addresses = {},
                        .ttl = std::chrono::seconds(wire.ttl_seconds),
                        .outcome = static_cast<NameOutcome>(wire.outcome)};
  if (base::CanonicalDomain(question.name) != question.name) return std::nullopt;
  for (uint16_t i = 0; i < wire.address_count; ++i) {
    const WireAddress& address = wire.addresses[i];
    const auto known = address.size <= sizeof(address.bytes)
                           ? Address::FromBytes({address.bytes, address.size})
                           : std::nullopt;
    if (!known) return std::nullopt;
    question.addresses.push_back(*known);
  }
  if (question.kind == NameQuestion::Kind::kMayReveal && question.addresses.size() != 1) {
    return std::nullopt;
  }
  return question;
}

}  // namespace

bool NameChannel::MayAsk(std::string_view name) {
  return Ask(static_cast<uint8_t>(NameQuestion::Kind::kMayAsk), name, {}, {}).test(0);
}

bool NameChannel::MayReveal(std::string_view name, const Address& address) {
  return Ask(static_cast<uint8_t>(NameQuestion::Kind::kMayReveal), name, {&address, 1}, {}).test(0);
}

AddressSet NameChannel::Learn(std::string_view name, std::span<const Address> addresses,
                              std::chrono::seconds ttl) {
  if (addresses.empty()) return {};
  const AddressSet all = ~AddressSet() >> (kMaxAddresses - addresses.size());
  // Before the question: what the supervisor counts from is not earlier.
  const std::chrono::nanoseconds end = NowBoot() + ttl;
  const auto key = std::pair(std::string(name), addresses[0].is_v4());
  const auto known = told_.find(key);
  if (known != told_.end() && known->second.end >= end &&
      std::ranges::equal(known->second.addresses, addresses)) {
    return all;
  }
  const AddressSet learned =
      Ask(static_cast<uint8_t>(NameQuestion::Kind::kLearn), name, addresses, ttl);
  if (learned == all) {
    if (told_.size() >= kMostTold) told_.clear();
    told_[key] = {.addresses = {addresses.begin(), addresses.end()}, .end = end};
  }
  return learned;
}

void NameChannel::Settle(std::string_view name, NameOutcome outcome) {
  (void)Ask(static_cast<uint8_t>(NameQuestion::Kind::kSettle), name, {}, {}, outcome);
}

AddressSet NameChannel::Ask(uint8_t kind, std::string_view name, std::span<const Address> addresses,
                            std::chrono::seconds ttl, NameOutcome outcome) {
  WireQuestion question = {};
  if (is_broken_ || name.size() >= sizeof(question.name) || addresses.size() > kMaxAddresses) {
    return {};
  }
  question.kind = kind;
  question.name_size = static_cast<uint8_t>(name.size());
  question.address_count = static_cast<uint16_t>(addresses.size());
  question.ttl_seconds = static_cast<uint32_t>(ttl.count());
  question.outcome = static_cast<uint8_t>(outcome);
  std::ranges::copy(name, question.name);
  for (size_t i = 0; i < addresses.size(); ++i) {
    const std::span<const uint8_t> bytes = addresses[i].bytes();
    question.addresses[i].size = static_cast<uint8_t>(bytes.size());
    std::ranges::copy(bytes, question.addresses[i].bytes);
  }
  WireAnswer answer = {};
  const auto retry = [](auto call) {
    ssize_t size = 0;
    do {
      size = call();
    } while (size < 0 && errno == EINTR);
    return size;
  };
  is_broken_ = retry([&] { return send(fd_, &question, sizeof(question), MSG_NOSIGNAL); }) !=
                   static_cast<ssize_t>(sizeof(question)) ||
               retry([&] { return recv(fd_, &answer, sizeof(answer), 0); }) !=
                   static_cast<ssize_t>(sizeof(answer));
  return is_broken_ ? AddressSet() : AddressSet(answer.set);
}

Result<std::optional<NameQuestion>> ReceiveNameQuestion(int fd) {
  WireQuestion wire;
  const ssize_t size = recv(fd, &wire, sizeof(wire), MSG_DONTWAIT | MSG_TRUNC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (size <= 0) return Fail(ErrorCode::kUnavailable, "the resolver has ended");
  std::optional<NameQuestion> question;
  if (size == static_cast<ssize_t>(sizeof(wire))) question = Read(wire);
  if (!question) return Fail(ErrorCode::kInternal, "the resolver asked what is no question");
  return question;
}

Result<void> AnswerNameQuestion(int fd, const AddressSet& answer) {
  const WireAnswer wire = {.set = answer.to_ullong()};
  if (send(fd, &wire, sizeof(wire), MSG_DONTWAIT | MSG_NOSIGNAL) !=
      static_cast<ssize_t>(sizeof(wire))) {
    return FailErrno(errno, "cannot answer the resolver");
  }
  return {};
}

}  // namespace palyra::broker
