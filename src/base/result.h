// Result<T>: a value or an Error. acceptq throws nothing; what can fail says so in its type.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace acceptq {

enum class ErrorCode {
  kNotFound,
  kPermission,
  kUnsupported,
  kTruncated,
  kInterrupted,
  kMalformed,
  kIo,
};

// What was tried, and what failed. `sys_errno` is 0 where no system call was involved.
struct Error {
  ErrorCode code = ErrorCode::kIo;
  int sys_errno = 0;
  std::string context;

  // "CONTEXT: errno's text", for people.
  [[nodiscard]] std::string message() const;

  friend bool operator==(const Error&, const Error&) = default;
};

template <typename T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

// An Error whose code is the closed enum's nearest to `err` (EPERM and EACCES: kPermission; ENOENT,
// ESRCH, ENODEV: kNotFound; EINTR: kInterrupted; ENOSYS, EOPNOTSUPP and the like: kUnsupported).
[[nodiscard]] Error errno_error(int err, std::string context);

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}
[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string context) {
  return fail(Error{code, 0, std::move(context)});
}
[[nodiscard]] inline tl::unexpected<Error> fail_errno(int err, std::string context) {
  return fail(errno_error(err, std::move(context)));
}

// The code's name in words: "permission denied", "malformed" …
[[nodiscard]] const char* to_string(ErrorCode code);

}  // namespace acceptq
