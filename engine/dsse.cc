#include "engine/dsse.h"

#include "base/base64.h"

namespace palyra::engine {
namespace {

std::string Envelope(std::string_view type, std::string_view payload, std::string_view key_id,
                     std::string_view signature) {
  std::string text = R"({"payload":")";
  text.append(base::Base64Text(payload)).append(R"(","payloadType":")").append(type);
  text.append(R"(","signatures":[{"keyid":")").append(key_id).append(R"(","sig":")");
  return text.append(base::Base64Text(signature)).append("\"}]}\n");
}

// What stands between `before` and the next quote.
std::string_view Between(std::string_view text, std::string_view before) {
  const size_t start = text.find(before);
  if (start == std::string_view::npos) return {};
  text.remove_prefix(start + before.size());
  return text.substr(0, text.find('"'));
}

}  // namespace

std::string PreAuthEncoding(std::string_view type, std::string_view payload) {
  std::string text = "DSSEv1 " + std::to_string(type.size()) + ' ';
  text.append(type).append(" ").append(std::to_string(payload.size())).append(" ");
  return text.append(payload);
}

Result<std::string> SealEnvelope(std::string_view type, std::string_view payload,
                                 const base::SigningKey& key) {
  const Result<std::string> signature = key.Sign(PreAuthEncoding(type, payload));
  if (!signature) return std::unexpected(signature.error());
  const Result<base::PublicKey> verifier = key.Public();
  if (!verifier) return std::unexpected(verifier.error());
  const Result<std::string> id = verifier->Id();
  if (!id) return std::unexpected(id.error());
  return Envelope(type, payload, *id, *signature);
}

Result<std::string> OpenEnvelope(std::string_view text, std::string_view type,
                                 const base::PublicKey& key) {
  const Result<std::string> id = key.Id();
  if (!id) return std::unexpected(id.error());
  const auto payload = base::BytesOfBase64(Between(text, R"("payload":")"));
  const auto signature = base::BytesOfBase64(Between(text, R"("sig":")"));
  // It has one form, so what is no part of the payload cannot be changed either.
  if (!payload || !signature || Envelope(type, *payload, *id, *signature) != text) {
    const std::string_view other = Between(text, R"("keyid":")");
    return Fail(ErrorCode::kInvalidArgument,
                other.empty() || other == *id ? "this is not a receipt as it was written"
                                              : "it was not signed by this key, which is " + *id);
  }
  if (!key.Verifies(PreAuthEncoding(type, *payload), *signature)) {
    return Fail(ErrorCode::kInvalidArgument,
                "the signature is wrong: it was changed, or is not "
                "of this key");
  }
  return *payload;
}

}  // namespace palyra::engine
