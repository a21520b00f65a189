#include "lab/probe/engine.h"

#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

namespace acceptq::lab::probe {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kTimerKey = ~std::uint64_t{0};

std::int64_t to_ns(std::chrono::milliseconds duration) { return duration.count() * 1'000'000; }

socklen_t fill_address(const facts::IpAddress& address, std::uint32_t scope, std::uint16_t port,
                       sockaddr_storage& storage) {
  std::memset(&storage, 0, sizeof storage);
  if (address.is_v6()) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    in6->sin6_scope_id = scope;
    std::memcpy(&in6->sin6_addr, address.bytes().data(), 16);
    return sizeof *in6;
  }
  auto* in4 = reinterpret_cast<sockaddr_in*>(&storage);
  in4->sin_family = AF_INET;
  in4->sin_port = htons(port);
  std::memcpy(&in4->sin_addr, address.bytes().data(), 4);
  return sizeof *in4;
}

// The sysctl of the namespace that this thread is in; absent before 6.5.
unsigned linear_timeouts_here() {
  const Result<std::string> text = read_file("/proc/sys/net/ipv4/tcp_syn_linear_timeouts");
  if (!text) return 0;
  return parse_int<unsigned>(trim(*text)).value_or(0);
}

}  // namespace

Engine::Engine(const ProbeOptions& options, const std::atomic<bool>* stop,
               const ProgressCallback& progress)
    : options_(options), stop_(stop), progress_(progress) {}

Status Engine::open() {
  if (!options_.device.empty()) {
    scope_ = ::if_nametoindex(options_.device.c_str());
    if (scope_ == 0) return fail_errno(errno, "no network device \"" + options_.device + "\"");
  }
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return fail_errno(errno, "epoll_create1");
  timer_ = UniqueFd(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!timer_.valid()) return fail_errno(errno, "timerfd_create");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kTimerKey;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event) != 0) {
    return fail_errno(errno, "epoll_ctl on the timer");
  }
  return {};
}

Result<ProbeResult> Engine::run() {
  if (Status opened = open(); !opened) return fail(opened.error());
  result_.target = options_.device.empty() ? facts::host_and_port(options_.address, options_.port)
                                           : fmt::format("[{}%{}]:{}", options_.address.to_string(),
                                                         options_.device, options_.port);
  result_.asked_rate_per_s = options_.rate_per_s;
  result_.syn_linear_timeouts = linear_timeouts_here();
  schedule_ = syn_retry_schedule(result_.syn_linear_timeouts, options_.timeout);
  begun_ns_ = last_start_ns_ = reported_ns_ = monotonic_ns();

  std::array<epoll_event, 256> events{};
  for (;;) {
    std::int64_t now = monotonic_ns();
    if (stop_ != nullptr && stop_->load(std::memory_order_relaxed)) {
      result_.stopped = true;
      break;
    }
    start_due(now);
    report(now);
    if (arrivals_over(now) && outstanding_ == 0) break;
    arm_timer(now);
    const int ready = ::epoll_wait(epoll_.get(), events.data(), events.size(), 50);
    if (ready < 0 && errno != EINTR) return fail_errno(errno, "epoll_wait");
    now = monotonic_ns();
    for (int i = 0; i < ready; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == kTimerKey) {
        std::uint64_t expirations = 0;
        // Only clears the timer's readiness; what is due is decided by the clock.
        if (::read(timer_.get(), &expirations, sizeof expirations) < 0) continue;
      } else {
        on_event(static_cast<std::size_t>(event.data.u64), event.events, now);
      }
    }
    expire(connect_deadlines_, now);
    expire(reply_deadlines_, now);
    expire(hold_deadlines_, now);
  }
  for (std::size_t slot = 0; slot < attempts_.size(); ++slot) {
    if (attempts_[slot].phase == Phase::kHolding) {
      release(slot);
    } else if (attempts_[slot].phase != Phase::kFree) {
      finish(slot);
    }
  }
  const std::int64_t end = monotonic_ns();
  result_.arrivals_s = static_cast<double>(last_start_ns_ - begun_ns_) / kSecond;
  result_.elapsed_s = static_cast<double>(end - begun_ns_) / kSecond;
  return result_;
}

bool Engine::arrivals_over(std::int64_t now_ns) const {
  if (options_.count != 0 && arrivals_ >= options_.count) return true;
  return options_.duration.count() != 0 && now_ns - begun_ns_ >= to_ns(options_.duration);
}

