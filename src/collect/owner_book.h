// Who owns which socket, who these processes are, and which of them are stuck: what the scans of
// one Scanner learned, each thing checked again before it is used.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "collect/procfs/owners.h"
#include "collect/scan.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

inline constexpr const char* kHidesProcesses =
    "/proc hides the processes of other users (hidepid; run as root)";

class OwnerBook {
 public:
  // Sockets whose owner was searched for in vain: kernel-owned, in flight over a Unix socket, held
  // by io_uring, or of a process that may not be read. One that is in flight gets an owner later.
  enum class Unowned { kSearchAgain, kLeave };

  using Seen = std::map<Pid, facts::Process>;  // processes as the iterator saw them just now

  OwnerBook(const ScanOptions& options, unsigned threads);

  // Processes that do not answer (attended.h), sorted: they are not asked again.
  [[nodiscard]] const std::vector<Pid>& stuck() const { return stuck_; }
  // As discovery, which asks every process, found them.
  void set_stuck(std::vector<Pid> stuck) { stuck_ = std::move(stuck); }

  // Fills in the owners of the snapshot's listeners by the walk through /proc/*/fd, and AQ605 where
  // some may be missing. `sees_whole_host`: this PID namespace is the initial one.
  void find_owners(bool sees_whole_host, Unowned unowned, facts::Snapshot& snapshot);

  // Fills in the processes: every owner that still lives, with its container and pod.
  void describe(const Seen& seen_now, facts::Snapshot& snapshot);

  // AQ610, where a process is stuck.
  void note_stuck(facts::Snapshot& snapshot) const;

 private:
  // Sockets whose owners are not known from an earlier scan, or have changed.
  [[nodiscard]] std::vector<SocketInode> without_known_owner(Unowned unowned,
                                                             const facts::Snapshot& snapshot) const;
  void walk_owners(const std::vector<SocketInode>& wanted, const facts::Snapshot& snapshot);
  void read_stuck(Pid pid, const Seen& seen_now, std::vector<facts::Process>& fresh) const;
  [[nodiscard]] bool is_stuck(Pid pid) const;
  void add_stuck(const std::vector<Pid>& more);

  std::string proc_root_;
  std::string run_root_;
  std::string log_root_;
  unsigned threads_;
  std::vector<Pid> stuck_;
  std::unordered_map<SocketInode, std::vector<facts::OwnerRef>> owners_;
  bool owners_complete_ = false;
  facts::BlindSpot owner_blind_spot_;
  std::map<Pid, facts::Process> processes_;
};

}  // namespace acceptq::collect
