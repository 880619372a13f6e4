// The head of an HTTP/1.x request (RFC 9112), read so strictly that no server behind can read it in
// another way. Pure: bytes in, answer out.

#ifndef PALYRA_BROKER_HTTP_HEAD_H_
#define PALYRA_BROKER_HTTP_HEAD_H_

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace palyra::broker {

inline constexpr size_t kLongestHead = size_t{32} * 1024;

enum class HttpReject : uint8_t {
  kBadRequestLine,  // No "METHOD target HTTP/d.d": probably no HTTP at all.
  kTooLong,         // A head of more than kLongestHead bytes.
  kControlByte,     // NUL, a CR without LF, a LF without CR, or another control character.
  kBadVersion,      // Neither HTTP/1.0 nor HTTP/1.1.
  kHttp2,           // The preface of HTTP/2 without TLS (RFC 9113 section 3.4).
  kConnect,         // CONNECT asks for a tunnel to anywhere.
  kBadTarget,       // Neither a path, nor "http://…" of that host, nor OPTIONS and "*".
  kFoldedLine,      // A field that goes on in the next line (obs-fold).
  kBadField,        // No field name, or characters that none may have, or space before its colon.
  kNoHost,          // In HTTP/1.0, too.
  kSeveralHosts,    //
  kBadHost,         // Not "name" or "name:port".
  kTargetIsOtherHost,  // "GET http://a/" with "Host: b".
  kUpgrade,            // Another protocol on the same connection, which nobody could check.
  kBadLength,          // A Content-Length that is no number, or several of them.
  kBadCoding,          // A Transfer-Encoding but "chunked", or in HTTP/1.0.
  kLengthAndCoding,    // Both: where request smuggling begins.
  kBadChunk,           // Of a chunked body: its size line, its end, or its trailer fields.
};

// What is wrong, for people: "the request has no Host".
std::string_view HttpRejectText(HttpReject reject);

struct HttpHead {
  std::string method;
  std::string target;  // As it was sent.
  int minor_version = 1;
  std::string host;              // Without the port; not checked further.
  std::optional<uint16_t> port;  // If the Host field has one.
  std::optional<uint64_t> content_length;
  bool chunked = false;
  size_t size = 0;  // In bytes, with the empty line.
};

template <typename T>
using HttpResult = std::expected<T, HttpReject>;

// Finds the empty line behind a request line with fields, or behind trailer fields, over several
// calls without looking at a byte twice.
class SectionScanner {
 public:
  // `stream` begins with the section and goes on with more than at the last call: the size of the
  // section with the empty line; nullopt if that has not come; kControlByte; kTooLong where it
  // would be longer than `limit`.
  HttpResult<std::optional<size_t>> Scan(std::string_view stream, size_t limit);

  // The bytes of whole lines that were seen.
  [[nodiscard]] size_t lines_end() const { return line_start_; }

 private:
  size_t scanned_ = 0;
  size_t line_start_ = 0;
};

// Takes the line at the front off `section`, without its CRLF. There must be one.
std::string_view TakeLine(std::string_view& section);

// "Name: value" with the value's outer blanks taken off (RFC 9112 section 5).
HttpResult<std::pair<std::string_view, std::string_view>> SplitField(std::string_view line);

// Reads one head.
class HttpHeadReader {
 public:
  // `stream` begins with the head and goes on with more than at the last call. nullopt: the head is
  // not complete. What comes behind it is not looked at. No calls after an answer. Line ends are
  // CRLF, and no empty line may come before the request line.
  HttpResult<std::optional<HttpHead>> Read(std::string_view stream);

 private:
  SectionScanner scanner_;
  bool line_checked_ = false;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_HTTP_HEAD_H_
