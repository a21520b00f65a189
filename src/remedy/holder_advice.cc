#include "remedy/holder_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace acceptq::remedy {
namespace {

using diagnose::Remedy;

// "sleep (pid 731, descriptor 3) and 2 more".
std::string holders_text(const Subject& subject) {
  const facts::Process& first = *subject.holders.first();
  const auto owner = std::ranges::find(subject.listener.owners, first.pid, &facts::OwnerRef::pid);
  std::string text = fmt::format("{} (pid {}, descriptor {})", first.comm, first.pid.value(),
                                 owner != subject.listener.owners.end() ? owner->fd : -1);
  const std::size_t all =
      subject.holders.servers.size() + (subject.holders.manager != nullptr ? 1 : 0);
  if (all > 1) text += fmt::format(" and {} more", all - 1);
  return text;
}

// Nobody accepts, and none of the holders is known to be the server.
Remedy find_the_server(const Subject& subject) {
  const facts::Process* only = subject.holders.one_program();
  Remedy remedy{.form = "cause",
                .summary = fmt::format(
                    "Find out {}: nothing was taken while acceptq watched, and a longer queue does "
                    "not help then.",
                    only != nullptr ? fmt::format("what keeps {} from accepting", only->comm)
                                    : "who should accept"),
                .takes_effect = "now"};
  if (subject.holders.servers.empty()) {
    remedy.content =
        "systemd holds the listener for a socket unit whose service is not running: systemctl "
        "list-sockets shows which one, and systemctl status what became of it.";
    return remedy;
  }
  if (subject.listener.closed) {
    remedy.content = fmt::format(
        "The socket was held by {} and has been closed since: see what its server did meanwhile "
        "(its log, and whether it was stopped, stuck or restarted).",
        holders_text(subject));
    return remedy;
  }
  remedy.content = fmt::format(
      "The socket is held by {}. If that is the server, see where it is stopped or stuck, or "
      "whether it is still starting. If it is left over from a server that has ended or was "
      "replaced, end it; and if it only inherited the descriptor, and was not given it on purpose "
      "(as by socket activation), have the server open its sockets with SOCK_CLOEXEC.",
      holders_text(subject));
  return remedy;
}

// As the cause says: calls that have not returned may keep the last ones.
bool is_said_to_lack_descriptors(const Subject& subject, const facts::Process& process) {
  if (subject.cause == nullptr || !subject.cause->cause) return false;
  const diagnose::Cause& cause = *subject.cause->cause;
  const auto pid = cause.detail.find("pid");
  return cause.kind == diagnose::CauseKind::kFdLimit && pid != cause.detail.end() &&
         pid->second == std::to_string(process.pid.value());
}

}  // namespace

bool is_held_by_nobody(const Subject& subject) {
  // What people paste often leaves them out.
  return subject.holders.first() == nullptr && subject.listener.pasted_at.empty();
}

Remedy cause_first(const Subject& subject) {
  if (subject.accepts == Accepts::kNo && subject.acceptor == nullptr &&
      subject.holders.first() != nullptr) {
    return find_the_server(subject);
  }
  Remedy remedy{.form = "cause", .takes_effect = "now"};
  if (subject.accepts == Accepts::kNo && is_held_by_nobody(subject)) {
    remedy.summary =
        "Find out who should accept: nothing was taken while acceptq watched, and a longer queue "
        "does not help then.";
    remedy.content =
        "No process that acceptq sees has a descriptor of the socket: one that it cannot see has "
        "it, or it is on its way from one process to another, in the queue of a Unix socket that "
        "nobody reads (SCM_RIGHTS), or it is the kernel's own.";
    return remedy;
  }
  const bool full = is_full_all_the_time(subject);
  if (subject.accepts == Accepts::kNo) {
    remedy.summary = fmt::format(
        "Find out why {} does not accept: nothing was taken while acceptq watched, and until that "
        "changes a longer queue only makes clients wait longer.",
        server_name(subject));
    remedy.content =
        "Is it stopped, is every one of its workers or threads stuck, or has the one that accepts "
        "ended? A stack of every thread (jstack, py-spy dump, gdb -p) and its log tell.";
  } else if (full) {
    remedy.summary =
        "Find out why accept() is slow: the queue is full most of the time, so a longer one only "
        "makes clients wait longer.";
  } else {
    remedy.summary =
        "Find out why accept() is slow, or let more workers accept: a longer queue only makes "
        "clients wait longer.";
  }
  if (const Server* server = subject.server.server; server != nullptr && !server->cap.empty()) {
    remedy.summary +=
        fmt::format(" See first whether {} is at its own limit, {}: then it accepts nothing more.",
                    server->name, server->cap);
  }
  if (subject.accepts == Accepts::kYes && subject.listener.limit) {
    remedy.content = wait_when_full(
        subject, is_long_enough(subject) ? subject.listener.limit->value() : subject.wanted);
  }
  return remedy;
}

Remedy find_the_stuck_member(const Subject& subject) {
  Remedy remedy{
      .form = "cause",
      .summary =
          "Find the process that should accept from this socket: it is stopped or stuck, "
          "or there is none. A longer queue does not help: the other sockets of the group "
          "have room.",
      .content =
          "The kernel goes on choosing this socket for its share of the clients until a "
          "process accepts from it again, or every descriptor of it is closed.",
      .takes_effect = "now"};
  if (subject.holders.first() != nullptr) {
    remedy.content += fmt::format(
        " It is held by {}. If that only inherited it, end it, and have the server open its "
        "sockets with SOCK_CLOEXEC.",
        holders_text(subject));
  }
  return remedy;
}

const facts::Process* without_descriptors(const Subject& subject) {
  const auto found =
      std::ranges::find_if(subject.holders.servers, [&](const facts::Process* process) {
        return process->open_files && process->open_files_limit &&
               (*process->open_files >= *process->open_files_limit ||
                is_said_to_lack_descriptors(subject, *process));
      });
  return found != subject.holders.servers.end() ? *found : nullptr;
}

std::uint32_t descriptors_wanted(const facts::Process& process) {
  constexpr std::uint32_t kAtLeast = 1024;  // the usual soft limit
  return std::max(std::uint32_t{kAtLeast}, process.open_files_limit.value_or(0) * 2);
}

void add_descriptor_hint(const Subject& subject, std::vector<Remedy>& remedies) {
  const facts::Process* process = without_descriptors(subject);
  if (process == nullptr) return;  // the others of its program have the same limit
  const std::uint32_t more = descriptors_wanted(*process);
  Remedy remedy{
      .form = "limits",
      .summary = fmt::format("Let {} (pid {}) have more descriptors, or close some: {} of {} are "
                             "in use, and accept() fails when none is left, however long "
                             "the queue is.",
                             process->comm, process->pid.value(), *process->open_files,
                             *process->open_files_limit),
      .content = fmt::format("prlimit --pid {} --nofile={}:{}\n"
                             "# to make it permanent: LimitNOFILE= of its unit, or "
                             "ulimit -n",
                             process->pid.value(), more, more),
      .takes_effect = "now"};
  if (const Server* server = find_server(*process, {}).server;
      server != nullptr && server->descriptors_at_start) {
    remedy.content = fmt::format(
        "Start it with a higher limit of connections, {}, by which {} also sizes its tables; where "
        "that takes more descriptors than it may have, with more of these as well (LimitNOFILE= of "
        "its unit, or ulimit -n {}).",
        server->cap, server->name, more);
    remedy.takes_effect = "restart";
  }
  remedies.push_back(std::move(remedy));
}

}  // namespace acceptq::remedy
