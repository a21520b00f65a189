// The steps of a scan that go namespace by namespace.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "collect/netns/discover.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

// The scan's record of one namespace: how to enter it, and what was read of it.
struct NamespaceWork {
  netns::Handle handle;
  facts::Namespace facts;
  std::vector<facts::Listener> listeners;  // from sock_diag or /proc/net
  std::vector<facts::BlindSpot> blind_spots;
  bool gone = false;                      // ended between discovery and entering
  std::optional<std::uint64_t> identity;  // net_identity(), where it was entered
};

// What is wanted from inside a namespace.
struct Want {
  bool counters = false;
  bool sysctls = false;
  bool listeners = false;
  // An iterator showed them already: only those that no process holds are wanted.
  bool only_unowned = false;

  [[nodiscard]] bool any() const { return counters || sysctls || listeners; }
};

// A work item for each handle, with what discovery knows filled in.
[[nodiscard]] std::vector<NamespaceWork> start_work(std::vector<netns::Handle> handles);

// Counters of the namespaces that a process lives in, read from outside (/proc/PID/net), in
// parallel. What cannot be read so stays empty.
void read_counters_from_outside(const std::string& proc_root, unsigned threads,
                                std::span<NamespaceWork> work);

// Enters each namespace from which `wants` (one for each item) asks for something, and reads it.
// `host_sysctls`, if not null, tells a knob that is global on this kernel from an unreadable one.
// What fails is in the items' blind spots.
void read_inside(std::span<const Want> wants, unsigned threads,
                 const std::map<std::string, facts::Sysctl>* host_sysctls,
                 std::span<NamespaceWork> work);

}  // namespace acceptq::collect
