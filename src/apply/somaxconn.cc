#include "apply/somaxconn.h"

#include <utility>

#include "apply/sysctl.h"
#include "facts/namespace.h"

namespace acceptq::apply {

SomaxconnEnd end_of_raised(std::int64_t raised_to, std::int64_t found, bool keep) {
  if (found != raised_to) return SomaxconnEnd::kChangedByOther;
  return keep ? SomaxconnEnd::kKept : SomaxconnEnd::kPutBack;
}

namespace {

SomaxconnOutcome end_raised(std::int64_t before, std::int64_t raised_to,
                            RaisedSomaxconn::Afterwards afterwards) {
  SomaxconnOutcome outcome{.before = before, .after = raised_to, .raised_to = raised_to};
  outcome.end = SomaxconnEnd::kNotPutBack;
  const Result<std::int64_t> found = read_sysctl(facts::kSomaxconn);
  if (!found) {
    outcome.error = found.error();
    return outcome;
  }
  outcome.after = *found;
  const SomaxconnEnd end =
      end_of_raised(raised_to, *found, afterwards == RaisedSomaxconn::Afterwards::kKeep);
  if (end == SomaxconnEnd::kPutBack) {
    if (const Status written = write_sysctl(facts::kSomaxconn, before); !written) {
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
  const Result<std::int64_t> before = read_sysctl(facts::kSomaxconn);
  if (!before) return fail(before.error());
  SomaxconnOutcome outcome{.before = *before, .after = *before};
  if (*before >= wanted) return RaisedSomaxconn(std::move(outcome));
  if (const Status written = write_sysctl(facts::kSomaxconn, wanted); !written)
    return fail(written.error());
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
