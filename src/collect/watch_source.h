// Where a watch takes its facts from: this host, or what a test lets happen.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "base/result.h"
#include "collect/scan.h"
#include "facts/address.h"
#include "facts/snapshot.h"

namespace acceptq::collect {

class WatchSource {
 public:
  WatchSource() = default;
  WatchSource(const WatchSource&) = delete;
  WatchSource& operator=(const WatchSource&) = delete;
  virtual ~WatchSource() = default;

  // CLOCK_MONOTONIC.
  [[nodiscard]] virtual std::int64_t now_ns() const = 0;
  // The processor time that this process has taken: on a busy host, what it takes of that, not how
  // long it is kept waiting, says how often something may be done.
  [[nodiscard]] virtual std::int64_t cpu_ns() const = 0;
  // Waits until then; for less where one of these descriptors can be read, or a signal comes.
  virtual void rest_until(std::int64_t end_ns, std::span<const int> events) = 0;
  // As Scanner's.
  [[nodiscard]] virtual Result<facts::Snapshot> scan(ScanDepth depth,
                                                     const BesideCounters& beside) = 0;
  [[nodiscard]] virtual std::vector<facts::Listener> sample(std::span<const NetnsId> watched) = 0;
  // As local_addresses().
  [[nodiscard]] virtual std::map<NetnsId, std::set<facts::IpAddress>> local_addresses(
      const std::set<NetnsId>& namespaces) = 0;
  // What is looked up of listeners in trouble: their owners' details and, where it is a last word,
  // the routes back to their clients, and those of their clients that are on this host.
  virtual void describe_troubled(facts::Observation& observation, bool is_last) = 0;
};

}  // namespace acceptq::collect
