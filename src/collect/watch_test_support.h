// A host and its handshakes as a test lets them happen, on a clock that costs no time.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "collect/handshakes.h"
#include "collect/thread_looks.h"
#include "collect/watch_source.h"

namespace acceptq::collect {

inline constexpr std::int64_t kSecond = 1'000'000'000;

class ScriptedHost final : public WatchSource {
 public:
  facts::Snapshot snapshot;                                   // as the next scan sees it
  std::int64_t scan_ns = 10'000'000;                          // how long each takes
  std::multimap<std::int64_t, std::function<void()>> script;  // by the time at which it happens
  std::function<void()> while_counting;  // between what is done beside the counters of each scan
  int scans = 0;
  int samples = 0;

  [[nodiscard]] std::int64_t now_ns() const override { return now_ns_; }
  [[nodiscard]] std::int64_t cpu_ns() const override { return scans * scan_ns; }
  void rest_until(std::int64_t end_ns, std::span<const int> /*events*/) override {
    if (!script.empty() && script.begin()->first <= end_ns) end_ns = script.begin()->first;
    pass(std::max<std::int64_t>(end_ns - now_ns_, 0));
  }
  [[nodiscard]] Result<facts::Snapshot> scan(ScanDepth /*depth*/,
                                             const BesideCounters& beside) override {
    ++scans;
    if (beside.before) beside.before();
    facts::Snapshot seen = snapshot;
    seen.monotonic_ns = seen.realtime_ns = now_ns_;
    if (while_counting) while_counting();
    if (beside.after) beside.after();
    pass(scan_ns);
    return seen;
  }
  [[nodiscard]] std::vector<facts::Listener> sample(std::span<const NetnsId> /*watched*/) override {
    ++samples;
    return snapshot.listeners;
  }
  [[nodiscard]] std::map<NetnsId, std::set<facts::IpAddress>> local_addresses(
      const std::set<NetnsId>& /*namespaces*/) override {
    return {};
  }
  void describe_troubled(facts::Observation& /*observation*/, bool /*is_last*/) override {}

 private:
  void pass(std::int64_t ns) {
    now_ns_ += ns;
    while (!script.empty() && script.begin()->first <= now_ns_) {
      const auto happens = script.extract(script.begin());
      happens.mapped()();
    }
  }

  std::int64_t now_ns_ = kSecond;
};

class ScriptedHandshakes final : public Handshakes {
 public:
  bool is_traced = true;
  Books so_far;
  std::vector<facts::Refusal> told;  // by the next take()

  void start() override {}
  [[nodiscard]] std::optional<facts::Source> source() const override {
    return is_traced ? std::optional(facts::Source::kFunctions) : std::nullopt;
  }
  [[nodiscard]] int event_fd() const override { return is_traced ? 0 : -1; }
  void take(const Taker& taker) override {
    for (const facts::Refusal& refusal : std::exchange(told, {})) {
      if (taker) taker(refusal);
    }
  }
  void look_every(std::chrono::nanoseconds /*period*/) override {}
  [[nodiscard]] Books books() override { return so_far; }
  void note_shortfall(facts::Snapshot& /*snapshot*/) override {}
};

class ScriptedThreads final : public ThreadLooks {
 public:
  ThreadsSeen seen;
  int looks = 0;
  std::vector<WatchedProcess> asked;
  std::set<Pid> conditions_of;
  std::vector<std::uint64_t> fuse_of;
  bool counts = false;
  std::set<Pid> counted;
  std::vector<ThreadTime> times;
  std::vector<DiskWaits> disk_waits;

  [[nodiscard]] ThreadsSeen look(std::span<const WatchedProcess> watched,
                                 std::size_t /*most_threads*/) override {
    ++looks;
    asked.assign(watched.begin(), watched.end());
    return seen;
  }
  void count_time(std::span<const ThreadLook> threads) override {
    counts = true;
    for (const ThreadLook& look : threads) counted.insert(look.tid);
  }
  void stop_counting_time() override { counts = false; }
  [[nodiscard]] std::vector<ThreadTime> counted_time() override {
    counts = false;
    counted.clear();
    return std::exchange(times, {});
  }
  void watch_condition(Pid pid) override { conditions_of.insert(pid); }
  [[nodiscard]] std::vector<facts::ProcessCondition> conditions() override {
    std::vector<facts::ProcessCondition> all;
    for (const Pid pid : std::exchange(conditions_of, {})) {
      facts::ProcessCondition& condition = all.emplace_back();
      condition.pid = pid;
    }
    return all;
  }
  [[nodiscard]] std::vector<facts::PipeReader> pipe_readers(
      std::span<const facts::FileTarget> /*pipes*/) override {
    return {};
  }
  [[nodiscard]] std::vector<facts::FuseConnection> fuse(
      Pid /*observer*/, std::span<const std::uint64_t> devices) override {
    fuse_of.assign(devices.begin(), devices.end());
    facts::FuseConnection fuse;
    fuse.device = devices.empty() ? 48 : devices[0];
    return {fuse};
  }
  [[nodiscard]] std::vector<facts::NfsMount> nfs() override { return {}; }
  void disks(const std::vector<DiskWaits>& waits, facts::AcceptEvidence& /*evidence*/) override {
    disk_waits = waits;
  }
};

}  // namespace acceptq::collect
