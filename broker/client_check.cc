#include "broker/client_check.h"

#include <fmt/format.h>

#include <array>
#include <span>
#include <utility>

#include "base/domain_name.h"

namespace palyra::broker {
namespace {

using Verdict = ClientCheck::Verdict;
using Kind = ClientCheck::Kind;

constexpr char kHandshakeRecord = 22;

// RFC 8446 section 6, RFC 6066 section 3.
enum class Alert : uint8_t {
  kAccessDenied = 49,
  kDecodeError = 50,
  kInternalError = 80,
  kUnrecognizedName = 112,
};

Verdict Deny(RelayReason reason, std::string_view detail = "") {
  return {Kind::kDeny, 0, reason, detail};
}

Alert AlertOf(RelayReason reason) {
  switch (reason) {
    case RelayReason::kBadHello:
      return Alert::kDecodeError;
    case RelayReason::kUnreachable:
    case RelayReason::kNoAddress:
      return Alert::kInternalError;
    case RelayReason::kNoServerName:
    case RelayReason::kBadName:
    case RelayReason::kNameNotAllowed:
      return Alert::kUnrecognizedName;
    default:
      return Alert::kAccessDenied;
  }
}

std::string TlsReply(RelayReason reason) {
  constexpr char kFatal = 2;
  std::string record = {21, 3, 3, 0, 2, kFatal};
  record += static_cast<char>(AlertOf(reason));
  return record;
}

std::string HttpReply(RelayReason reason, std::string_view detail, std::string_view name) {
  const bool failed = reason == RelayReason::kUnreachable || reason == RelayReason::kNoAddress;
  const std::string_view why = detail.empty() ? RelayReasonText(reason) : detail;
  const std::string body =
      name.empty() ? fmt::format("palyra: {}\n", why) : fmt::format("palyra: {}: {}\n", name, why);
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n"
      "Connection: close\r\n\r\n{}",
      failed ? "502 Bad Gateway" : "403 Forbidden", body.size(), body);
}

}  // namespace

std::string_view RelayReasonText(RelayReason reason) {
  constexpr std::array<std::string_view, 15> kTexts = {
      "allowed",
      "too many connections at once",
      "the destination of the connection is unknown",
      "the client did not say in time which name it wants",
      "neither TLS nor HTTP, so there is no name to check",
      "the TLS hello is malformed",
      "the TLS hello names no server",
      "the name is not a domain name",
      "the TLS hello may hide another name (ECH)",
      "the request is malformed",
      "the port of the Host is not the one of the connection",
      "the request is for another name than the first on its connection",
      "the name is not one that this run may reach",
      "no address of the name is known",
      "no address of the name could be connected to",
  };
  return kTexts.at(static_cast<size_t>(reason));
}

Verdict ClientCheck::Check(std::string_view held) {
  if (held.empty()) return {};
  if (protocol_ == Protocol::kUnknown) {
    protocol_ = held.front() == kHandshakeRecord ? Protocol::kTls : Protocol::kHttp;
  }
  return protocol_ == Protocol::kTls ? CheckHello(held) : CheckRequests(held);
}

Verdict ClientCheck::CheckHello(std::string_view held) {
  const std::string_view fresh = held.substr(fed_);
  fed_ = held.size();
  switch (hello_.Feed({reinterpret_cast<const uint8_t*>(fresh.data()), fresh.size()})) {
    case TlsHelloReader::State::kMore:
      return {};
    case TlsHelloReader::State::kNotTls:
      protocol_ = Protocol::kUnknown;
      return Deny(RelayReason::kNotTlsOrHttp);
    case TlsHelloReader::State::kMalformed:
      return Deny(RelayReason::kBadHello, hello_.problem());
    case TlsHelloReader::State::kDone:
      break;
  }
  const TlsHello& hello = hello_.hello();
  if (!hello.server_name) return Deny(RelayReason::kNoServerName);
  const auto denied = CheckName(*hello.server_name);
  if (denied) return *denied;
  if (hello.encrypted_hello) return Deny(RelayReason::kEncryptedHello);
  opaque_ = true;
  hello_ = {};
  return {Kind::kPass, held.size(), RelayReason::kNone, ""};
}

Verdict ClientCheck::CheckRequests(std::string_view held) {
  const auto step = requests_.Next(held);
  if (!step) {
    if (step.error() != HttpReject::kBadRequestLine) {
      return Deny(RelayReason::kBadRequest, HttpRejectText(step.error()));
    }
    if (name_.empty()) protocol_ = Protocol::kUnknown;
    return Deny(RelayReason::kNotTlsOrHttp);
  }
  switch (step->kind) {
    case RequestStream::Kind::kMore:
      return {};
    case RequestStream::Kind::kHead:
      return CheckRequest(step->size);
    case RequestStream::Kind::kBody:
      return {Kind::kPass, step->size, RelayReason::kNone, ""};
  }
  std::unreachable();
}

Verdict ClientCheck::CheckRequest(size_t size) {
  const HttpHead& head = requests_.head();
  const auto denied = CheckName(head.host);
  if (denied) return *denied;
  if (head.port.value_or(destination_.port) != destination_.port) {
    return Deny(RelayReason::kOtherPort);
  }
  return {Kind::kPass, size, RelayReason::kNone, ""};
}

std::optional<Verdict> ClientCheck::CheckName(std::string_view raw) {
  auto name = base::CanonicalDomain(raw);
  if (!name) return Deny(RelayReason::kBadName);
  if (!name_.empty() && *name != name_) return Deny(RelayReason::kOtherHost);
  if (!name_.empty()) return std::nullopt;
  name_ = *std::move(name);
  auto addresses = authority_.Reach(name_, destination_);
  if (!addresses) return Deny(RelayReason::kNameNotAllowed);
  addresses_ = *std::move(addresses);
  return std::nullopt;
}

std::string ClientCheck::ReplyTo(RelayReason reason, std::string_view detail) const {
  switch (protocol_) {
    case Protocol::kTls:
      return TlsReply(reason);
    case Protocol::kHttp:
      return HttpReply(reason, detail, name_);
    case Protocol::kUnknown:
      return "";
  }
  std::unreachable();
}

}  // namespace palyra::broker
