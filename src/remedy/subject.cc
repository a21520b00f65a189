#include "remedy/subject.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>

#include "remedy/cap_advice.h"

namespace acceptq::remedy {
namespace {

constexpr std::uint32_t kUsual = 4096;  // the kernel's own default from Linux 5.4 on

Accepts accepts_of(const facts::Observation& observation, const diagnose::ListenerReport& report) {
  // A server may well take nothing for a moment.
  constexpr double kLongEnough = 1;  // seconds
  if (!report.accepts_per_s) return Accepts::kUnknown;
  if (*report.accepts_per_s > 0) return Accepts::kYes;
  return observation.seconds >= kLongEnough ? Accepts::kNo : Accepts::kUnknown;
}

// Of several programs that hold it, the one that is a server by its name, if there is only one.
const facts::Process* known_server(const facts::Holders& holders) {
  const facts::Process* known = nullptr;
  for (const facts::Process* process : holders.servers) {
    const ServerMatch match = find_server(*process, {});
    if (match.server == nullptr || match.by_language) continue;
    if (known != nullptr && !facts::same_program(*known, *process)) return nullptr;
    if (known == nullptr) known = process;
  }
  return known;
}

const facts::Process* acceptor_of(const facts::Holders& holders, Accepts accepts) {
  if (const facts::Process* known = known_server(holders)) return known;
  const facts::Process* only = holders.one_program();
  if (only == nullptr || accepts == Accepts::kYes) return only;
  return find_server(*only, {}).by_language ? only : nullptr;
}

// Whoever has connections of the listener, or closes them, serves them.
bool has_its_clients(const facts::Observation& observation, const facts::Holders& holders,
                     const std::string& key) {
  const auto& all = observation.accept_evidence.acceptors;
  const auto found = all.find(key);
  if (found == all.end()) return false;
  const auto is_server = [&](Pid pid) {
    return std::ranges::find(holders.servers, pid, &facts::Process::pid) != holders.servers.end();
  };
  return std::ranges::any_of(found->second.held,
                             [&](const facts::HeldConnections& held) {
                               return held.most > 0 && is_server(held.pid);
                             }) ||
         std::ranges::any_of(found->second.threads, [&](const facts::ThreadWatch& thread) {
           return thread.closed.value_or(0) > 0 && is_server(thread.pid);
         });
}

// Of a burst, every attempt that was refused would have needed a place.
std::uint64_t most_at_once(const Subject& subject) {
  const std::uint64_t limit = subject.listener.limit ? subject.listener.limit->value() : 0;
  const std::uint64_t longest = std::max<std::uint64_t>(limit, subject.report.longest.value());
  return longest + (is_burst(subject) ? subject.report.refused.attempts.value_or(0) : 0);
}

// Of a queue that fills because accept() is slow, the places that are taken within a minute:
// whoever has a place behind them has given up before its turn comes. Empty where nothing is taken,
// or of other queues.
std::optional<std::uint32_t> of_use(const Subject& subject) {
  constexpr double kSeconds = 60;
  const double accepted = subject.report.accepts_per_s.value_or(0);
  const bool fills = is_full_all_the_time(subject) || is_slow_to_accept(subject);
  if (!fills || accepted <= 0) return std::nullopt;
  return static_cast<std::uint32_t>(
      std::min<double>(kSeconds * accepted, std::numeric_limits<std::int32_t>::max()));
}

// At least the kernel's default, and at least twice what there is and what was seen; but no more
// than is of use.
std::uint32_t wanted_limit(const Subject& subject) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int32_t>::max();  // of somaxconn
  const std::uint64_t twice = std::min(std::bit_ceil(2 * most_at_once(subject)), kMost);
  const std::uint32_t wanted = std::max(static_cast<std::uint32_t>(twice), kUsual);
  const std::uint32_t most = std::min(of_use(subject).value_or(wanted), wanted);
  if (most == wanted) return wanted;
  const std::uint32_t rounded = std::bit_floor(most);
  const bool is_longer = subject.listener.limit && rounded > subject.listener.limit->value();
  return is_longer ? rounded : most;
}

}  // namespace

