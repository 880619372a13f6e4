#include "broker/tls_hello.h"

#include <algorithm>
#include <bitset>
#include <memory>

namespace palyra::broker {
namespace {

using Bytes = std::span<const uint8_t>;

// RFC 8446 section 5.1.
constexpr size_t kRecordHeader = 5;
constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kMajorVersion = 3;
constexpr uint8_t kLastMinorVersion = 4;
constexpr size_t kLongestRecord = size_t{1} << 14;

// RFC 8446 section 4.
constexpr size_t kMessageHeader = 4;
constexpr uint8_t kClientHello = 1;
constexpr size_t kRandom = 32;
constexpr size_t kLongestSessionId = 32;

constexpr size_t kServerName = 0;
constexpr size_t kProtocolNames = 16;
constexpr size_t kEncryptedHello = 0xfe0d;
constexpr size_t kEncryptedServerName = 0xffce;
constexpr size_t kHostName = 0;
constexpr size_t kLongestHostName = 255;

// Takes numbers and vectors of the presentation language (RFC 8446 section 3) off the front. What
// is not there is a failure that stays.
class Reader {
 public:
  explicit Reader(Bytes bytes) : rest_(bytes) {}

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] bool ended() const { return rest_.empty() && !failed_; }

  Bytes Take(size_t size) {
    if (size > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const Bytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  size_t Number(size_t width) {
    size_t value = 0;
    for (const uint8_t byte : Take(width)) value = value << 8 | byte;
    return value;
  }

  // A vector with its length before it, in `width` bytes.
  Bytes Vector(size_t width) { return Take(Number(width)); }

 private:
  Bytes rest_;
  bool failed_ = false;
};

std::string Text(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

// Each of these gives what is wrong, or "".
std::string_view ReadServerName(Bytes extension, TlsHello& hello) {
  Reader reader(extension);
  Reader names(reader.Vector(2));
  const size_t type = names.Number(1);
  const Bytes name = names.Vector(2);
  if (!reader.ended() || names.failed()) return "wrong length in server_name";
  if (type != kHostName) return "server_name of an unknown type";
  if (!names.ended()) return "several server names";
  if (name.empty()) return "empty server name";
  if (name.size() > kLongestHostName) return "server name of more than 255 bytes";
  hello.server_name = Text(name);
  return "";
}

std::string_view ReadProtocols(Bytes extension, TlsHello& hello) {
  Reader reader(extension);
  Reader names(reader.Vector(2));
  if (!reader.ended() || names.empty()) return "wrong length in ALPN";
  while (!names.empty()) {
    const Bytes name = names.Vector(1);
    if (names.failed() || name.empty()) return "wrong length in ALPN";
    hello.protocols.push_back(Text(name));
  }
  return "";
}

std::string_view ReadExtensions(Bytes extensions, TlsHello& hello) {
  const auto seen = std::make_unique<std::bitset<0x10000>>();
  Reader reader(extensions);
  while (!reader.empty()) {
    const size_t type = reader.Number(2);
    const Bytes data = reader.Vector(2);
    if (reader.failed()) return "wrong length of an extension";
    if (seen->test(type)) return "an extension twice";
    seen->set(type);
    std::string_view problem;
    if (type == kServerName) problem = ReadServerName(data, hello);
    if (type == kProtocolNames) problem = ReadProtocols(data, hello);
    if (type == kEncryptedHello || type == kEncryptedServerName) hello.encrypted_hello = true;
    if (!problem.empty()) return problem;
  }
  return "";
}

std::string_view ReadHello(Bytes body, TlsHello& hello) {
  Reader reader(body);
  const size_t version = reader.Number(2);
  reader.Take(kRandom);
  const Bytes session_id = reader.Vector(1);
  const Bytes ciphers = reader.Vector(2);
  const Bytes compressions = reader.Vector(1);
  if (reader.failed()) return "ends within its fixed part";
  if (version >> 8 != kMajorVersion) return "unknown version";
  if (session_id.size() > kLongestSessionId) return "session id of more than 32 bytes";
  if (ciphers.empty() || ciphers.size() % 2 != 0) return "wrong length of the cipher suites";
  if (compressions.empty()) return "no compression method";
  if (reader.empty()) return "";
  const Bytes extensions = reader.Vector(2);
  if (!reader.ended()) return "wrong length of the extensions";
  return ReadExtensions(extensions, hello);
}

}  // namespace

TlsHelloReader::State TlsHelloReader::Malformed(std::string_view problem) {
  problem_ = problem;
  return State::kMalformed;
}

TlsHelloReader::State TlsHelloReader::CheckHeader() {
  if (header_[0] != kHandshakeRecord || (header_.size() > 1 && header_[1] != kMajorVersion) ||
      (header_.size() > 2 && header_[2] > kLastMinorVersion)) {
    return message_.empty() ? State::kNotTls : Malformed("another record inside the ClientHello");
  }
  if (header_.size() < kRecordHeader) return State::kMore;
  record_left_ = size_t{header_[3]} << 8 | header_[4];
  if (record_left_ == 0) return Malformed("empty record");
  if (record_left_ > kLongestRecord) return Malformed("record of more than 16384 bytes");
  return State::kMore;
}

TlsHelloReader::State TlsHelloReader::CheckMessage() {
  if (message_[0] != kClientHello) return Malformed("does not begin with a ClientHello");
  if (message_.size() < kMessageHeader) return State::kMore;
  const size_t size =
      kMessageHeader + (size_t{message_[1]} << 16 | size_t{message_[2]} << 8 | message_[3]);
  if (size > kLongestHello) return Malformed("ClientHello of more than 64 KiB");
  if (message_.size() < size) return State::kMore;
  if (record_left_ != 0) return Malformed("more than the ClientHello in its record");
  const std::string_view problem = ReadHello(Bytes(message_).subspan(kMessageHeader), hello_);
  return problem.empty() ? State::kDone : Malformed(problem);
}

TlsHelloReader::State TlsHelloReader::TakeByte(uint8_t byte) {
  if (++taken_ > kLongestHello) return Malformed("ClientHello of more than 64 KiB");
  if (record_left_ == 0) {
    header_.push_back(byte);
    return CheckHeader();
  }
  if (--record_left_ == 0) header_.clear();
  message_.push_back(byte);
  return CheckMessage();
}

TlsHelloReader::State TlsHelloReader::Feed(Bytes bytes) {
  for (const uint8_t byte : bytes) {
    if (state_ != State::kMore) break;
    state_ = TakeByte(byte);
  }
  return state_;
}

}  // namespace palyra::broker
