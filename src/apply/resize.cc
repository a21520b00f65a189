#include "apply/resize.h"
#include "apply/sysctl.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <span>

#include "collect/netlink/sock_diag.h"
#include "collect/netns/enter.h"
#include "collect/netns/sysctls.h"

namespace acceptq::apply {
namespace {

using facts::Listener;

// What would end the process between raising somaxconn and putting it back waits for so long.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t held;
    sigemptyset(&held);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&held, signal);
    ::pthread_sigmask(SIG_BLOCK, &held, &before_);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
  ~SignalsHeld() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

bool is_same_socket(const Listener& meant, const Listener& seen) {
  if (meant.inode != seen.inode) return false;
  return meant.cookie.value() == 0 || meant.cookie == seen.cookie;
}

// The members as sock_diag shows them in the calling thread's namespace.
class Sight {
 public:
  [[nodiscard]] static Result<Sight> Look() {
    Sight sight;
    for (const int family : {AF_INET, AF_INET6}) {
      Result<collect::netlink::Dump> dump = collect::netlink::dump_tcp_listeners(family);
      if (!dump) return fail(std::move(dump.error()));
      std::ranges::move(dump->listeners, std::back_inserter(sight.listeners_));
    }
    return sight;
  }

  // Null where it is not there.
  [[nodiscard]] const Listener* find(const Listener& meant) const {
    const auto found = std::ranges::find_if(
        listeners_, [&](const Listener& seen) { return is_same_socket(meant, seen); });
    return found != listeners_.end() ? &*found : nullptr;
  }

 private:
  std::vector<Listener> listeners_;
};

Error gone(const Listener& listener) {
  return {ErrorCode::kNotFound, 0,
          facts::listener_endpoint(listener) + " has been closed; look again (acceptq check)"};
}

// Nothing where the member may be changed.
std::optional<Error> obstacle(const ResizePlan& plan, const ResizePlan::Member& member,
                              const Listener* seen) {
  if (seen == nullptr) return gone(member.listener);
  if (!seen->limit) {
    return Error{ErrorCode::kUnsupported, 0,
                 "this kernel does not show the limit of a listener, so that it could not be "
                 "made sure that it was changed"};
  }
  if (!plan.only_if_unchanged) return std::nullopt;
  if (seen->limit != member.listener.limit) {
    return Error{ErrorCode::kInterrupted, 0,
                 fmt::format("its limit is {} by now, which is not what acceptq gave it",
                             seen->limit->value())};
  }
  if (seen->accept_queue_len.value() > member.to.value()) {
    return Error{ErrorCode::kInterrupted, 0,
                 fmt::format("{} connections wait in its queue: at a limit of {} the next ones "
                             "would be refused at once; try again when it is shorter",
                             seen->accept_queue_len.value(), member.to.value())};
  }
  return std::nullopt;
}

void listen_by_any(const ResizePlan& plan, const ResizePlan::Member& member,
                   const Privileges& privileges, MemberOutcome& outcome) {
  const SocketMeant meant = meant_by(member.listener, plan.netns_cookie);
  for (const Holder& holder : member.holders) {
    const ListenOutcome called = listen_on(meant, holder, static_cast<int>(member.to.value()));
    if (called.step == Step::kDone) {
      outcome.error.reset();
      outcome.by = holder;
      return;
    }
    // The first holder's trouble is told: it is the one that one would look at.
    if (!outcome.error) outcome.error = to_error(called, holder, privileges);
    if (called.may_have_changed() || called.hung) return;
  }
}

void read_back(const ResizePlan::Member& member, const Result<Sight>& sight,
               MemberOutcome& outcome) {
  if (!sight) {
    if (!outcome.error) outcome.error = sight.error();
    return;
  }
  const Listener* seen = sight->find(member.listener);
  if (seen == nullptr) {
    if (!outcome.error) outcome.error = gone(member.listener);
    return;
  }
  outcome.after = seen->limit;
  if (outcome.error || outcome.after == member.to) return;
  outcome.error = Error{ErrorCode::kInterrupted, 0,
                        fmt::format("listen() was called for {}, but the limit reads {}: somebody "
                                    "else has changed it, or somaxconn, at the same time",
                                    member.to.value(), seen->limit.value_or(QueueLimit{}).value())};
}

std::int64_t largest(const ResizePlan& plan) {
  std::int64_t most = 0;
  for (const ResizePlan::Member& member : plan.members) {
    most = std::max<std::int64_t>(most, member.to.value());
  }
  return most;
}

// In the namespace. The somaxconn of the outcome is put back whatever happens here.
ResizeOutcome resize_inside(const ResizePlan& plan, const BeforeChange& before_change) {
  ResizeOutcome outcome;
  outcome.members.resize(plan.members.size());
  const auto cookie = collect::netns::netns_cookie();
  if (plan.netns_cookie && cookie && *cookie != *plan.netns_cookie) {
    outcome.error =
        Error{ErrorCode::kInterrupted, 0,
              "the network namespace is another one by now; look again (acceptq check)"};
    return outcome;
  }
  const Result<Sight> before = Sight::Look();
  if (!before) {
    outcome.error = before.error();
    return outcome;
  }
  bool any = false;
  for (std::size_t i = 0; i < plan.members.size(); ++i) {
    MemberOutcome& member = outcome.members[i];
    const Listener* seen = before->find(plan.members[i].listener);
    if (seen != nullptr) member.before = seen->limit;
    member.error = obstacle(plan, plan.members[i], seen);
    any = any || !member.error;
  }
  if (!any) return outcome;
  const Result<std::int64_t> somaxconn = read_sysctl(facts::kSomaxconn);
  if (!somaxconn) {
    outcome.error = somaxconn.error();
    return outcome;
  }
  if (before_change) {
    SomaxconnOutcome planned{.before = *somaxconn, .after = *somaxconn};
    if (*somaxconn < largest(plan)) planned.raised_to = largest(plan);
    if (const Status agreed = before_change(planned); !agreed) {
      outcome.error = agreed.error();
      return outcome;
    }
  }
  Result<RaisedSomaxconn> raised = RaisedSomaxconn::Raise(largest(plan));
  if (!raised) {
    outcome.error = raised.error();
    return outcome;
  }
  const Privileges privileges = own_privileges();
  for (std::size_t i = 0; i < plan.members.size(); ++i) {
    MemberOutcome& member = outcome.members[i];
    if (!member.error) listen_by_any(plan, plan.members[i], privileges, member);
  }
  const Result<Sight> after = Sight::Look();
  for (std::size_t i = 0; i < plan.members.size(); ++i) {
    read_back(plan.members[i], after, outcome.members[i]);
  }
  // To keep it raised is of use to a listener that was resized alone.
  const bool keep = std::ranges::any_of(outcome.members, &MemberOutcome::done);
  outcome.somaxconn = raised->end(keep ? plan.afterwards : RaisedSomaxconn::Afterwards::kPutBack);
  return outcome;
}

Status may_be_resized(const Listener& listener) {
  const std::string endpoint = facts::listener_endpoint(listener);
  if (listener.protocol == facts::Protocol::kUnix) {
    return fail(ErrorCode::kUnsupported,
                endpoint +
                    " is a Unix socket: listen() by anybody else would make acceptq's user and "
                    "process what its clients see as their peer (SO_PEERCRED); give the server a "
                    "larger backlog in its own configuration and restart it");
  }
  if (listener.owners.empty()) {
    return fail(ErrorCode::kUnsupported,
                listener.owners_complete
                    ? endpoint +
                          " is in no process's descriptor table (the kernel's own, or "
                          "io_uring's): there is no descriptor to call listen() on"
                    : endpoint + ": whose descriptor it is could not be seen (run as root)");
  }
  return {};
}

}  // namespace

