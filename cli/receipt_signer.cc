#include "cli/receipt_signer.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <vector>

#include "base/file.h"

namespace palyra::cli {
namespace {

Result<void> HearFrom(int channel) {
  std::array<char, kSignerMost> message;
  ssize_t size = 0;
  do {
    size = recv(channel, message.data(), message.size(), 0);
  } while (size < 0 && errno == EINTR);
  if (size > 0 && message[0] == kSignerDone) return {};
  const std::string_view why(message.data(), size > 0 ? static_cast<size_t>(size) : 0);
  return Fail(ErrorCode::kInternal, "no receipt: " + (why.size() > 1 ? std::string(why.substr(1))
                                                                     : "its signer has died"));
}

}  // namespace

Result<ReceiptSigner> ReceiptSigner::Start(UniqueFd file) {
  UniqueFd payload(memfd_create("receipt", MFD_CLOEXEC));
  if (!payload.valid()) return FailErrno(errno, "cannot make a file for the receipt");
  std::vector<UniqueFd> files;
  files.push_back(std::move(file));
  files.push_back(std::move(payload));
  Result<ServiceProcess> process = ServiceProcess::Start(kSignerProgram, std::move(files), {});
  if (!process) return std::unexpected(process.error());
  if (Result<void> ready = HearFrom(process->channel()); !ready) {
    return std::unexpected(ready.error());
  }
  return ReceiptSigner(*std::move(process));
}

Result<void> ReceiptSigner::Sign(std::string_view payload) const {
  Result<void> written = base::WriteAll(process_.sockets().back(), payload, "the receipt");
  if (!written) return written;
  const ssize_t sent = send(process_.channel(), &kSignerDone, sizeof(kSignerDone), MSG_NOSIGNAL);
  if (sent != sizeof(kSignerDone)) return FailErrno(errno, "cannot reach the receipt's signer");
  return HearFrom(process_.channel());
}

}  // namespace palyra::cli
