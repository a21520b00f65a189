#include "apply/somaxconn.h"

#include <string>
#include <utility>

#include "base/file.h"
#include "base/text.h"

namespace acceptq::apply {
namespace {

// /proc/sys/net is that of the thread's namespace (net/sysctl_net.c, net_ctl_header_lookup).
constexpr const char* kPath = "/proc/sys/net/core/somaxconn";

}  // namespace

Result<std::int64_t> read_somaxconn() {
  const Result<std::string> text = read_file(kPath, 256);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    return fail(ErrorCode::kUnsupported,
                "net.core.somaxconn is hidden from this namespace (Linux up to 6.2 hides it where "
                "the namespace belongs to another user namespace), and what listen() would grant "
                "is not known without it");
  }
  if (!text) return fail(text.error());
  const auto value = parse_int<std::int64_t>(trim(*text));
  if (!value) return fail(ErrorCode::kMalformed, std::string(kPath) + " holds no number");
  return *value;
}

Status write_somaxconn(std::int64_t value) { return write_setting(kPath, std::to_string(value)); }

SomaxconnEnd end_of_raised(std::int64_t raised_to, std::int64_t found, bool keep) {
  if (found != raised_to) return SomaxconnEnd::kChangedByOther;
  return keep ? SomaxconnEnd::kKept : SomaxconnEnd::kPutBack;
}

namespace {

SomaxconnOutcome end_raised(std::int64_t before, std::int64_t raised_to,
                            RaisedSomaxconn::Afterwards afterwards) {
  SomaxconnOutcome outcome{.before = before, .after = raised_to, .raised_to = raised_to};
  outcome.end = SomaxconnEnd::kNotPutBack;
  const Result<std::int64_t> found = read_somaxconn();
  if (!found) {
    outcome.error = found.error();
    return outcome;
  }
  outcome.after = *found;
  const SomaxconnEnd end =
      end_of_raised(raised_to, *found, afterwards == RaisedSomaxconn::Afterwards::kKeep);
  if (end == SomaxconnEnd::kPutBack) {
    if (const Status written = write_somaxconn(before); !written) {
      outcome.error = written.error();
      return outcome;
    }
    outcome.after = before;
  }
  outcome.end = end;
  return outcome;
}

}  // namespace

Result<RaisedSomaxconn> RaisedSomaxconn::Raise(std::int64_t wanted) {
  const Result<std::int64_t> before = read_somaxconn();
  if (!before) return fail(before.error());
  SomaxconnOutcome outcome{.before = *before, .after = *before};
  if (*before >= wanted) return RaisedSomaxconn(std::move(outcome));
  if (const Status written = write_somaxconn(wanted); !written) return fail(written.error());
  outcome.raised_to = wanted;
  outcome.after = wanted;
  return RaisedSomaxconn(std::move(outcome));
}

RaisedSomaxconn::RaisedSomaxconn(RaisedSomaxconn&& other) noexcept
    : outcome_(std::move(other.outcome_)), ended_(std::exchange(other.ended_, true)) {}

RaisedSomaxconn::~RaisedSomaxconn() {
  if (!ended_) end(Afterwards::kPutBack);
}

SomaxconnOutcome RaisedSomaxconn::end(Afterwards afterwards) {
  ended_ = true;
  if (outcome_.raised_to) outcome_ = end_raised(outcome_.before, *outcome_.raised_to, afterwards);
  return outcome_;
}

SomaxconnOutcome put_back_somaxconn(std::int64_t before, std::int64_t raised_to) {
  return end_raised(before, raised_to, RaisedSomaxconn::Afterwards::kPutBack);
}

}  // namespace acceptq::apply