Subject subject_of(const facts::Observation& observation, const facts::Listener& listener,
                   const diagnose::ListenerReport& report, const diagnose::Finding* cause) {
  facts::Holders holders = facts::holders_of(observation.after, listener);
  const Accepts accepts = accepts_of(observation, report);
  const facts::Process* acceptor = acceptor_of(holders, accepts);
  if (acceptor == nullptr && has_its_clients(observation, holders, report.key)) {
    acceptor = holders.one_program();
  }
  const auto workers = worker_processes(observation, holders, report.key);
  const auto limit = listener.limit ? std::optional(listener.limit->value()) : std::nullopt;
  Subject subject{.listener = listener,
                  .report = report,
                  .ns = facts::find_namespace(observation.after, listener.netns),
                  .holders = std::move(holders),
                  .accepts = accepts,
                  .acceptor = acceptor,
                  .server = acceptor != nullptr ? find_server(*acceptor, limit) : ServerMatch{},
                  .wanted = kUsual,
                  .workers = workers,
                  .attempts_per_s = attempts_per_s(report, observation.seconds),
                  .cause = cause};
  subject.wanted = wanted_limit(subject);
  return subject;
}

std::unordered_map<std::string, const diagnose::Finding*> causes_by_listener(
    const diagnose::Report& report) {
  constexpr double kWellEnough = 0.6;
  std::unordered_map<std::string, const diagnose::Finding*> causes;
  for (const diagnose::Finding& finding : report.findings) {
    const bool is_known = finding.listener && diagnose::says_why(finding) &&
                          finding.cause->kind != diagnose::CauseKind::kUnknown;
    if (is_known && finding.confidence >= kWellEnough) causes.emplace(*finding.listener, &finding);
  }
  return causes;
}

bool is_burst(const Subject& subject) {
  return subject.cause != nullptr && subject.cause->cause->kind == diagnose::CauseKind::kBurst;
}

std::string reason_of_wanted(const Subject& subject) {
  const std::uint64_t attempts = subject.report.refused.attempts.value_or(0);
  // One limit bounds both queues.
  const std::uint32_t longest =
      std::max(subject.report.longest.value(), subject.listener.syn_queue_len.value_or(0));
  if (subject.wanted < kUsual)
    return "no more than accept() takes within a minute at its present pace";
  if (subject.wanted == kUsual) {
    return fmt::format(
        "the kernel's own default since Linux 5.4, and more than twice what was "
        "seen at once ({})",
        longest);
  }
  if (is_burst(subject) && attempts > 0) {
    return fmt::format("twice what came at once ({} waited, {} attempts found no room), rounded up",
                       longest, attempts);
  }
  return fmt::format("twice the present limit and the longest queue seen ({}), rounded up",
                     longest);
}

std::string server_name(const Subject& subject) {
  const ServerMatch& match = subject.server;
  if (match.server != nullptr && !match.by_language) return match.server->name;
  return subject.acceptor != nullptr ? subject.acceptor->comm : "the server";
}

bool is_at_cap(const Subject& subject) {
  const Server* server = subject.server.server;
  return server != nullptr && server->limit_at_cap && subject.listener.limit &&
         server->limit_at_cap == subject.listener.limit->value();
}

bool is_slow_to_accept(const Subject& subject) {
  return !is_burst(subject) && (subject.cause != nullptr || is_full_all_the_time(subject));
}

bool is_long_enough(const Subject& subject) {
  const std::optional<std::uint32_t> most = of_use(subject);
  return most && subject.listener.limit && subject.listener.limit->value() >= *most;
}

std::string wait_when_full(const Subject& subject, std::uint32_t limit) {
  const double accepted = subject.report.accepts_per_s.value_or(0);
  if (!is_full_all_the_time(subject) || accepted <= 0) return "";
  constexpr double kShort = 10;  // s
  const double wait = limit / accepted;
  return fmt::format("At {:.3g} accepted {} per second, a full queue of {} means a wait of {} s.",
                     accepted, accepted == 1 ? "connection" : "connections", limit,
                     wait < kShort ? fmt::format("{:.2g}", wait) : fmt::format("{:.0f}", wait));
}

bool is_full_all_the_time(const Subject& subject) {
  constexpr double kShare = 0.5;
  return subject.report.full_fraction.value_or(0) >= kShare;
}

}  // namespace acceptq::remedy
