#include "remedy/cap_advice.h"

#include <fmt/format.h>

#include <algorithm>

#include "remedy/workers.h"

namespace acceptq::remedy {
namespace {

using diagnose::Remedy;

// Whether it took part in serving: by its own calls of accept(), or by connections that it closed.
bool serves(const facts::ThreadWatch& thread) {
  return thread.link != facts::AcceptLink::kOwner || thread.closed.value_or(0) > 0;
}

std::optional<WorkersWanted> wanted_of(const Subject& subject) {
  const Server* server = subject.server.server;
  if (server == nullptr || server->cap_counts != CapCounts::kWorkers || subject.cause == nullptr) {
    return std::nullopt;
  }
  // A queue that is never empty leaves none of them idle.
  return workers_wanted({.waits_for = subject.cause->cause->kind,
                         .busy = is_full_all_the_time(subject),
                         .number = subject.workers,
                         .accepts_per_s = subject.report.accepts_per_s,
                         .attempts_per_s = subject.attempts_per_s});
}

}  // namespace

std::optional<std::uint32_t> worker_processes(const facts::Observation& observation,
                                              const facts::Holders& holders,
                                              const std::string& listener_key) {
  const facts::Process* master = holders.master();
  const auto& all = observation.accept_evidence.acceptors;
  const auto found = all.find(listener_key);
  if (master == nullptr || holders.servers.size() < 2 || found == all.end() ||
      found->second.threads_left_out > 0) {
    return std::nullopt;
  }
  std::uint32_t workers = 0;
  for (const facts::Process* process : holders.servers) {
    const bool is_master = process == master;
    if (!is_master && process->parent != master->pid) return std::nullopt;
    std::uint32_t threads = 0;
    bool served = false;
    for (const facts::ThreadWatch& thread : found->second.threads) {
      if (thread.pid != process->pid) continue;
      ++threads;
      served = served || serves(thread);
    }
    if (is_master && !served) continue;
    if (threads != 1) return std::nullopt;
    ++workers;
  }
  return workers;
}

std::optional<double> attempts_per_s(const diagnose::ListenerReport& report, double seconds) {
  const diagnose::Refused& refused = report.refused;
  if (!report.arrivals_per_s || !refused.total || seconds <= 0) return std::nullopt;
  if (*refused.total == 0) return report.arrivals_per_s;
  // An attempt that began before the watch looks like a new one when its client tries again: after
  // 1, 2, 4 and 8 s (TCP_TIMEOUT_INIT, doubled).
  constexpr double kLongEnough = 15;
  if (!refused.attempts || refused.at_least || seconds < kLongEnough) return std::nullopt;
  // Each refused packet is an arrival, and one that came through later is another.
  const double attempts = *report.arrivals_per_s * seconds - static_cast<double>(*refused.total) +
                          static_cast<double>(*refused.attempts) -
                          static_cast<double>(refused.recovered.value_or(0));
  return std::max(attempts, 0.0) / seconds;
}

Remedy raise_cap(const Subject& subject) {
  const Server& server = *subject.server.server;
  return {.form = "cap",
          .summary = fmt::format(
              "Raise {0}'s own limit, {1}, or close idle clients: at that limit, or when its "
              "descriptors are used up, {0} calls listen() with {2}, and accepts again when a "
              "client leaves. The backlog and somaxconn make no difference then. How many "
              "connections its clients want is not seen: acceptq fix writes the number of --limit.",
              server.name, server.cap, *server.limit_at_cap),
          .takes_effect = "restart"};
}

std::optional<Remedy> more_workers(const Subject& subject) {
  const std::optional<WorkersWanted> wanted = wanted_of(subject);
  if (!wanted) return std::nullopt;
  const Server& server = *subject.server.server;
  const std::string number = wanted->number ? fmt::format(", to {} at most", *wanted->number) : "";
  return Remedy{
      .form = "cap",
      .summary = fmt::format(
          "Until then more of {}'s workers take more, if memory and what they wait for have room "
          "for them: raise {}{} ({}).",
          server.name, server.cap, number, wanted->why),
      .takes_effect = "restart"};
}

std::optional<std::uint32_t> number_of_workers(const Subject& subject) {
  const std::optional<WorkersWanted> wanted = wanted_of(subject);
  return wanted ? wanted->number : std::nullopt;
}

}  // namespace acceptq::remedy
