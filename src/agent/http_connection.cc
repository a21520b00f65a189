#include "agent/http_connection.h"

#include <poll.h>

#include <algorithm>
#include <array>

namespace acceptq::agent {
namespace {

constexpr std::size_t kLongestRequest = 8192;  // with all headers
constexpr std::uint32_t kMostRequests = 1000;
constexpr std::size_t kMostDrained = std::size_t{64} << 10;

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kSecond = 1000 * kMillisecond;
// Longer than the usual times between two scrapes.
constexpr std::int64_t kIdleTimeout = 75 * kSecond;
constexpr std::int64_t kDrainTimeout = kSecond;

}  // namespace

HttpConnection::HttpConnection(HttpTransport transport, std::string peer, std::int64_t timeout_ns,
                               std::int64_t now_ns)
    : transport_(std::move(transport)),
      peer_(std::move(peer)),
      timeout_ns_(timeout_ns),
      phase_since_ns_(now_ns) {}

void HttpConnection::enter(Phase phase, std::int64_t now_ns) {
  phase_ = phase;
  phase_since_ns_ = now_ns;
  wants_write_ = phase == Phase::kAnswer;
}

std::int64_t HttpConnection::deadline_ns() const {
  switch (phase_) {
    case Phase::kIdle:
      return phase_since_ns_ + kIdleTimeout;
    case Phase::kDrain:
      return phase_since_ns_ + std::min(kDrainTimeout, timeout_ns_);
    default:
      return phase_since_ns_ + timeout_ns_;
  }
}

HttpConnection::End HttpConnection::expired(std::int64_t now_ns) const {
  if (now_ns < deadline_ns()) return End::kNone;
  return phase_ == Phase::kIdle || phase_ == Phase::kDrain ? End::kDone : End::kTooLate;
}

bool HttpConnection::may_be_closed(std::int64_t now_ns) const {
  const std::int64_t patience = phase_ == Phase::kAnswer ? kSecond : 100 * kMillisecond;
  return now_ns - phase_since_ns_ >= patience;
}

short HttpConnection::poll_events() const { return wants_write_ ? POLLOUT : POLLIN; }

HttpConnection::End HttpConnection::ended(Io io) const {
  if (io == Io::kTlsFailed) return End::kTlsFailed;
  const bool between = (phase_ == Phase::kFirst || phase_ == Phase::kIdle) && received_.empty();
  return io == Io::kClosed && between ? End::kDone : End::kFailed;
}

HttpConnection::End HttpConnection::advance(const Answerer& answer, std::int64_t now_ns) {
  blocked_ = false;
  may_go_on_ = false;
  while (true) {
    if (phase_ == Phase::kDrain) return drain();
    if (phase_ == Phase::kAnswer) {
      const End end = write_more(now_ns);
      if (end != End::kNone || blocked_ || may_go_on_) return end;
      continue;
    }
    const std::size_t length = request_length(received_);
    if (length != 0) {
      ++requests_;
      answer_ = answer(std::string_view(received_).substr(0, length), requests_ >= kMostRequests);
      received_.erase(0, length);
      sent_ = 0;
      enter(Phase::kAnswer, now_ns);
    } else if (received_.size() >= kLongestRequest) {
      answer_ = answer({}, true);
      sent_ = 0;
      enter(Phase::kAnswer, now_ns);
    } else {
      const End end = read_more(now_ns);
      if (end != End::kNone || blocked_) return end;
    }
  }
}

HttpConnection::End HttpConnection::read_more(std::int64_t now_ns) {
  std::array<char, kLongestRequest> piece;
  const IoResult result =
      transport_.read(std::span(piece).first(kLongestRequest - received_.size()));
  switch (result.io) {
    case Io::kDone:
      // Its time runs from the connection's begin, or from its first byte.
      if (phase_ == Phase::kIdle) enter(Phase::kHead, now_ns);
      received_.append(piece.data(), result.bytes);
      return End::kNone;
    case Io::kWantsRead:
    case Io::kWantsWrite:
      wants_write_ = result.io == Io::kWantsWrite;
      blocked_ = true;
      return End::kNone;
    default:
      return ended(result.io);
  }
}

HttpConnection::End HttpConnection::write_more(std::int64_t now_ns) {
  const std::string_view head = answer_.head;
  const std::string_view body = answer_.body ? std::string_view(*answer_.body) : std::string_view();
  if (sent_ == head.size() + body.size()) {
    answer_.body.reset();
    if (answer_.close) {
      transport_.end();
      enter(Phase::kDrain, now_ns);
    } else {
      enter(received_.empty() ? Phase::kIdle : Phase::kHead, now_ns);
      may_go_on_ = true;
    }
    return End::kNone;
  }
  const IoResult result =
      transport_.write(sent_ < head.size() ? head.substr(sent_) : body.substr(sent_ - head.size()));
  switch (result.io) {
    case Io::kDone:
      sent_ += result.bytes;
      return End::kNone;
    case Io::kWantsRead:
    case Io::kWantsWrite:
      wants_write_ = result.io == Io::kWantsWrite;
      blocked_ = true;
      return End::kNone;
    default:
      return ended(result.io);
  }
}

HttpConnection::End HttpConnection::drain() {
  while (drained_ < kMostDrained) {
    const IoResult result = transport_.drain();
    if (result.io == Io::kWantsRead) return End::kNone;
    if (result.io != Io::kDone) return End::kDone;
    drained_ += result.bytes;
  }
  return End::kDone;
}

}  // namespace acceptq::agent
