// DNS messages written byte by byte, right and wrong ones; nothing here knows the code under test.

#ifndef PALYRA_TESTS_UNIT_BROKER_WIRE_H_
#define PALYRA_TESTS_UNIT_BROKER_WIRE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace palyra::broker {

using Bytes = std::vector<uint8_t>;

// Flags of a header.
inline constexpr uint16_t kQr = 0x8000;
inline constexpr uint16_t kTc = 0x0200;
inline constexpr uint16_t kRd = 0x0100;
inline constexpr uint16_t kRa = 0x0080;
inline constexpr uint16_t kCd = 0x0010;

// Types.
inline constexpr uint16_t kTypeA = 1;
inline constexpr uint16_t kTypeCname = 5;
inline constexpr uint16_t kTypeSoa = 6;
inline constexpr uint16_t kTypePtr = 12;
inline constexpr uint16_t kTypeTxt = 16;
inline constexpr uint16_t kTypeAaaa = 28;
inline constexpr uint16_t kTypeSrv = 33;
inline constexpr uint16_t kTypeOpt = 41;
inline constexpr uint16_t kTypeHttps = 65;
inline constexpr uint16_t kTypeAny = 255;

// The question's name, from anywhere.
inline constexpr uint16_t kToQuestion = 0xc00c;

// The labels of "a.b.c" and the root; "" is the root alone.
Bytes WireName(std::string_view name);

class Message {
 public:
  Message(uint16_t id, uint16_t flags);

  Message& U8(unsigned value);
  Message& U16(unsigned value);
  Message& U32(uint32_t value);
  Message& Raw(const Bytes& bytes);

  // One of each section; the header's counts follow.
  Message& Question(std::string_view name, uint16_t type, uint16_t klass = 1);
  Message& Answer(const Bytes& owner, uint16_t type, uint32_t ttl, const Bytes& data);
  Message& Authority(const Bytes& owner, uint16_t type, uint32_t ttl, const Bytes& data);
  Message& Additional(const Bytes& owner, uint16_t type, uint16_t klass, uint32_t ttl,
                      const Bytes& data);
  Message& Opt(uint16_t udp_size, uint32_t ttl = 0);

  // Overwrites the count at `offset` of the header (4, 6, 8 or 10).
  Message& Count(size_t offset, unsigned count);

  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

 private:
  void Record(size_t count_offset, const Bytes& owner, uint16_t type, uint16_t klass, uint32_t ttl,
              const Bytes& data);

  Bytes bytes_;
};

Bytes WirePointer(uint16_t pointer);
Bytes WireV4(std::string_view address);
Bytes WireV6(std::string_view address);
// An SOA whose minimum is `minimum`.
Bytes WireSoa(uint32_t minimum);
Bytes WireSrv(uint16_t priority, uint16_t port, std::string_view target);
Bytes WireService(uint16_t priority, std::string_view target, const Bytes& params);

Bytes operator+(Bytes left, const Bytes& right);

uint16_t U16At(const Bytes& bytes, size_t offset);

// Of a header.
uint16_t IdOf(const Bytes& message);
int RcodeOf(const Bytes& message);
bool HasFlag(const Bytes& message, uint16_t flag);
int AnswersOf(const Bytes& message);

}  // namespace palyra::broker

#endif  // PALYRA_TESTS_UNIT_BROKER_WIRE_H_
