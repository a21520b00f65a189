#include <cerrno>
#include <cstring>

#include "base/result.h"

namespace acceptq {

std::string Error::message() const {
  if (sys_errno == 0) return context;
  return context + ": " + std::strerror(sys_errno);  // NOLINT(concurrency-mt-unsafe): glibc's is
}

Error errno_error(int err, std::string context) {
  ErrorCode code = ErrorCode::kIo;
  switch (err) {
    case EPERM:
    case EACCES:
      code = ErrorCode::kPermission;
      break;
    case ENOENT:
    case ESRCH:
    case ENODEV:
    case ENOTDIR:
      code = ErrorCode::kNotFound;
      break;
    case EINTR:
      code = ErrorCode::kInterrupted;
      break;
    case ENOSYS:
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
      code = ErrorCode::kUnsupported;
      break;
    default:
      break;
  }
  return Error{code, err, std::move(context)};
}

const char* to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
      return "not found";
    case ErrorCode::kPermission:
      return "permission denied";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kTruncated:
      return "truncated";
    case ErrorCode::kInterrupted:
      return "interrupted";
    case ErrorCode::kMalformed:
      return "malformed";
    case ErrorCode::kIo:
      return "I/O error";
  }
  return "error";
}

}  // namespace acceptq
