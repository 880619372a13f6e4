// The ClientHello that a TLS client begins with: the name it wants (RFC 6066 section 3) and whether
// it hides another one (Encrypted Client Hello). Pure: bytes in, answer out.

#ifndef PALYRA_BROKER_TLS_HELLO_H_
#define PALYRA_BROKER_TLS_HELLO_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace palyra::broker {

// Of all records with their headers; browsers with post-quantum keys need about 2 KiB.
inline constexpr size_t kLongestHello = size_t{64} * 1024;

struct TlsHello {
  // The host_name of the server_name extension as it was sent, at most 255 bytes, of any value; not
  // there if the extension is not.
  std::optional<std::string> server_name;
  // The encrypted_client_hello extension (0xfe0d) or its predecessor (0xffce) is there. A real one
  // cannot be told from GREASE, which carries nothing.
  bool encrypted_hello = false;
  std::vector<std::string> protocols;  // ALPN (RFC 7301), in the client's order.
};

// Reads one ClientHello (RFC 8446 section 4.1.2; older versions differ in nothing that is read
// here) from a byte stream that comes in any parts.
class TlsHelloReader {
 public:
  enum class State : uint8_t {
    kMore,       // What came so far may begin a ClientHello.
    kNotTls,     // No TLS record of a handshake: also SSL 2's hello.
    kMalformed,  // TLS, but not a ClientHello that every server reads in the same way.
    kDone,
  };

  // Takes the bytes that follow those of earlier calls. What comes behind the ClientHello is not
  // looked at, except that its record must end with it. The answer is final unless it is kMore.
  //
  // Malformed are, beside wrong lengths: records or messages of other types in between, empty
  // records, more than kLongestHello bytes, any extension twice, and a server_name that is empty,
  // longer than 255 bytes, of another type than host_name, or one of several.
  State Feed(std::span<const uint8_t> bytes);

  // What was read; only in state kDone.
  [[nodiscard]] const TlsHello& hello() const { return hello_; }

  // What is malformed, for people; a constant.
  [[nodiscard]] std::string_view problem() const { return problem_; }

 private:
  State TakeByte(uint8_t byte);
  State CheckHeader();
  State CheckMessage();
  State Malformed(std::string_view problem);

  State state_ = State::kMore;
  size_t taken_ = 0;
  std::vector<uint8_t> header_;   // Of the record that is being read: at most five bytes.
  size_t record_left_ = 0;        // Its bytes that are still to come.
  std::vector<uint8_t> message_;  // The handshake message, with its own header.
  TlsHello hello_;
  std::string_view problem_;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_TLS_HELLO_H_
