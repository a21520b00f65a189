// This host, as a watch sees it.
#pragma once

#include <map>
#include <set>
#include <span>
#include <vector>

#include "collect/watch_source.h"

namespace acceptq::collect {

class HostSource final : public WatchSource {
 public:
  explicit HostSource(const ScanOptions& options) : options_(options), scanner_(options) {}

  [[nodiscard]] std::int64_t now_ns() const override;
  [[nodiscard]] std::int64_t cpu_ns() const override;
  void rest_until(std::int64_t end_ns, std::span<const int> events) override;
  [[nodiscard]] Result<facts::Snapshot> scan(ScanDepth depth,
                                             const BesideCounters& beside) override;
  [[nodiscard]] std::vector<facts::Listener> sample(std::span<const NetnsId> watched) override;
  [[nodiscard]] std::map<NetnsId, std::set<facts::IpAddress>> local_addresses(
      const std::set<NetnsId>& namespaces) override;
  void describe_troubled(facts::Observation& observation, bool is_last) override;

  [[nodiscard]] const Scanner& scanner() const { return scanner_; }

 private:
  ScanOptions options_;
  Scanner scanner_;
};

}  // namespace acceptq::collect
