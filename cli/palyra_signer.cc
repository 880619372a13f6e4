// palyra-signer: signs the receipt of one run by the machine's key. palyra-run starts it, as root,
// with the descriptors of cli/receipt_signer.h.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/ed25519.h"
#include "base/file.h"
#include "cli/console.h"
#include "cli/receipt_signer.h"
#include "engine/dsse.h"
#include "engine/receipt_key.h"

namespace palyra::cli {
namespace {

constexpr const char* kProgram = "palyra-signer";
constexpr size_t kMostPayload = size_t{64} << 20;

bool Tell(const Result<void>& state) {
  std::string message(1, state ? kSignerDone : kSignerFailed);
  if (!state) message += state.error().message;
  message.resize(std::min(message.size(), kSignerMost));
  return send(kSignerChannel, message.data(), message.size(), MSG_NOSIGNAL) > 0 && state;
}

// False: palyra-run has ended before the run did.
bool IsTold() {
  char word = 0;
  ssize_t size = 0;
  do {
    size = recv(kSignerChannel, &word, sizeof(word), 0);
  } while (size < 0 && errno == EINTR);
  return size == sizeof(word) && word == kSignerDone;
}

Result<void> Sign(const base::SigningKey& key) {
  if (lseek(kSignerPayload, 0, SEEK_SET) != 0) return FailErrno(errno, "cannot read the payload");
  const Result<std::string> payload = base::ReadAll(kSignerPayload, kMostPayload, "the payload");
  if (!payload) return std::unexpected(payload.error());
  const Result<std::string> sealed = engine::SealEnvelope(kReceiptType, *payload, key);
  if (!sealed) return std::unexpected(sealed.error());
  if (ftruncate(kSignerFile, 0) != 0) return FailErrno(errno, "cannot empty the receipt");
  return base::WriteAll(kSignerFile, *sealed, "the receipt");
}

int Main() {
  if (fcntl(kSignerPayload, F_GETFD) < 0) {
    Say(kProgram, "this is a part of palyra-run, which starts it for --receipt");
    return EXIT_FAILURE;
  }
  const Result<base::SigningKey> key = engine::ReceiptKey();
  const Result<void> has_key = key ? Result<void>() : std::unexpected(key.error());
  if (!Tell(has_key) || !IsTold()) return EXIT_FAILURE;
  return Tell(Sign(*key)) ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace palyra::cli

int main() { return palyra::cli::Main(); }
