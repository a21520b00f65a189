// One scan of this host: namespaces, listeners, owners, counters and sysctls.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "collect/netns/discover.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

enum class ScanMethod {
  kAuto,      // the best that this kernel and these privileges allow
  kIterator,  // BPF iter/task_file; an error where it does not load
  kNetlink,   // sock_diag, namespace by namespace
};

struct ScanOptions {
  ScanMethod method = ScanMethod::kAuto;
  std::string proc_root = "/proc";
  std::string run_root = "/run";
  std::string log_root = "/var/log";  // the kubelet's pods/ and containers/ below it name pods
  unsigned threads = 0;               // for namespaces to be entered; 0: one per CPU, at most 8
  // Of the counters of namespaces with listeners, those of the listen path alone, where the
  // iterator can read them: the kernel takes 36 µs to print all 400 of a namespace.
  bool only_listen_counters = false;
};

// How thorough a scan is.
enum class ScanDepth {
  // kFast with iterators, which then take milliseconds; else kComplete, which costs little more.
  kFirst,
  // What one pass gives: with iterators, every socket that a descriptor table holds.
  kFast,
  // Also what only each namespace's own sock_diag shows (kernel-owned listeners, sockets in flight)
  // and the sysctls of namespaces without listeners: a visit to every namespace.
  kComplete,
};

// Called in a scan right before and right after the counters of all namespaces are read: what is
// compared with them is best looked at then.
struct BesideCounters {
  std::function<void()> before;
  std::function<void()> after;
};

// Scans again and again with what it loaded once. Never throws, never blocks on a socket's lock, on
// a process's memory or on its mounts. Not thread-safe.
class Scanner {
 public:
  explicit Scanner(ScanOptions options);
  Scanner(Scanner&&) noexcept;
  Scanner& operator=(Scanner&&) noexcept;
  ~Scanner();

  // Namespaces, listeners, owners, counters and sysctls as they are now. What could not be seen is
  // in the snapshot's blind spots. Fails only where nothing at all can be scanned (no /proc, or an
  // explicit method that this kernel refuses).
  // After a complete scan, fast ones go on looking after the sockets that only it could find.
  [[nodiscard]] Result<facts::Snapshot> scan(ScanDepth depth, const BesideCounters& beside = {});

  // Lengths of the accept queues alone, as cheaply as this scanner can: listeners without owners.
  // `watched` narrows it to namespaces where something can happen, for methods that have to visit
  // each.
  [[nodiscard]] std::vector<facts::Listener> sample(std::span<const NetnsId> watched);

  // How to enter a namespace that the last scan saw; nothing for any other.
  [[nodiscard]] std::optional<netns::Handle> entrance(NetnsId id) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace acceptq::collect
