#include "lab/probe/classify.h"

#include <cerrno>

namespace acceptq::lab::probe {

const char* to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::kConnectedAtOnce:
      return "connected_at_once";
    case Outcome::kConnectedAfterRetries:
      return "connected_after_retries";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kReset:
      return "reset";
    case Outcome::kNeverAnswered:
      return "never_answered";
    case Outcome::kClosedUnanswered:
      return "closed_unanswered";
    case Outcome::kTimedOut:
      return "timed_out";
    case Outcome::kOtherError:
      return "other_error";
    case Outcome::kLocalFailure:
      return "local_failure";
    case Outcome::kUnfinished:
      return "unfinished";
  }
  return "unknown";
}

std::vector<std::chrono::milliseconds> syn_retry_schedule(unsigned linear_timeouts,
                                                          std::chrono::milliseconds until) {
  std::vector<std::chrono::milliseconds> schedule;
  std::chrono::milliseconds at{0};
  std::chrono::milliseconds timeout{1000};
  for (unsigned retry = 1; at <= until; ++retry) {
    at += timeout;
    schedule.push_back(at);
    if (retry > linear_timeouts) timeout *= 2;
  }
  return schedule;
}

unsigned retries_by_time(std::span<const std::chrono::milliseconds> schedule,
                         std::chrono::microseconds elapsed) {
  unsigned retries = 0;
  for (const std::chrono::milliseconds at : schedule) {
    if (at > elapsed) break;
    ++retries;
  }
  return retries;
}

bool is_local_failure(int error) {
  switch (error) {
    case EADDRNOTAVAIL:  // no free local port for this destination, or not our address
    case EADDRINUSE:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN:  // connect(2): "no more free local ports"
    case EACCES:  // connect(2) to broadcast, or a local policy
    case EPERM:   // a local firewall refused the packet
      return true;
    default:
      return false;
  }
}

Outcome classify(const AttemptFacts& facts) {
  // An answer settles it, whatever befell the connection afterwards.
  const bool done = facts.connected && (facts.answered || !facts.expects_reply);
  if (!done || facts.error != 0) {
    switch (facts.error) {
      case 0:
        break;
      case ECONNREFUSED:
        return Outcome::kRefused;
      case ECONNRESET:
      case EPIPE:
        if (facts.answered) break;
        return Outcome::kReset;
      case ETIMEDOUT:
        return facts.connected ? Outcome::kNeverAnswered : Outcome::kTimedOut;
      default:
        return is_local_failure(facts.error) ? Outcome::kLocalFailure : Outcome::kOtherError;
    }
  }
  if (!done) {
    if (facts.closed_by_peer) return Outcome::kClosedUnanswered;
    if (facts.out_of_time) {
      return facts.connected ? Outcome::kNeverAnswered : Outcome::kTimedOut;
    }
    return Outcome::kUnfinished;
  }
  return facts.syn_retries == 0 ? Outcome::kConnectedAtOnce : Outcome::kConnectedAfterRetries;
}

}  // namespace acceptq::lab::probe
