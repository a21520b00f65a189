// Looks at the threads of listeners in trouble, added up. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "collect/thread_look.h"
#include "facts/listener.h"
#include "facts/threads.h"

namespace acceptq::collect {

class AcceptThreads {
 public:
  // What of `seen` belongs to one of these listeners.
  void add(std::int64_t at_ns, std::span<const facts::Listener> listeners, const ThreadsSeen& seen);
  // Everything so far, by listener_key, with the time that was `counted` of these threads; begins
  // anew.
  [[nodiscard]] std::map<std::string, facts::Acceptors> take(std::span<const ThreadTime> counted);

 private:
  struct Known {
    facts::ThreadWatch watch;
    std::int64_t first_ns = 0;
    facts::ThreadTimes first;
    std::size_t first_place = 0;  // in `watch.waits`, at the first look and at the last
    std::size_t last_place = 0;
    bool on_core = false;  // at the last look
    // The other end of a connection that it waited for with none of the listener's clients.
    std::optional<facts::FileTarget> server;

    // Beside idle connections of a pool of them, only whoever serves clients waits for an answer.
    void tell_server();
  };
  struct Held {
    facts::HeldConnections all;
    std::uint32_t looks = 0;
    std::uint64_t connections = 0;  // of the listener, at all looks together
    double asked = 0;               // to others, of which an answer may have been due
  };
  struct Book {
    std::optional<std::uint16_t> port;  // of TCP
    facts::Acceptors acceptors;
    std::map<std::pair<Pid, Pid>, Known> threads;
    std::map<Pid, Held> held;
    std::int64_t latest_ns = 0;  // the last look
  };
  // Whether so much can be this thread's time: one that was gone at the last look ended at some
  // time after it was seen for the last time, though nobody may have told.
  [[nodiscard]] static bool can_be_its_time(const Book& book, const Known& known,
                                            const facts::ExactTime& exact);

  // The part of the time that a look of this moment is in; parts become longer where it takes that.
  [[nodiscard]] static std::size_t part_of(std::int64_t at_ns, Book& book);
  static void add_waiters(const facts::Listener& listener, const ThreadsSeen& seen, Book& book,
                          std::map<Pid, facts::AcceptLink>& links);
  static void add_held(const facts::Listener& listener, const ThreadsSeen& seen, Book& book);
  // An event loop that serves clients waits for others on their behalf: what it waits for without
  // any of them is not known to keep it from accepting.
  static void forget_servers_of_loops(Book& book);
  // `is_alone`: the only thread of its process.
  static void add_thread(std::int64_t at_ns, const facts::Listener& listener,
                         const ThreadLook& look, bool is_alone,
                         const std::map<Pid, facts::AcceptLink>& links, Book& book);

  std::map<std::string, Book> books_;
};

}  // namespace acceptq::collect
