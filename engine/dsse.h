// A signed statement in one file: a Dead Simple Signing Envelope (DSSE 1.0,
// https://github.com/secure-systems-lab/dsse), which others can verify, too.
//
//     {"payload":"<base64>","payloadType":"<type>","signatures":[{"keyid":"<id>","sig":"<base64>"}]}
//
// on one line. The signature is over the PAE of type and payload; the id is PublicKey::Id().

#ifndef PALYRA_ENGINE_DSSE_H_
#define PALYRA_ENGINE_DSSE_H_

#include <string>
#include <string_view>

#include "base/ed25519.h"
#include "base/result.h"

namespace palyra::engine {

// "DSSEv1 <length of type> <type> <length of payload> <payload>": what is signed.
std::string PreAuthEncoding(std::string_view type, std::string_view payload);

// `type` without quotes and backslashes.
Result<std::string> SealEnvelope(std::string_view type, std::string_view payload,
                                 const base::SigningKey& key);

// The payload. kInvalidArgument where one byte of `text` is not as SealEnvelope() has written it
// for this type and key.
Result<std::string> OpenEnvelope(std::string_view text, std::string_view type,
                                 const base::PublicKey& key);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_DSSE_H_
