#include "broker/http_head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

namespace palyra::broker {
namespace {

using std::unexpected;

constexpr size_t kLongestMethod = 32;
constexpr uint16_t kHttpPort = 80;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool SameText(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, Lower, Lower);
}

// RFC 9110 section 5.6.2.
bool IsTokenByte(char c) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return IsDigit(c) || (Lower(c) >= 'a' && Lower(c) <= 'z') || kOthers.contains(c);
}
bool IsToken(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, IsTokenByte);
}

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

template <typename Number>
std::optional<Number> ToNumber(std::string_view digits) {
  Number value = 0;
  if (digits.empty() || !std::ranges::all_of(digits, IsDigit)) return std::nullopt;
  const auto [stop, error] = std::from_chars(digits.begin(), digits.end(), value);
  if (error != std::errc() || stop != digits.end()) return std::nullopt;
  return value;
}

struct Authority {
  std::string_view host;
  std::optional<uint16_t> port;
};

// "host" or "host:port"; an IPv6 address is in brackets. No user, no empty port.
std::optional<Authority> ReadAuthority(std::string_view text) {
  const size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  if (bracket == std::string_view::npos) return std::nullopt;
  const size_t colon = text.find(':', bracket);
  Authority authority = {text.substr(0, colon), std::nullopt};
  constexpr std::string_view kNever = "@/?#,\\ \t";
  if (authority.host.empty() || authority.host.find_first_of(kNever) != std::string_view::npos) {
    return std::nullopt;
  }
  if (colon == std::string_view::npos) return authority;
  authority.port = ToNumber<uint16_t>(text.substr(colon + 1));
  if (!authority.port || *authority.port == 0) return std::nullopt;
  return authority;
}

HttpResult<void> ReadVersion(std::string_view version, HttpHead& head) {
  constexpr size_t kSize = 8;
  if (version.size() != kSize || !version.starts_with("HTTP/") || !IsDigit(version[5]) ||
      version[6] != '.' || !IsDigit(version[7])) {
    return unexpected(HttpReject::kBadRequestLine);
  }
  if (version == "HTTP/2.0" && head.method == "PRI") return unexpected(HttpReject::kHttp2);
  if (version != "HTTP/1.0" && version != "HTTP/1.1") return unexpected(HttpReject::kBadVersion);
  head.minor_version = version.back() - '0';
  return {};
}

HttpResult<void> ReadRequestLine(std::string_view line, HttpHead& head) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return unexpected(HttpReject::kBadRequestLine);
  }
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  if (!IsToken(head.method) || head.method.size() > kLongestMethod) {
    return unexpected(HttpReject::kBadRequestLine);
  }
  if (const auto version = ReadVersion(line.substr(last + 1), head); !version) return version;
  if (head.method == "CONNECT") return unexpected(HttpReject::kConnect);
  const auto printable = [](char c) { return c > ' ' && c < 0x7f; };
  if (head.target.empty() || !std::ranges::all_of(head.target, printable)) {
    return unexpected(HttpReject::kBadTarget);
  }
  return {};
}

HttpResult<void> ReadHost(std::string_view value, HttpHead& head) {
  if (!head.host.empty()) return unexpected(HttpReject::kSeveralHosts);
  const auto authority = ReadAuthority(value);
  if (!authority) return unexpected(HttpReject::kBadHost);
  head.host = authority->host;
  head.port = authority->port;
  return {};
}

HttpResult<void> ReadField(std::string_view name, std::string_view value, HttpHead& head) {
  if (SameText(name, "host")) return ReadHost(value, head);
  if (SameText(name, "upgrade")) return unexpected(HttpReject::kUpgrade);
  if (SameText(name, "content-length")) {
    if (head.content_length) return unexpected(HttpReject::kBadLength);
    head.content_length = ToNumber<uint64_t>(value);
    if (!head.content_length) return unexpected(HttpReject::kBadLength);
  }
  if (SameText(name, "transfer-encoding")) {
    if (head.chunked || head.minor_version == 0 || !SameText(value, "chunked")) {
      return unexpected(HttpReject::kBadCoding);
    }
    head.chunked = true;
  }
  return {};
}

HttpResult<void> CheckTarget(const HttpHead& head) {
  if (head.target.starts_with('/')) return {};
  if (head.target == "*" && head.method == "OPTIONS") return {};
  constexpr std::string_view kScheme = "http://";
  if (!SameText(head.target.substr(0, kScheme.size()), kScheme)) {
    return unexpected(HttpReject::kBadTarget);
  }
  std::string_view rest = head.target;
  rest.remove_prefix(kScheme.size());
  const auto authority = ReadAuthority(rest.substr(0, rest.find_first_of("/?#")));
  if (!authority) return unexpected(HttpReject::kBadTarget);
  if (!SameText(authority->host, head.host) ||
      authority->port.value_or(kHttpPort) != head.port.value_or(kHttpPort)) {
    return unexpected(HttpReject::kTargetIsOtherHost);
  }
  return {};
}

