#include "collect/accept_threads.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "collect/counted_times.h"

namespace acceptq::collect {
namespace {

using facts::AcceptLink;
using facts::Wait;

// Different places of one thread that are kept; beyond, only calls are told apart.
constexpr std::size_t kMostPlaces = 48;

bool is_client_of(const facts::Listener& listener, const facts::FileTarget& socket) {
  return listener.protocol == facts::Protocol::kTcp && socket.local_port == listener.port;
}

facts::Polled polled_kind(const facts::Listener& listener, Pid pid, const PolledLook& polled) {
  // Several listeners may have one port.
  if (is_held_at(listener, {pid, polled.client_of}) || is_client_of(listener, polled.target)) {
    return facts::Polled::kClients;
  }
  if (polled.target.peer && polled.is_asking) return facts::Polled::kConnections;
  return polled.target.type == "pipefs" ? facts::Polled::kPipes : facts::Polled::kNothing;
}

// Tells what a thread that does not wait for the listener waits for. Returns, of one that waits for
// no client of it, the other end of a connection to another server; null where there is none.
const facts::FileTarget* tell_polled(const facts::Listener& listener, const ThreadLook& look,
                                     Wait& wait) {
  if (!look.polled) return nullptr;
  wait.polled = facts::Polled::kNothing;
  const facts::FileTarget* server = nullptr;
  for (const PolledLook& polled : *look.polled) {
    const facts::Polled kind = polled_kind(listener, look.pid, polled);
    wait.polled = std::max(*wait.polled, kind);
    if (kind == facts::Polled::kConnections) server = &polled.target;
  }
  return wait.polled == facts::Polled::kConnections ? server : nullptr;
}

// Whether two descriptors of one kind of call are the same for a diagnosis: two files of one file
// system are, two clients of this listener as well.
bool same_target(const facts::Listener& listener, const std::optional<facts::FileTarget>& a,
                 const std::optional<facts::FileTarget>& b) {
  if (!a || !b) return !a && !b;
  if (a->type != b->type || a->device != b->device || a->source != b->source) return false;
  if (a->type == "pipefs") return a->inode == b->inode;
  if (!a->peer || !b->peer) return a->peer == b->peer;
  const bool is_client = is_client_of(listener, *a);
  if (is_client || is_client_of(listener, *b)) return is_client && is_client_of(listener, *b);
  return a->peer == b->peer && a->peer_port == b->peer_port;
}

// Returns its place.
std::size_t add_wait(const facts::Listener& listener, std::size_t part, Wait wait,
                     std::vector<Wait>& waits) {
  const auto is_same = [&](const Wait& known) {
    return known.state == wait.state && known.syscall == wait.syscall && known.lock == wait.lock &&
           known.contended == wait.contended && known.timed == wait.timed &&
           known.polled == wait.polled && known.stack == wait.stack &&
           same_target(listener, known.target, wait.target);
  };
  auto place = std::ranges::find_if(waits, is_same);
  if (place == waits.end() && waits.size() >= kMostPlaces) {
    place = std::ranges::find_if(waits, [&](const Wait& known) {
      return known.state == wait.state && known.syscall == wait.syscall;
    });
  }
  if (place == waits.end()) {
    facts::add_when(part, wait.looks, wait.when);
    waits.push_back(std::move(wait));
    return waits.size() - 1;
  }
  facts::add_when(part, wait.looks, place->when);
  place->looks += wait.looks;
  if (wait.target && wait.target->answer_due == true && place->target) {
    place->target->answer_due = true;
  }
  return static_cast<std::size_t>(place - waits.begin());
}

std::optional<std::uint64_t> difference(const std::optional<std::uint64_t>& before,
                                        const std::optional<std::uint64_t>& after) {
  if (!before || !after || *after < *before) return std::nullopt;
  return *after - *before;
}

facts::ThreadTimes spent(const facts::ThreadTimes& before, const facts::ThreadTimes& after) {
  return {.user_ns = difference(before.user_ns, after.user_ns),
          .system_ns = difference(before.system_ns, after.system_ns),
          .delay_ns = difference(before.delay_ns, after.delay_ns),
          .voluntary = difference(before.voluntary, after.voluntary),
          .involuntary = difference(before.involuntary, after.involuntary),
          .major_faults = difference(before.major_faults, after.major_faults)};
}

bool is_held_by(const facts::Listener& listener, Pid pid) {
  return std::ranges::any_of(listener.owners,
                             [&](const facts::OwnerRef& owner) { return owner.pid == pid; });
}

// Without the wait queue: it is in accept() on a descriptor of the listener.
bool is_in_accept(const facts::Listener& listener, const ThreadLook& look) {
  if (look.wait.syscall != "accept" && look.wait.syscall != "accept4") return false;
  return look.wait.fd && is_held_at(listener, {look.pid, *look.wait.fd});
}

}  // namespace

void AcceptThreads::Known::tell_server() {
  for (Wait& wait : watch.waits) {
    if (wait.polled == facts::Polled::kConnections && !is_about_socket(wait)) wait.target = server;
  }
}

std::size_t AcceptThreads::part_of(std::int64_t at_ns, Book& book) {
  std::optional<facts::LookParts>& parts = book.acceptors.parts;
  if (!parts) parts = facts::LookParts{.begin_ns = at_ns};
  const auto part = [&] {
    return static_cast<std::size_t>(std::max<std::int64_t>(at_ns - parts->begin_ns, 0) /
                                    parts->part_ns);
  };
  while (part() >= facts::kMostLookParts) {
    parts->part_ns *= 2;
    for (auto& [id, known] : book.threads) {
      for (Wait& wait : known.watch.waits) facts::coarsen(wait.when);
    }
  }
  return part();
}

void AcceptThreads::add_waiters(const facts::Listener& listener, const ThreadsSeen& seen,
                                Book& book, std::map<Pid, AcceptLink>& links) {
  // Each descriptor shows the one wait queue of the socket.
  for (const WaiterLook& look : seen.listeners) {
    if (!is_held_at(listener, {look.pid, look.fd})) continue;
    ++book.acceptors.queue_looks;
    if (look.epolls > 0) ++book.acceptors.in_epoll;
    if (!look.waiters.empty()) ++book.acceptors.waited_for;
    for (const WaiterLook::Waiter& waiter : look.waiters) links.emplace(waiter.tid, waiter.link);
    return;
  }
}

void AcceptThreads::add_held(const facts::Listener& listener, const ThreadsSeen& seen, Book& book) {
  for (const HeldLook& look : seen.held) {
    for (const auto& [fd, connections] : look.connections) {
      if (!is_held_at(listener, {look.pid, fd})) continue;
      Held& of_process = book.held[look.pid];
      facts::HeldConnections& held = of_process.all;
      of_process.connections += connections.most;
      of_process.asked += connections.mean_asked.value_or(connections.asked.value_or(0));
      if (++of_process.looks == 1) {
        held = connections;
        continue;
      }
      held.most = std::max(held.most, connections.most);
      held.silent = std::min(held.silent.value_or(0), connections.silent.value_or(0));
      held.asked = std::min(held.asked.value_or(0), connections.asked.value_or(0));
      if (held.unanswered && connections.unanswered) {
        held.unanswered = std::max(*held.unanswered, *connections.unanswered);
      }
      if (!held.peer) held.peer = connections.peer;
      if (!held.peer_port) held.peer_port = connections.peer_port;
    }
  }
}

void AcceptThreads::add_thread(std::int64_t at_ns, const facts::Listener& listener,
                               const ThreadLook& look, bool is_alone,
                               const std::map<Pid, AcceptLink>& links, Book& book) {
  Known& known = book.threads[{look.pid, look.tid}];
  facts::ThreadWatch& watch = known.watch;
  if (watch.looks == 0) {
    watch.pid = look.pid;
    watch.tid = look.tid;
    watch.comm = look.comm;
    known.first_ns = at_ns;
    known.first = look.times;
  }
  ++watch.looks;
  watch.watched_ns = at_ns - known.first_ns;
  if (watch.looks > 1) watch.times = spent(known.first, look.times);
  if (const auto link = links.find(look.tid); link != links.end()) {
    watch.link = std::min(watch.link, link->second);
  } else if (is_in_accept(listener, look)) {
    watch.link = AcceptLink::kAccept;
  }
  Wait wait = look.wait;
  if (!links.contains(look.tid)) {
    const facts::FileTarget* server = tell_polled(listener, look, wait);
    if (server != nullptr) known.server = *server;
    if (server != nullptr && is_alone && !is_about_socket(wait)) wait.target = *server;
  }
  known.last_place = add_wait(listener, part_of(at_ns, book), std::move(wait), watch.waits);
  if (watch.looks == 1) known.first_place = known.last_place;
  known.on_core = look.on_core;
}

void AcceptThreads::add(std::int64_t at_ns, std::span<const facts::Listener> listeners,
                        const ThreadsSeen& seen) {
  std::map<Pid, std::size_t> threads;
  for (const ThreadLook& look : seen.threads) ++threads[look.pid];
  for (const facts::Listener& listener : listeners) {
    Book& book = books_[facts::listener_key(listener)];
    book.latest_ns = at_ns;
    if (listener.protocol == facts::Protocol::kTcp) book.port = listener.port;
    std::map<Pid, AcceptLink> links;
    add_waiters(listener, seen, book, links);
    add_held(listener, seen, book);
    for (const ThreadLook& look : seen.threads) {
      if (!is_held_by(listener, look.pid)) continue;
      add_thread(at_ns, listener, look, threads[look.pid] == 1, links, book);
    }
    book.acceptors.threads_left_out = std::max(book.acceptors.threads_left_out, seen.left_out);
  }
}

bool AcceptThreads::can_be_its_time(const Book& book, const Known& known,
                                    const facts::ExactTime& exact) {
  // Looks are that far apart, and counting begins before the first.
  constexpr std::uint64_t kUnseenNs = 500'000'000;
  const auto watched = static_cast<std::uint64_t>(known.watch.watched_ns);
  const bool is_gone = known.first_ns + known.watch.watched_ns < book.latest_ns;
  return !is_gone || exact.counted_ns <= watched + kUnseenNs;
}

void AcceptThreads::forget_servers_of_loops(Book& book) {
  const auto has_clients = [](const auto& thread) {
    return std::ranges::any_of(thread.second.watch.waits, [](const Wait& wait) {
      return wait.polled == facts::Polled::kClients;
    });
  };
  std::set<Pid> loops;
  for (const auto& thread : book.threads) {
    if (has_clients(thread)) loops.insert(thread.first.first);
  }
  for (auto& [id, known] : book.threads) {
    if (!loops.contains(id.first)) continue;
    for (Wait& wait : known.watch.waits) {
      if (wait.polled == facts::Polled::kConnections && !is_about_socket(wait)) wait.polled.reset();
    }
  }
}

std::map<std::string, facts::Acceptors> AcceptThreads::take(std::span<const ThreadTime> counted) {
  std::map<std::pair<Pid, Pid>, const ThreadTime*> by_thread;
  for (const ThreadTime& time : counted) by_thread[{time.pid, time.tid}] = &time;
  std::map<std::string, facts::Acceptors> all;
  for (auto& [key, book] : books_) {
    facts::Acceptors& acceptors = all[key] = std::move(book.acceptors);
    forget_servers_of_loops(book);
    for (const auto& [pid, held] : book.held) {
      acceptors.held.push_back(held.all);
      acceptors.held.back().mean = static_cast<double>(held.connections) / held.looks;
      acceptors.held.back().mean_asked = held.asked / held.looks;
    }
    for (auto& [id, known] : book.threads) {
      if (const auto time = by_thread.find(id); time != by_thread.end()) {
        const std::vector<Wait>& waits = known.watch.waits;
        facts::ExactTime exact =
            placed(*time->second, waits[known.first_place], waits[known.last_place], known.on_core);
        if (can_be_its_time(book, known, exact)) known.watch.exact = std::move(exact);
        if (const auto& closed = time->second->closed; closed && book.port) {
          const auto of_port = closed->find(*book.port);
          known.watch.closed = of_port != closed->end() ? of_port->second : 0;
        }
      }
      if (known.watch.closed.value_or(0) > 0) known.tell_server();
      std::ranges::stable_sort(known.watch.waits, std::ranges::greater{}, &Wait::looks);
      acceptors.threads.push_back(std::move(known.watch));
    }
  }
  books_.clear();
  return all;
}

}  // namespace acceptq::collect
