#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace palyra {
namespace {

struct ErrnoCase {
  int system_errno;
  ErrorCode code;
};

TEST(FailErrno, TellsWhatACallerCanDoFromWhatItCannot) {
  constexpr ErrnoCase kCases[] = {
      {EPERM, ErrorCode::kPermissionDenied}, {EACCES, ErrorCode::kPermissionDenied},
      {ENOENT, ErrorCode::kNotFound},        {ENOTDIR, ErrorCode::kNotFound},
      {ENOSPC, ErrorCode::kExhausted},       {ENOMEM, ErrorCode::kExhausted},
      {E2BIG, ErrorCode::kExhausted},        {EMFILE, ErrorCode::kExhausted},
      {ENFILE, ErrorCode::kExhausted},       {EAGAIN, ErrorCode::kUnavailable},
      {EBUSY, ErrorCode::kUnavailable},      {EINVAL, ErrorCode::kInternal},
      {EIO, ErrorCode::kInternal},           {0, ErrorCode::kInternal},
  };
  for (const ErrnoCase& each : kCases) {
    const Error error = FailErrno(each.system_errno, "cannot do it").error();
    EXPECT_EQ(error.code, each.code) << each.system_errno;
    EXPECT_EQ(error.system_errno, each.system_errno);
  }
}

TEST(FailErrno, SaysWhatWasTriedAndWhyItFailed) {
  EXPECT_EQ(FailErrno(ENOENT, "cannot open \"x\"").error().message,
            "cannot open \"x\": No such file or directory");
}

TEST(Fail, HasNoErrno) {
  errno = EIO;
  const Error error = Fail(ErrorCode::kRefused, "no").error();
  EXPECT_EQ(error.code, ErrorCode::kRefused);
  EXPECT_EQ(error.system_errno, 0);
  EXPECT_EQ(error.message, "no");
}

Result<std::string> Half(int number) {
  if (number % 2 != 0) return Fail(ErrorCode::kInvalidArgument, "odd");
  return std::to_string(number / 2);
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<std::string> even = Half(8);
  ASSERT_TRUE(even);
  EXPECT_EQ(*even, "4");
  const Result<std::string> odd = Half(7);
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().message, "odd");
}

TEST(Result, WithoutAValueIsSuccessByDefault) {
  const Result<void> done = {};
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace palyra