void Engine::start_due(std::int64_t now_ns) {
  if (arrivals_over(now_ns)) return;
  std::uint64_t due = 0;
  if (options_.rate_per_s > 0) {
    const double elapsed = static_cast<double>(now_ns - begun_ns_) / kSecond;
    due = static_cast<std::uint64_t>(std::floor(elapsed * options_.rate_per_s)) + 1;
    if (options_.count != 0) due = std::min(due, options_.count);
    if (due <= arrivals_) return;
    due -= arrivals_;
  } else {
    due = options_.concurrency - outstanding_;
    if (options_.count != 0) due = std::min(due, options_.count - arrivals_);
  }
  for (std::uint64_t i = 0; i < due; ++i) {
    ++arrivals_;
    if (outstanding_ >= options_.concurrency) {
      ++result_.shortfall;
    } else {
      start_one(now_ns);
    }
  }
  last_start_ns_ = now_ns;
}

int Engine::open_socket(UniqueFd& fd) {
  const int family = options_.address.is_v6() ? AF_INET6 : AF_INET;
  fd = UniqueFd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd.valid()) return errno;
  sockaddr_storage storage{};
  if (!options_.source_addresses.empty()) {
    // The port is chosen at connect(), when the destination is known: otherwise every source
    // address would be limited to one range of ports for all destinations together.
    const int on = 1;
    if (::setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0) {
      return errno;
    }
    const std::size_t turn = (arrivals_ - 1) % options_.source_addresses.size();
    const socklen_t size = fill_address(options_.source_addresses[turn], 0, 0, storage);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0) return errno;
  }
  const socklen_t size = fill_address(options_.address, scope_, options_.port, storage);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0) return errno;
  return 0;
}

void Engine::start_one(std::int64_t now_ns) {
  ++result_.started;
  AttemptFacts facts;
  facts.expects_reply = options_.expect_reply;
  UniqueFd fd;
  const int error = open_socket(fd);
  if (error != 0 && error != EINPROGRESS) {
    facts.error = error;
    count_outcome(facts);
    return;
  }
  if (free_.empty()) {
    free_.push_back(attempts_.size());
    attempts_.emplace_back();
  }
  const std::size_t slot = free_.back();
  free_.pop_back();
  Attempt& attempt = attempts_[slot];
  attempt.fd = std::move(fd);
  attempt.started_ns = now_ns;
  attempt.facts = facts;
  ++outstanding_;
  epoll_event event{};
  event.events = EPOLLOUT;
  event.data.u64 = slot;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, attempt.fd.get(), &event) != 0) {
    attempt.facts.error = errno;
    finish(slot);
    return;
  }
  watch(slot, Phase::kConnecting, EPOLLOUT, now_ns + to_ns(options_.timeout));
}

void Engine::watch(std::size_t slot, Phase phase, std::uint32_t events, std::int64_t deadline_ns) {
  Attempt& attempt = attempts_[slot];
  if (phase != Phase::kConnecting) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = slot;
    // Cannot fail for a descriptor that is in the set; were it to, the deadline still ends it.
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, attempt.fd.get(), &event);
  }
  attempt.phase = phase;
  ++attempt.generation;
  const Deadline deadline{deadline_ns, slot, attempt.generation};
  if (phase == Phase::kConnecting) connect_deadlines_.push_back(deadline);
  if (phase == Phase::kAwaitingReply) reply_deadlines_.push_back(deadline);
  if (phase == Phase::kHolding) hold_deadlines_.push_back(deadline);
}