HttpResult<HttpHead> ReadWholeHead(std::string_view section) {
  HttpHead head;
  head.size = section.size();
  if (const auto line = ReadRequestLine(TakeLine(section), head); !line) {
    return unexpected(line.error());
  }
  for (std::string_view line = TakeLine(section); !line.empty(); line = TakeLine(section)) {
    const auto field = SplitField(line);
    if (!field) return unexpected(field.error());
    const auto read = ReadField(field->first, field->second, head);
    if (!read) return unexpected(read.error());
  }
  if (head.host.empty()) return unexpected(HttpReject::kNoHost);
  if (head.chunked && head.content_length) return unexpected(HttpReject::kLengthAndCoding);
  if (const auto target = CheckTarget(head); !target) return unexpected(target.error());
  return head;
}

// Whether what there is of the first line can begin a request: other protocols are told at once.
bool MayBeginRequest(std::string_view stream) {
  const std::string_view method = stream.substr(0, stream.find(' '));
  if (method.size() == stream.size()) {
    return method.size() <= kLongestMethod && std::ranges::all_of(method, IsTokenByte);
  }
  return IsToken(method) && method.size() <= kLongestMethod;
}

}  // namespace

std::string_view HttpRejectText(HttpReject reject) {
  constexpr std::array<std::string_view, 18> kTexts = {
      "this is no HTTP request",
      "the head of the request is longer than 32 KiB",
      "the request has a control character or a line that does not end with CR LF",
      "the request is neither HTTP/1.0 nor HTTP/1.1",
      "HTTP/2 without TLS cannot be checked",
      "CONNECT asks for a tunnel",
      "the request has a target that is not of its host",
      "the request has a field that goes on in the next line",
      "the request has a malformed field",
      "the request has no Host",
      "the request has several Host fields",
      "the request has a malformed Host",
      "the request's target and its Host differ",
      "the request asks for another protocol (Upgrade)",
      "the request has a wrong Content-Length",
      "the request has a Transfer-Encoding other than chunked",
      "the request has both Content-Length and Transfer-Encoding",
      "the request has a malformed chunked body",
  };
  return kTexts.at(static_cast<size_t>(reject));
}

HttpResult<std::optional<size_t>> SectionScanner::Scan(std::string_view stream, size_t limit) {
  const std::string_view allowed = stream.substr(0, limit);
  for (; scanned_ < allowed.size(); ++scanned_) {
    const char c = allowed[scanned_];
    const bool after_cr = scanned_ > 0 && allowed[scanned_ - 1] == '\r';
    if (after_cr != (c == '\n')) return unexpected(HttpReject::kControlByte);
    if (c != '\n') {
      if (IsControl(c) && c != '\r') return unexpected(HttpReject::kControlByte);
      continue;
    }
    const bool is_empty_line = scanned_ == line_start_ + 1;
    line_start_ = scanned_ + 1;
    if (is_empty_line) return line_start_;
  }
  if (stream.size() >= limit) return unexpected(HttpReject::kTooLong);
  return std::nullopt;
}

std::string_view TakeLine(std::string_view& section) {
  const size_t end = section.find("\r\n");
  const std::string_view line = section.substr(0, end);
  section.remove_prefix(end + 2);
  return line;
}

HttpResult<std::pair<std::string_view, std::string_view>> SplitField(std::string_view line) {
  if (line.starts_with(' ') || line.starts_with('\t')) return unexpected(HttpReject::kFoldedLine);
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
    return unexpected(HttpReject::kBadField);
  }
  return std::pair(line.substr(0, colon), Trim(line.substr(colon + 1)));
}

HttpResult<std::optional<HttpHead>> HttpHeadReader::Read(std::string_view stream) {
  if (!MayBeginRequest(stream)) return unexpected(HttpReject::kBadRequestLine);
  const auto size = scanner_.Scan(stream, kLongestHead);
  if (!size) return unexpected(size.error());
  if (!line_checked_ && scanner_.lines_end() > 0) {
    HttpHead head;
    std::string_view section = stream;
    const auto line = ReadRequestLine(TakeLine(section), head);
    if (!line) return unexpected(line.error());
    line_checked_ = true;
  }
  if (!*size) return std::nullopt;
  auto head = ReadWholeHead(stream.substr(0, **size));
  if (!head) return unexpected(head.error());
  return *std::move(head);
}

}  // namespace palyra::broker
