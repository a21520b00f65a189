// The limit of live TCP listening sockets, changed in place: no restart, no connection lost.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apply/listen_call.h"
#include "apply/somaxconn.h"
#include "base/result.h"
#include "base/units.h"
#include "collect/netns/discover.h"
#include "facts/snapshot.h"

namespace acceptq::apply {

// What is to be done: to one listener, or to all members of its SO_REUSEPORT group.
struct ResizePlan {
  struct Member {
    facts::Listener listener;
    std::vector<Holder> holders;  // ways to it; the first that works is taken
    QueueLimit to;
  };
  std::vector<Member> members;
  std::optional<std::uint64_t> netns_cookie;  // of the namespace that all are in
  RaisedSomaxconn::Afterwards afterwards = RaisedSomaxconn::Afterwards::kPutBack;
  // An undo: only where the limit is still the one that the listener of the plan has, and never
  // below the length of the queue.
  bool only_if_unchanged = false;
};

// `listener` and its siblings, each with its owners, by a snapshot that holds them. Fails, saying
// why, for what is never resized: a Unix socket, one that no process's descriptor table holds.
[[nodiscard]] Result<ResizePlan> plan_resize(const facts::Snapshot& snapshot,
                                             const facts::Listener& listener, QueueLimit to);

// The owners of a listener, each one a way to it.
[[nodiscard]] std::vector<Holder> holders_of(const facts::Snapshot& snapshot,
                                             const facts::Listener& listener);

struct MemberOutcome {
  std::optional<QueueLimit> before;  // by sock_diag, in its namespace
  std::optional<QueueLimit> after;   // likewise; empty: it was closed, or nothing was done
  std::optional<Holder> by;          // whose descriptor was duplicated
  std::optional<Error> error;

  [[nodiscard]] bool done() const { return !error; }
};

struct ResizeOutcome {
  std::vector<MemberOutcome> members;  // in the plan's order
  std::optional<SomaxconnOutcome> somaxconn;
  std::optional<Error> error;  // of what kept all of it from being done: nothing was changed

  [[nodiscard]] bool done() const;
};

// Called when all was found to be as planned and before the first change, with what somaxconn will
// be raised to; an error keeps everything from being done.
using BeforeChange = std::function<Status(const SomaxconnOutcome& somaxconn)>;

// Enters the namespace by `entrance`, in a thread that ends with it; reads the limits; raises
// somaxconn where it would clamp; calls listen() for each member (listen_call.h); reads the limits
// again; puts somaxconn back. Bounded in time. Signals that would end the process wait meanwhile.
[[nodiscard]] ResizeOutcome resize(const ResizePlan& plan, const collect::netns::Handle& entrance,
                                   const BeforeChange& before_change = {});

}  // namespace acceptq::apply
