#include "tests/unit/broker/wire.h"

#include <arpa/inet.h>

#include <ranges>

namespace palyra::broker {
namespace {

constexpr size_t kQuestions = 4;
constexpr size_t kAnswers = 6;
constexpr size_t kAuthorities = 8;
constexpr size_t kAdditional = 10;

}  // namespace

Bytes WireName(std::string_view name) {
  Bytes bytes;
  for (const auto label : std::views::split(name, '.')) {
    if (label.empty()) continue;
    bytes.push_back(static_cast<uint8_t>(std::ranges::distance(label)));
    for (const char c : label) bytes.push_back(static_cast<uint8_t>(c));
  }
  bytes.push_back(0);
  return bytes;
}

Message::Message(uint16_t id, uint16_t flags) { U16(id).U16(flags).U32(0).U32(0); }

Message& Message::U8(unsigned value) {
  bytes_.push_back(static_cast<uint8_t>(value));
  return *this;
}

Message& Message::U16(unsigned value) { return U8(value >> 8).U8(value & 0xff); }

Message& Message::U32(uint32_t value) { return U16(value >> 16).U16(value & 0xffff); }

Message& Message::Raw(const Bytes& bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return *this;
}

Message& Message::Count(size_t offset, unsigned count) {
  bytes_[offset] = static_cast<uint8_t>(count >> 8);
  bytes_[offset + 1] = static_cast<uint8_t>(count & 0xff);
  return *this;
}

Message& Message::Question(std::string_view name, uint16_t type, uint16_t klass) {
  Count(kQuestions, U16At(bytes_, kQuestions) + 1U);
  return Raw(WireName(name)).U16(type).U16(klass);
}

void Message::Record(size_t count_offset, const Bytes& owner, uint16_t type, uint16_t klass,
                     uint32_t ttl, const Bytes& data) {
  Count(count_offset, U16At(bytes_, count_offset) + 1U);
  Raw(owner).U16(type).U16(klass).U32(ttl).U16(static_cast<unsigned>(data.size())).Raw(data);
}

Message& Message::Answer(const Bytes& owner, uint16_t type, uint32_t ttl, const Bytes& data) {
  Record(kAnswers, owner, type, 1, ttl, data);
  return *this;
}

Message& Message::Authority(const Bytes& owner, uint16_t type, uint32_t ttl, const Bytes& data) {
  Record(kAuthorities, owner, type, 1, ttl, data);
  return *this;
}

Message& Message::Additional(const Bytes& owner, uint16_t type, uint16_t klass, uint32_t ttl,
                             const Bytes& data) {
  Record(kAdditional, owner, type, klass, ttl, data);
  return *this;
}

Message& Message::Opt(uint16_t udp_size, uint32_t ttl) {
  return Additional({0}, kTypeOpt, udp_size, ttl, {});
}

Bytes WirePointer(uint16_t pointer) {
  return {static_cast<uint8_t>(pointer >> 8), static_cast<uint8_t>(pointer & 0xff)};
}

Bytes WireV4(std::string_view address) {
  Bytes bytes(4);
  inet_pton(AF_INET, std::string(address).c_str(), bytes.data());
  return bytes;
}

Bytes WireV6(std::string_view address) {
  Bytes bytes(16);
  inet_pton(AF_INET6, std::string(address).c_str(), bytes.data());
  return bytes;
}

Bytes WireSoa(uint32_t minimum) {
  // After the header that is cut off: two names and five numbers.
  Message message(0, 0);
  message.Raw(WireName("ns.example")).Raw(WireName("admin.example"));
  for (const uint32_t number : {1U, 7200U, 3600U, 86400U}) message.U32(number);
  const Bytes& bytes = message.U32(minimum).bytes();
  return {bytes.begin() + 12, bytes.end()};
}

Bytes WireSrv(uint16_t priority, uint16_t port, std::string_view target) {
  return WirePointer(priority) + Bytes{0, 1} + WirePointer(port) + WireName(target);
}

Bytes WireService(uint16_t priority, std::string_view target, const Bytes& params) {
  return WirePointer(priority) + WireName(target) + params;
}

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

uint16_t U16At(const Bytes& bytes, size_t offset) {
  if (offset + 1 >= bytes.size()) return 0;
  return static_cast<uint16_t>((bytes[offset] << 8) | bytes[offset + 1]);
}

uint16_t IdOf(const Bytes& message) { return U16At(message, 0); }

int RcodeOf(const Bytes& message) { return U16At(message, 2) & 0xf; }

bool HasFlag(const Bytes& message, uint16_t flag) { return (U16At(message, 2) & flag) != 0; }

int AnswersOf(const Bytes& message) { return U16At(message, kAnswers); }

}  // namespace palyra::broker
