#include "remedy/cause_advice.h"

#include <fmt/format.h>

#include <string>

#include "base/text.h"
#include "diagnose/catalogue.h"
#include "diagnose/causes/wait_class.h"
#include "remedy/holder_advice.h"

namespace acceptq::remedy {
namespace {

using diagnose::Cause;
using diagnose::CauseKind;
using diagnose::Remedy;

constexpr const char* kForSlowReaders =
    "Bound how long a client may leave unread what it is sent, by the server's time-out for "
    "sending; or have a proxy in front take whole answers and wait for slow clients.";
constexpr const char* kForSilentClients =
    "Bound how long a client may send nothing, by the server's time-outs for requests and for "
    "connections that are kept alive; or have an event loop in front, a proxy, hold idle "
    "connections.";

// Empty where the cause does not tell it.
std::string detail(const Cause& cause, const char* name) {
  const auto it = cause.detail.find(name);
  return it != cause.detail.end() ? it->second : std::string();
}

void advise_stopped(const Cause& cause, Remedy& remedy) {
  const std::string how = detail(cause, "how");
  if (how == "frozen") {
    remedy.summary =
        "Find out who froze it, and thaw it: a longer queue only makes clients wait longer.";
    remedy.content = fmt::format(
        "docker unpause, systemctl thaw, or write 0 to cgroup.freeze (version 1: THAWED "
        "to freezer.state) of control group {}.",
        detail(cause, "cgroup"));
  } else if (how == "debugger") {
    remedy.summary = fmt::format(
        "Let the debugger (pid {}) continue or detach: a longer queue only makes clients wait "
        "longer.",
        detail(cause, "tracer"));
  } else if (how == "core_dump") {
    remedy.summary =
        "It has crashed and writes its core: see why it crashed. A service manager can start it "
        "again once the dump is written.";
  } else {
    remedy.summary = fmt::format(
        "Find out who stopped it, and let it go on (kill -CONT {}): a longer queue only makes "
        "clients wait longer.",
        detail(cause, "pids"));
  }
}

void advise_throttled(const Cause& cause, Remedy& remedy) {
  const double quota = parse_int<std::uint64_t>(detail(cause, "quota_us")).value_or(0);
  const double period = parse_int<std::uint64_t>(detail(cause, "period_us")).value_or(0);
  remedy.summary = fmt::format(
      "Raise the CPU quota of control group {} (limits.cpu of a pod or container, CPUQuota= of a "
      "unit, docker update --cpus), or lessen what it computes.",
      detail(cause, "cgroup"));
  if (period > 0) {
    remedy.content =
        fmt::format("It has {:.3g} cores now, and was held back in {} of {} periods.",
                    quota / period, detail(cause, "throttled"), detail(cause, "periods"));
  }
}

void advise_fuse(const Cause& cause, Remedy& remedy) {
  const std::string pid = detail(cause, "daemon_pid");
  const std::string state = detail(cause, "daemon_state");
  if (pid.empty() || !diagnose::is_stopped(state)) return;
  remedy.summary = fmt::format(
      "Let {} go on, which serves the file system and is stopped (kill -CONT {}): until it does, a "
      "longer queue only makes clients wait longer.",
      detail(cause, "daemon"), pid);
}

void advise_pipe(const Cause& cause, Remedy& remedy) {
  const std::string pid = detail(cause, "reader_pid");
  if (pid.empty() || !detail(cause, "readers").empty()) return;
  const std::string reader = detail(cause, "reader");
  const std::string name = reader.empty() ? "pid " + pid : fmt::format("{} (pid {})", reader, pid);
  const std::string state = detail(cause, "reader_state");
  remedy.summary =
      diagnose::is_stopped(state)
          ? fmt::format(
                "Let {} go on, which is to read from the pipe (kill -CONT {}): until it "
                "does, a longer queue only makes clients wait longer.",
                name, pid)
          : fmt::format(
                "See why {} does not read from the pipe, or not fast enough; have the "
                "server write less, or drop what finds no room.",
                name);
}

// How long the queue is to wait in, with the length that it has after the advice.
void add_wait(const diagnose::Finding& finding, const Subject& subject, Remedy& remedy) {
  if (!remedy.content.empty() || !subject.listener.limit) return;
  const bool stays = makes_length_useless(finding) || is_long_enough(subject);
  remedy.content =
      wait_when_full(subject, stays ? subject.listener.limit->value() : subject.wanted);
}

}  // namespace

Remedy remedy_of_cause(const diagnose::Finding& finding, const Subject& subject) {
  const Cause& cause = *finding.cause;
  // Whoever holds the socket need not be its server.
  if (cause.kind == CauseKind::kNotAccepting && subject.accepts == Accepts::kNo &&
      subject.acceptor == nullptr) {
    return cause_first(subject);
  }
  if (cause.kind == CauseKind::kFdLimit) {
    std::vector<Remedy> limits;
    add_descriptor_hint(subject, limits);
    if (!limits.empty()) return std::move(limits.front());
  }
  Remedy remedy{
      .form = "cause", .summary = diagnose::find_entry(finding.id)->next, .takes_effect = "now"};
  switch (cause.kind) {
    case CauseKind::kStopped:
      advise_stopped(cause, remedy);
      break;
    case CauseKind::kCpuThrottled:
      advise_throttled(cause, remedy);
      break;
    case CauseKind::kIoFuse:
      advise_fuse(cause, remedy);
      break;
    case CauseKind::kClient:
      remedy.summary = kForSlowReaders;
      if (detail(cause, "waits_for") == "room") break;
      remedy.summary = kForSilentClients;
      if (const Server* server = subject.server.server;
          server != nullptr && !server->idle_timeouts.empty()) {
        remedy.summary += fmt::format(" {} has {}.", server->name, server->idle_timeouts);
      }
      break;
    case CauseKind::kCpuBusy:
      remedy.summary =
          "See what it computes (perf record -t, a profiler of the language), take that out of the "
          "thread that accepts, or let more workers accept, if there are cores for them.";
      if (const Server* server = subject.server.server;
          server != nullptr && !server->when_busy.empty()) {
        remedy.summary = fmt::format(
            "See what it computes (perf record -t), and whether there are "
            "cores for more of it. {}",
            server->when_busy);
      }
      break;
    case CauseKind::kGc:
      remedy.summary = "Give it a larger heap, or less to clear away.";
      break;
    case CauseKind::kLock:
      if (detail(cause, "syscall").starts_with("sem")) {
        remedy.summary =
            "See which process used the semaphore last (ipcs -s -i ID, in the server's own IPC "
            "namespace): one that has ended with it gives it back only if it asked for that "
            "(SEM_UNDO). A restart of the server makes a private one anew; one that has a key is "
            "to "
            "be removed before (ipcrm -s ID).";
      }
      break;
    case CauseKind::kPipe:
      advise_pipe(cause, remedy);
      break;
    case CauseKind::kSleep:
      if (subject.server.server != nullptr && subject.server.server->name == "PHP-FPM") {
        remedy.summary += " request_slowlog_timeout of PHP-FPM writes down where.";
      }
      break;
    case CauseKind::kUpstream:
      if (detail(cause, "waits_for") == "connection") {
        remedy.summary =
            "See whether that peer is there, and what drops or refuses the packets on the way; set "
            "a time-out for connecting.";
        break;
      }
      if (detail(cause, "waits_for") == "datagram") {
        remedy.summary =
            "See whom it asks (tcpdump udp, in its network namespace). If that is a name server, "
            "mend it (/etc/resolv.conf as that process sees it), or have it look no names up for "
            "each connection; else set a time-out.";
        break;
      }
      if (detail(cause, "waits_for") == "name") {
        remedy.summary =
            "Mend the name server (/etc/resolv.conf as that process sees it), or have it look no "
            "names up, of clients (HostnameLookups, UseDNS, skip_name_resolve) or of servers that "
            "it asks, for each connection.";
        break;
      }
      if (detail(cause, "threads") == "serving") {
        remedy.summary =
            "See why that peer is slow, and bound how long it is waited for; more threads that "
            "serve, and more connections to it, let more clients in where it can serve them.";
      }
      break;
    case CauseKind::kNotAccepting:
      // It is the server, as it takes some.
      if (!detail(cause, "taken").empty()) {
        remedy.summary =
            "See what it waits for between two calls of accept() (strace -f -p, a stack of every "
            "thread), and compare its limit of connections with those that it has.";
      }
      if (const Server* server = subject.server.server; server != nullptr && !server->cap.empty()) {
        remedy.summary = fmt::format("See whether {} is at its own limit, {}. {}", server->name,
                                     server->cap, remedy.summary);
      }
      break;
    default:
      break;
  }
  add_wait(finding, subject, remedy);
  return remedy;
}

bool makes_length_useless(const diagnose::Finding& finding) {
  constexpr double kMostly = 0.8;
  switch (finding.cause->kind) {
    case CauseKind::kStopped:
    case CauseKind::kNotAccepting:
      return finding.cause->share.value_or(1) >= kMostly;
    case CauseKind::kFdLimit:
      return true;
    default:
      return false;
  }
}

}  // namespace acceptq::remedy