bool ResizeOutcome::done() const {
  return !error && std::ranges::all_of(members, &MemberOutcome::done);
}

std::vector<Holder> holders_of(const facts::Snapshot& snapshot, const Listener& listener) {
  std::vector<Holder> holders;
  for (const facts::OwnerRef& owner : listener.owners) {
    const facts::Process* process = facts::find_process(snapshot, owner.pid);
    holders.push_back({.pid = owner.pid,
                       .fd = owner.fd,
                       .start_ticks = process != nullptr ? process->start_ticks : 0});
  }
  return holders;
}

Result<ResizePlan> plan_resize(const facts::Snapshot& snapshot, const Listener& listener,
                               QueueLimit to) {
  if (const Status may = may_be_resized(listener); !may) return fail(may.error());
  ResizePlan plan;
  if (const facts::Namespace* ns = facts::find_namespace(snapshot, listener.netns)) {
    plan.netns_cookie = ns->cookie;
  }
  const std::string group = facts::reuseport_key(listener);
  const std::string key = facts::listener_key(listener);
  for (const Listener& each : snapshot.listeners) {
    // Two that listen at one address have SO_REUSEPORT, whether or not the scan shows it.
    const bool sibling = !each.closed && facts::reuseport_key(each) == group;
    if (!sibling && facts::listener_key(each) != key) continue;
    if (const Status may = may_be_resized(each); !may) return fail(may.error());
    plan.members.push_back({.listener = each, .holders = holders_of(snapshot, each), .to = to});
  }
  return plan;
}

ResizeOutcome resize(const ResizePlan& plan, const collect::netns::Handle& entrance,
                     const BeforeChange& before_change) {
  const SignalsHeld held;
  ResizeOutcome outcome;
  outcome.error = Error{ErrorCode::kNotFound, 0, "no way into this network namespace is known"};
  collect::netns::for_each_namespace(std::span(&entrance, 1), 1,
                                     [&](std::size_t, const Status& entered) {
                                       if (entered) {
                                         outcome = resize_inside(plan, before_change);
                                       } else {
                                         outcome.error = entered.error();
                                       }
                                     });
  return outcome;
}

}  // namespace acceptq::apply
