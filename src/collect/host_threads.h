// This host's threads, and what holds its processes back.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "collect/bpf/thread_clock.h"
#include "collect/bpf/thread_iterator.h"
#include "collect/cgroup/held_back.h"
#include "collect/counted_times.h"
#include "collect/disks.h"
#include "collect/nfs_mounts.h"
#include "collect/procfs/threads.h"
#include "collect/thread_looks.h"

namespace acceptq::collect {

// Loads nothing before the first look.
class HostThreads final : public ThreadLooks {
 public:
  explicit HostThreads(std::string proc_root)
      : proc_root_(std::move(proc_root)), reader_(proc_root_), disks_(proc_root_, "/sys") {}

  [[nodiscard]] ThreadsSeen look(std::span<const WatchedProcess> watched,
                                 std::size_t most_threads) override;
  void count_time(std::span<const ThreadLook> threads) override;
  void stop_counting_time() override;
  [[nodiscard]] std::vector<ThreadTime> counted_time() override;
  void watch_condition(Pid pid) override;
  [[nodiscard]] std::vector<facts::ProcessCondition> conditions() override;
  [[nodiscard]] std::vector<facts::FuseConnection> fuse(
      Pid observer, std::span<const std::uint64_t> devices) override;
  [[nodiscard]] std::vector<facts::PipeReader> pipe_readers(
      std::span<const facts::FileTarget> pipes) override;
  [[nodiscard]] std::vector<facts::NfsMount> nfs() override;
  void disks(const std::vector<DiskWaits>& waits, facts::AcceptEvidence& evidence) override;

 private:
  void name_files(ThreadsSeen& seen);
  [[nodiscard]] const cgroup::HeldBack& held_back();

  std::string proc_root_;
  bool tried_ = false;
  std::optional<bpf::ThreadIterator> iterator_;  // empty where it does not load
  procfs::ThreadReader reader_;                  // then
  bool tried_clock_ = false;
  std::optional<bpf::ThreadClock> clock_;  // empty where it does not load, nor the iterator
  bool counts_ = false;
  CountedTimes counted_;
  std::optional<cgroup::HeldBack> held_back_;
  std::map<Pid, std::vector<cgroup::CpuGroupReading>> cpu_groups_;        // at the beginning
  std::map<Pid, std::vector<cgroup::MemoryGroupReading>> memory_groups_;  // likewise
  std::map<Pid, std::vector<evidence::NfsMountStats>> nfs_;               // likewise
  Disks disks_;
  std::optional<DiskReading> disks_before_;                               // likewise
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> files_;  // by device and inode
};

}  // namespace acceptq::collect