void Engine::on_event(std::size_t slot, std::uint32_t events, std::int64_t now_ns) {
  Attempt& attempt = attempts_[slot];
  switch (attempt.phase) {
    case Phase::kFree:
      return;
    case Phase::kConnecting: {
      int error = 0;
      socklen_t size = sizeof error;
      if (::getsockopt(attempt.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
      if (error != 0) {
        attempt.facts.error = error;
        finish(slot);
      } else {
        on_connected(slot, now_ns);
      }
      return;
    }
    case Phase::kAwaitingReply:
      on_readable(slot, now_ns);
      return;
    case Phase::kHolding:
      if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) release(slot);
      return;
  }
}

void Engine::on_connected(std::size_t slot, std::int64_t now_ns) {
  Attempt& attempt = attempts_[slot];
  const std::int64_t elapsed_us = (now_ns - attempt.started_ns) / 1000;
  attempt.facts.connected = true;
  // Nothing but the SYN has been sent so far, so every retransmission was one of the SYN.
  tcp_info info{};
  socklen_t size = sizeof info;
  const bool known =
      ::getsockopt(attempt.fd.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
      size >= offsetof(tcp_info, tcpi_total_retrans) + sizeof info.tcpi_total_retrans;
  if (known) {
    attempt.facts.syn_retries = info.tcpi_total_retrans;
  } else {
    result_.retries_from_kernel = false;
    attempt.facts.syn_retries = retries_by_time(schedule_, std::chrono::microseconds(elapsed_us));
  }
  ++connected_;
  ++result_.syn_retries[attempt.facts.syn_retries];
  result_.connect_time.record_us(elapsed_us);
  if (!options_.send.empty()) {
    // A request fits the empty send buffer of a new connection; a short write would only make the
    // server wait for the rest, which is then seen as no answer.
    const ssize_t sent =
        ::send(attempt.fd.get(), options_.send.data(), options_.send.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
      attempt.facts.error = errno;
      finish(slot);
      return;
    }
  }
  if (options_.expect_reply) {
    watch(slot, Phase::kAwaitingReply, EPOLLIN, now_ns + to_ns(options_.timeout));
  } else {
    finish(slot);
  }
}

void Engine::on_readable(std::size_t slot, std::int64_t now_ns) {
  Attempt& attempt = attempts_[slot];
  // What has arrived is taken out, so that close() ends the connection in order, not by a reset.
  std::array<char, 16384> buffer{};
  for (;;) {
    const ssize_t got = ::recv(attempt.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (attempt.facts.answered) break;
      return;
    }
    if (got < 0 && !attempt.facts.answered) attempt.facts.error = errno;
    if (got == 0 && !attempt.facts.answered) attempt.facts.closed_by_peer = true;
    if (got <= 0) break;
    if (!attempt.facts.answered) {
      attempt.facts.answered = true;
      result_.first_byte_time.record_us((now_ns - attempt.started_ns) / 1000);
    }
  }
  finish(slot);
}

void Engine::expire(std::deque<Deadline>& deadlines, std::int64_t now_ns) {
  while (!deadlines.empty() && deadlines.front().at_ns <= now_ns) {
    const Deadline deadline = deadlines.front();
    deadlines.pop_front();
    Attempt& attempt = attempts_[deadline.slot];
    if (attempt.phase == Phase::kFree || attempt.generation != deadline.generation) continue;
    if (attempt.phase == Phase::kHolding) {
      release(deadline.slot);
      continue;
    }
    attempt.facts.out_of_time = true;
    finish(deadline.slot);
  }
}

void Engine::finish(std::size_t slot) {
  Attempt& attempt = attempts_[slot];
  count_outcome(attempt.facts);
  const bool good = attempt.facts.connected && attempt.facts.error == 0 &&
                    !attempt.facts.closed_by_peer && !attempt.facts.out_of_time;
  if (good && options_.hold.count() > 0 && attempt.phase != Phase::kHolding && !result_.stopped) {
    watch(slot, Phase::kHolding, EPOLLRDHUP, monotonic_ns() + to_ns(options_.hold));
    return;
  }
  release(slot);
}

void Engine::release(std::size_t slot) {
  Attempt& attempt = attempts_[slot];
  attempt.fd.reset();  // which also takes it out of the epoll set
  attempt.phase = Phase::kFree;
  ++attempt.generation;
  free_.push_back(slot);
  --outstanding_;
}

void Engine::count_outcome(const AttemptFacts& facts) {
  const Outcome outcome = classify(facts);
  ++result_.outcomes[static_cast<std::size_t>(outcome)];
  if (facts.error == 0) return;
  ++(outcome == Outcome::kLocalFailure ? result_.local_errors : result_.errors)[facts.error];
}

void Engine::arm_timer(std::int64_t now_ns) {
  std::int64_t next = now_ns + kSecond / 20;
  if (options_.rate_per_s > 0 && !arrivals_over(now_ns)) {
    next = begun_ns_ + static_cast<std::int64_t>(static_cast<double>(arrivals_) * kSecond /
                                                 options_.rate_per_s);
  }
  for (const std::deque<Deadline>* deadlines :
       {&connect_deadlines_, &reply_deadlines_, &hold_deadlines_}) {
    if (!deadlines->empty()) next = std::min(next, deadlines->front().at_ns);
  }
  next = std::max(next, now_ns + 1);
  itimerspec when{};
  when.it_value.tv_sec = next / kSecond;
  when.it_value.tv_nsec = next % kSecond;
  // epoll_wait's own time-out of 50 ms stands in, were this ever to fail.
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void Engine::report(std::int64_t now_ns) {
  if (!progress_ || now_ns - reported_ns_ < kSecond / 4) return;
  reported_ns_ = now_ns;
  ProbeProgress progress;
  progress.elapsed_s = static_cast<double>(now_ns - begun_ns_) / kSecond;
  progress.started = result_.started;
  progress.connected = connected_;
  progress.outstanding = outstanding_;
  std::uint64_t ended = 0;
  for (const std::uint64_t count : result_.outcomes) ended += count;
  progress.failed =
      ended - result_.of(Outcome::kConnectedAtOnce) - result_.of(Outcome::kConnectedAfterRetries);
  progress_(progress);
}

}  // namespace acceptq::lab::probe
