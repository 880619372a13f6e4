// The key that receipts of runs are signed with: one of this machine, made when it is first needed.
//
//     <directory>/receipt.key    private, PEM, for root alone
//     <directory>/receipt.pub    public, PEM, for everybody
//     <directory>/lock

#ifndef PALYRA_ENGINE_RECEIPT_KEY_H_
#define PALYRA_ENGINE_RECEIPT_KEY_H_

#include <string>

#include "base/ed25519.h"
#include "base/result.h"

namespace palyra::engine {

inline constexpr const char* kReceiptKeys = "/var/lib/palyra/keys";

// Makes the directory, and the key where there is none; concurrent callers get the same. What
// others than root could have changed, and a private key that others may read, is refused
// (kPermissionDenied).
Result<base::SigningKey> ReceiptKey(const std::string& directory = kReceiptKeys);

// As PEM. kNotFound where no receipt was ever asked for.
Result<std::string> ReceiptPublicKey(const std::string& directory = kReceiptKeys);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_RECEIPT_KEY_H_
