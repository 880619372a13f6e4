// The process that signs a receipt, from the side of palyra-run: only it sees the key, and only it
// brings along a library for signatures, which would make every run start later.
//
// What both say on the channel is one message: kSignerDone, or kSignerFailed and why. The signer
// says so once it has the key, and again when it is told, by kSignerDone, that the payload is
// there.

#ifndef PALYRA_CLI_RECEIPT_SIGNER_H_
#define PALYRA_CLI_RECEIPT_SIGNER_H_

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "cli/service_process.h"

namespace palyra::cli {

inline constexpr std::string_view kReceiptType = "application/vnd.palyra.receipt.v1+json";

inline constexpr const char* kSignerProgram = "palyra-signer";
inline constexpr int kSignerChannel = 3;
inline constexpr int kSignerFile = 4;     // The receipt.
inline constexpr int kSignerPayload = 5;  // A file without a name.
inline constexpr char kSignerDone = '+';
inline constexpr char kSignerFailed = '-';
inline constexpr size_t kSignerMost = 4096;  // Bytes of a message.

class ReceiptSigner {
 public:
  // For one receipt, into that file. Returns when it has the key.
  static Result<ReceiptSigner> Start(UniqueFd file);

  // Once. The receipt is written when it returns.
  [[nodiscard]] Result<void> Sign(std::string_view payload) const;

 private:
  explicit ReceiptSigner(ServiceProcess process) : process_(std::move(process)) {}

  ServiceProcess process_;
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RECEIPT_SIGNER_H_
