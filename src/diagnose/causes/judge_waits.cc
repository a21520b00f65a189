// Threads that wait for somebody else: a lock, a pipe, the other end of a socket, a timer.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string_view>

#include "diagnose/causes/class_shares.h"
#include "diagnose/causes/judges.h"
#include "diagnose/causes/thread_habits.h"
#include "facts/holders.h"

namespace acceptq::diagnose {
namespace {

// "10.0.0.7:3306"; empty where the socket has no such peer. Adds it to the detail.
std::string name_peer(const facts::Wait& wait, Cause& cause) {
  if (!wait.target || !wait.target->peer) return "";
  std::string name = facts::host_and_port(*wait.target->peer, wait.target->peer_port.value_or(0));
  cause.detail["peer"] = name;
  return name;
}

// The listener of this host at the other end, where it can only be that one: a connection that does
// not leave its namespace, or a listener that is bound to the address itself.
const facts::Listener* listener_of_peer(const Scene& scene, const facts::FileTarget& socket) {
  const facts::Listener* found = nullptr;
  const bool stays = socket.peer->is_loopback() || socket.local == socket.peer;
  for (const facts::Listener& listener : scene.observation.after.listeners) {
    if (listener.protocol != facts::Protocol::kTcp || listener.port != socket.peer_port) continue;
    const bool answers = stays ? listener.netns == scene.state.listener->netns &&
                                     facts::serves_address(listener, *socket.peer)
                               : listener.address == *socket.peer;
    if (!answers) continue;
    if (found != nullptr) return nullptr;
    found = &listener;
  }
  return found;
}

// " (php-fpm, pid 812)"; empty where it is elsewhere. Adds it to the detail.
std::string name_server(const Scene& scene, const facts::Wait& wait, Cause& cause) {
  if (!wait.target || !wait.target->peer || !wait.target->peer_port) return "";
  const facts::Listener* listener = listener_of_peer(scene, *wait.target);
  if (listener == nullptr) return "";
  cause.detail["listener"] = facts::listener_key(*listener);
  const facts::Process* server = facts::holders_of(scene.observation.after, *listener).first();
  if (server == nullptr) return "";
  cause.detail["server"] = server->comm;
  cause.detail["server_pid"] = std::to_string(server->pid.value());
  return fmt::format(" ({}, pid {})", server->comm, server->pid.value());
}

// Of the threads, those that were seen to wait so; of threads that come and go, as many as there
// are at once.
std::size_t count_of(const Scene& scene, WaitClass what) {
  constexpr double kNsPerSecond = 1e9;
  double ns = 0;
  std::size_t count = 0;
  for (const facts::ThreadWatch* thread : scene.time.threads) {
    if (class_shares(*thread, *scene.state.listener).at(static_cast<std::size_t>(what)) <= 0) {
      continue;
    }
    ++count;
    ns += watched_ns(*thread);
  }
  if (scene.time.seconds <= 0) return count;
  const double at_once = std::ceil(ns / (scene.time.seconds * kNsPerSecond));
  return std::min(count, static_cast<std::size_t>(std::max(at_once, 1.0)));
}

// Several, and most of their time.
bool some_wait_for_files(const Scene& scene) {
  constexpr double kMostly = 0.6;
  const auto waits = [&](const facts::ThreadWatch* thread) {
    const ClassShares shares = class_shares(*thread, *scene.state.listener);
    return shares.at(static_cast<std::size_t>(WaitClass::kFuse)) +
               shares.at(static_cast<std::size_t>(WaitClass::kNfs)) +
               shares.at(static_cast<std::size_t>(WaitClass::kBlock)) >=
           kMostly;
  };
  return std::ranges::count_if(scene.time.threads, waits) > 1;
}

// Where any of its threads may be the one that accepts: those that wait for another server may just
// be told of events. Threads that wait for a file are not, and while connections are taken, those
// that serve them move.
bool may_be_told_of_events(const Scene& scene, const facts::Wait& wait) {
  if (wait.target && wait.target->answer_due == false) return true;
  const auto waits_still = [&](const facts::ThreadWatch* thread) {
    return class_shares(*thread, *scene.state.listener)
                   .at(static_cast<std::size_t>(WaitClass::kPeer)) <= 0 ||
           thread->times.voluntary == 0U;
  };
  const bool others_serve = scene.state.report.left_queue.value_or(0) > 0 &&
                            std::ranges::all_of(scene.time.threads, waits_still);
  return others_serve || some_wait_for_files(scene);
}

std::string words_of_pipe(const facts::Wait& wait) {
  if (is_below(wait, "wait_for_partner")) return "waits for the other end of a FIFO to be opened";
  if (is_below(wait, "n_tty_write") || is_below(wait, "file_tty_write")) {
    return "waits for room in a terminal";
  }
  // A FIFO has a name.
  const bool is_named = wait.target && wait.target->path && wait.target->type != "pipefs";
  return "waits for room in a full pipe" + (is_named ? " " + *wait.target->path : "");
}

// ", whose reader cat (pid 28907) is stopped"; empty where it is not known. Adds it to the detail.
// Of several the one that does not read decides nothing: any of them may.
std::string describe_reader(const Scene& scene, const facts::Wait& wait, Cause& cause) {
  if (!wait.target) return "";
  std::vector<const facts::PipeReader*> readers;
  for (const facts::PipeReader& reader : scene.observation.accept_evidence.pipe_readers) {
    if (reader.reads_from(*wait.target)) readers.push_back(&reader);
  }
  // Whoever made the pipe often keeps both ends, as Apache does of its piped logs.
  const auto& owners = scene.state.listener->owners;
  const auto serves = [&](const facts::PipeReader* reader) {
    return std::ranges::find(owners, reader->pid, &facts::OwnerRef::pid) != owners.end();
  };
  if (!std::ranges::all_of(readers, serves)) std::erase_if(readers, serves);
  if (readers.empty()) return "";
  const facts::PipeReader& first = *readers.front();
  const bool all_stopped = std::ranges::all_of(
      readers, [](const facts::PipeReader* reader) { return is_stopped(reader->state); });
  cause.detail["reader"] = first.comm;
  cause.detail["reader_pid"] = std::to_string(first.pid.value());
  cause.detail["reader_state"] = first.state;
  const std::string name = first.comm.empty()
                               ? fmt::format("pid {}", first.pid.value())
                               : fmt::format("{} (pid {})", first.comm, first.pid.value());
  if (readers.size() > 1) {
    cause.detail["readers"] = std::to_string(readers.size());
    return fmt::format(", which {} and {} more have open to read{}", name, readers.size() - 1,
                       all_stopped ? ", and all are stopped" : "");
  }
  if (scene.processes().contains(first.pid)) return ", which it has to read itself";
  return fmt::format(", whose reader {}", name) +
         (all_stopped ? " is stopped" : " does not keep up");
}

// It sleeps again and again and takes nothing, as one does that tries again when accept() fails.
bool may_try_again(const Scene& scene) {
  if (!may_lack_descriptors(scene) || scene.state.report.left_queue.value_or(1) > 0) return false;
  return std::ranges::any_of(scene.time.threads, [](const facts::ThreadWatch* thread) {
    return thread->times.voluntary.value_or(0) > 1;
  });
}

using ThreadsByWork = std::map<WaitClass, Threads>;

// Threads of the same process that do something else, of which one may have the lock meanwhile.
ThreadsByWork that_may_have_it(const Scene& scene) {
  ThreadsByWork threads;
  for (const facts::ThreadWatch& thread : acceptors_of(scene)->threads) {
    if (thread.pid != scene.time.threads.front()->pid) continue;
    const auto what = blocked_at_work(thread, *scene.state.listener);
    if (what && *what != WaitClass::kLock && *what != WaitClass::kRuns) {
      threads[*what].push_back(&thread);
    }
  }
  return threads;
}

// ", which a thread may have that is writing into a full pipe, whose reader cat (pid 9) is
// stopped".
std::string words_of_holder(const Scene& scene, const ThreadsByWork& threads, Cause& cause) {
  if (threads.size() != 1) return "";
  const auto& [what, all] = *threads.begin();
  const std::string reader = what == WaitClass::kPipe && all.size() == 1
                                 ? describe_reader(scene, all.front()->waits.front(), cause)
                                 : "";
  cause.detail["holder"] = wait_class_name(what);
  const std::string words(wait_class_words(what));
  return all.size() == 1
             ? fmt::format(", which a thread may have that is {}{}", words, reader)
             : fmt::format(", which one of {} threads may have that are {}", all.size(), words);
}

// A sentence about two groups of these, with a blank before it, or nothing.
std::string who_of_two_may_have_it(const ThreadsByWork& threads) {
  constexpr std::size_t kWorthSaying = 2;
  if (threads.size() != kWorthSaying) return "";
  std::string text;
  for (const auto& [what, all] : threads) {
    if (!text.empty()) {
      text += fmt::format(", and {} {}", all.size(), wait_class_words(what));
    } else if (all.size() == 1) {
      text = fmt::format(" One of its threads is {}", wait_class_words(what));
    } else {
      text = fmt::format(" {} of its threads are {}", all.size(), wait_class_words(what));
    }
  }
  return text + ": one of these may have it.";
}

}  // namespace

std::optional<JudgedCause> judge_lock(const Scene& scene) {
  auto judged = cause_of_class(scene, CauseKind::kLock, WaitClass::kLock);
  if (!judged || scene.time.may_take_turns) return std::nullopt;
  // In a pool threads wait at a lock for work, and so does one whose work another thread goes on
  // with: only those that are known to accept, or to have a client, tell, or a lock that is known
  // to be taken.
  const facts::Wait& wait = *scene.time.of(WaitClass::kLock).most_seen;
  const bool are_known =
      scene.time.certainty <= Certainty::kOnly || scene.time.certainty == Certainty::kServe ||
      std::ranges::all_of(scene.time.threads,
                          [](const auto* thread) { return was_counted_in_accept(*thread); });
  if (!are_known && !is_for_taken_lock(wait)) return std::nullopt;
  // They had time: where they wait beside that is where those of a pool wait for work, too.
  if (scene.time.idle() >= kHasTime && does_not_empty(scene.state)) return std::nullopt;
  // Stopped by a collector of garbage, or perhaps.
  const Others computed = computed_by_others(scene);
  if (computed.collect + computed.nameless >= *judged->cause.share / 2) return std::nullopt;
  const bool is_semaphore =
      wait.syscall && (*wait.syscall == "semop" || *wait.syscall == "semtimedop");
  judged->words = is_semaphore ? "waits for a System V semaphore" : "waits for a lock";
  if (wait.lock) {
    judged->cause.detail["lock"] = fmt::format("{:#x}", *wait.lock);
    judged->words += fmt::format(" (futex at {:#x})", *wait.lock);
  } else if (const facts::Wait* at = scene.time.of(WaitClass::kLock).with_target;
             at != nullptr && at->target->path) {
    judged->cause.detail["file"] = *at->target->path;
    judged->words += fmt::format(" (of the file {})", *at->target->path);
  }
  const bool moved = std::ranges::any_of(scene.time.threads, [](const auto* thread) {
    return thread->times.voluntary.value_or(1) > 0;
  });
  judged->cause.detail["moved"] = moved ? "yes" : "no";
  judged->consequence = moved ? "Whoever holds the lock decides how fast connections are taken."
                              : "None of its threads moved while acceptq watched: a deadlock, or a "
                                "holder that waits for something else.";
  const ThreadsByWork may_have_it = that_may_have_it(scene);
  judged->words += words_of_holder(scene, may_have_it, judged->cause);
  judged->consequence += who_of_two_may_have_it(may_have_it);
  return judged;
}

std::optional<JudgedCause> judge_pipe(const Scene& scene) {
  auto judged = cause_of_class(scene, CauseKind::kPipe, WaitClass::kPipe);
  if (!judged) return std::nullopt;
  const facts::Wait& wait = *scene.time.of(WaitClass::kPipe).most_seen;
  judged->words = words_of_pipe(wait);
  if (wait.fd) {
    judged->cause.detail["fd"] = std::to_string(*wait.fd);
    judged->words += fmt::format(" (descriptor {})", *wait.fd);
  }
  if (wait.target && wait.target->path) judged->cause.detail["path"] = *wait.target->path;
  const std::string reader = describe_reader(scene, wait, judged->cause);
  judged->words += reader;
  judged->consequence = reader.empty()
                            ? "Whoever is to read from it, often what collects its log, has "
                              "stopped, is slow or is not there."
                            : "While there is no room it takes nothing from the queue.";
  return judged;
}

std::optional<JudgedCause> judge_client(const Scene& scene) {
  auto judged = cause_of_class(scene, CauseKind::kClient, WaitClass::kClient);
  if (!judged) return std::nullopt;
  const facts::Wait& wait = *scene.time.of(WaitClass::kClient).most_seen;
  const std::string peer = name_peer(wait, judged->cause);
  const std::size_t threads = count_of(scene, WaitClass::kClient);
  const bool serve = scene.time.certainty >= Certainty::kServe;
  judged->words =
      threads > 1 && !scene.time.take_turns
          ? fmt::format("waits for clients, one in each of {} threads that {} (now {} in one)",
                        threads, serve ? "serve them" : "accept", peer)
          : fmt::format("waits for one client at a time (now {})", peer);
  // It sends, and there is no room until the client has read (sk_stream_wait_memory).
  constexpr std::array<std::string_view, 7> kThatSend = {
      "write", "writev", "sendto", "sendmsg", "sendmmsg", "sendfile", "splice"};
  const bool sends = wait.syscall && std::ranges::find(kThatSend, *wait.syscall) != kThatSend.end();
  judged->cause.detail["waits_for"] = sends ? "room" : "data";
  judged->consequence =
      sends ? "A client that does not read what it is sent, or reads it slowly, holds up all that "
              "wait behind it."
            : "A client that sends nothing, on a connection that is kept alive, in a TLS handshake "
              "or over a slow line, holds up all that wait behind it.";
  return judged;
}

std::optional<JudgedCause> judge_upstream(const Scene& scene) {
  auto judged = cause_of_class(scene, CauseKind::kUpstream, WaitClass::kPeer);
  if (!judged) return std::nullopt;
  const facts::Wait& wait = *scene.time.of(WaitClass::kPeer).most_seen;
  // One of a few threads of which others have time may do something of its own.
  constexpr double kMostOfThem = 0.5;
  if (scene.time.certainty == Certainty::kGroup &&
      (*judged->cause.share < kMostOfThem || may_be_told_of_events(scene, wait))) {
    return std::nullopt;
  }
  const std::string peer = name_peer(wait, judged->cause);
  const bool connects = wait.syscall == "connect";
  if (connects) judged->cause.detail["waits_for"] = "connection";
  const bool is_udp = wait.target && wait.target->protocol == "udp";
  if (is_udp && peer.empty()) judged->cause.detail["waits_for"] = "datagram";
  judged->words = peer.empty() && is_udp ? "waits for an answer by UDP, a name server's perhaps"
                  : peer.empty()         ? "waits for the other end of a socket"
                                         : fmt::format("waits for {} {}{}",
                                               connects ? "a connection to" : "an answer of", peer,
                                                       name_server(scene, wait, judged->cause));
  if (peer.empty()) judged->confidence = std::min(judged->confidence, 0.7);
  if (wait.target && answers_for_names(wait.target->peer_port)) {
    judged->cause.detail["waits_for"] = "name";
    judged->words += ", a name server";
  }
  const bool is_pool = scene.time.certainty >= Certainty::kServe && scene.time.threads.size() > 1;
  if (is_pool) judged->cause.detail["threads"] = "serving";
  judged->consequence = is_pool ? "While they wait, whoever accepts has none to give the next "
                                  "connection to."
                                : "While it waits it takes nothing from the queue.";
  return judged;
}

std::optional<JudgedCause> judge_sleep(const Scene& scene) {
  auto judged = cause_of_class(scene, CauseKind::kSleep, WaitClass::kSleep);
  if (!judged || scene.time.certainty == Certainty::kGroup) return std::nullopt;
  if (only_sleeps(scene) || may_try_again(scene)) return std::nullopt;
  judged->words = "sleeps, by a timer that it set itself";
  if (scene.time.certainty == Certainty::kRest && !scene.time.of(WaitClass::kSleep).most_seen) {
    // By the number of its waits alone: sleeps_for_each().
    judged->confidence = std::min(judged->confidence, 0.6);
    judged->words += ", about once for each connection that is taken";
  }
  judged->consequence = "While it sleeps it takes nothing from the queue.";
  return judged;
}

}  // namespace acceptq::diagnose
