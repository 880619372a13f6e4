#include "base/result.h"

#include <cerrno>
#include <system_error>
#include <utility>

namespace palyra::base {
namespace {

ErrorCode CodeOfErrno(int system_errno) {
  switch (system_errno) {
    case EPERM:
    case EACCES:
      return ErrorCode::kPermissionDenied;
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::kNotFound;
    case ENOSPC:
    case ENOMEM:
    case E2BIG:
    case EMFILE:
    case ENFILE:
      return ErrorCode::kExhausted;
    case EAGAIN:
    case EBUSY:
      return ErrorCode::kUnavailable;
    default:
      return ErrorCode::kInternal;
  }
}

}  // namespace

std::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{.code = code, .system_errno = 0, .message = std::move(message)});
}

std::unexpected<Error> FailErrno(int system_errno, std::string_view what) {
  std::string message(what);
  message += ": ";
  message += std::generic_category().message(system_errno);
  return std::unexpected(
      Error{.code = CodeOfErrno(system_errno), .system_errno = system_errno, .message = message});
}

}  // namespace palyra::base
