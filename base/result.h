// Errors as values: Result<T> is std::expected<T, Error> that must not be ignored.
//
// Messages are lower case, without a final period, quote the user's input in double quotes and end
// with what to do next where there is something to do.

#ifndef PALYRA_BASE_RESULT_H_
#define PALYRA_BASE_RESULT_H_

#include <expected>
#include <string>
#include <string_view>

namespace palyra::base {

enum class ErrorCode {
  kInvalidArgument,   // The caller's input is wrong: an option, a policy, an entity file.
  kNotFound,          // A file, a command, a user that does not exist.
  kPermissionDenied,  // The kernel or the file system says no.
  kUnsupported,       // This kernel or host lacks something that is needed.
  kRefused,           // A policy that cannot be held exactly, and so is not loaded.
  kExhausted,         // A limit of ours is reached: map entries, slots.
  kUnavailable,       // Something that should be there is in use or gone; trying again may help.
  kInternal,          // A system call failed that has no reason to.
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  int system_errno = 0;  // The errno behind it, or 0.
  std::string message;
};

template <typename T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

// An error without a system call behind it.
std::unexpected<Error> Fail(ErrorCode code, std::string message);

// An error from errno value `system_errno`: "<what>: <strerror>". EPERM and EACCES become
// kPermissionDenied; ENOENT and ENOTDIR kNotFound; ENOSPC, ENOMEM, E2BIG, EMFILE and ENFILE
// kExhausted; EAGAIN and EBUSY kUnavailable; the rest kInternal.
std::unexpected<Error> FailErrno(int system_errno, std::string_view what);

}  // namespace palyra::base

namespace palyra {
using base::Error;
using base::ErrorCode;
using base::Fail;
using base::FailErrno;
using base::Result;
}  // namespace palyra

#endif  // PALYRA_BASE_RESULT_H_
