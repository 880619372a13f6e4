#include "engine/receipt_key.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/file.h"
#include "base/trusted_file.h"

namespace palyra::engine {
namespace {

constexpr const char* kPrivate = "receipt.key";
constexpr const char* kPublic = "receipt.pub";

// Nothing where there is none yet.
Result<base::SigningKey> ReadKey(const std::string& path) {
  const Result<std::string> pem = base::ReadTrustedFile(path);
  if (!pem) return std::unexpected(pem.error());
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return FailErrno(errno, "cannot stat \"" + path + '"');
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Fail(ErrorCode::kPermissionDenied,
                '"' + path +
                    "\" may be read by others than root: remove it, so that a new key is "
                    "made, and believe no receipt of the old one");
  }
  Result<base::SigningKey> key = base::SigningKey::FromPem(*pem);
  if (key) return key;
  return Fail(ErrorCode::kInvalidArgument, '"' + path + "\": " + key.error().message);
}

Result<base::SigningKey> MakeKey(const std::string& directory) {
  Result<base::SigningKey> key = base::SigningKey::Generate();
  if (!key) return key;
  const Result<std::string> secret = key->PrivatePem();
  if (!secret) return std::unexpected(secret.error());
  const Result<base::PublicKey> verifier = key->Public();
  if (!verifier) return std::unexpected(verifier.error());
  const Result<std::string> pem = verifier->Pem();
  if (!pem) return std::unexpected(pem.error());
  // The private one last: where it is, the other is.
  Result<void> written = base::ReplaceFile(directory, kPublic, *pem, 0644);
  if (written) written = base::ReplaceFile(directory, kPrivate, *secret, 0600);
  if (!written) return std::unexpected(written.error());
  return key;
}

}  // namespace

Result<base::SigningKey> ReceiptKey(const std::string& directory) {
  const std::string path = directory + '/' + kPrivate;
  Result<base::SigningKey> key = ReadKey(path);
  if (key || key.error().code != ErrorCode::kNotFound) return key;
  if (Result<void> made = base::MakeDirectories(directory); !made) {
    return std::unexpected(made.error());
  }
  if (Result<void> ours = base::RequireTrusted(directory); !ours) {
    return std::unexpected(ours.error());
  }
  const Result<UniqueFd> lock =
      base::OpenFile(directory + "/lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!lock) return std::unexpected(lock.error());
  while (flock(lock->get(), LOCK_EX) != 0) {
    if (errno != EINTR) return FailErrno(errno, "cannot lock \"" + directory + "/lock\"");
  }
  key = ReadKey(path);
  if (key || key.error().code != ErrorCode::kNotFound) return key;
  return MakeKey(directory);
}

Result<std::string> ReceiptPublicKey(const std::string& directory) {
  return base::ReadFile(directory + '/' + kPublic);
}

}  // namespace palyra::engine
