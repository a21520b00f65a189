#include "collect/host_threads.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/clock.h"
#include "base/file.h"
#include "collect/attended.h"
#include "collect/fuse/connections.h"
#include "collect/pipe_readers.h"
#include "collect/procfs/process.h"
#include "collect/taken_mutexes.h"

namespace acceptq::collect {
namespace {

// Processes whose mounts are read: those of one server mostly share them.
constexpr std::size_t kMostObservers = 4;
// Files that are named, of all that threads wait for: one says enough.
constexpr std::size_t kMostFiles = 16;

// A look is charged no more than this, so that a watch of two seconds has at least a dozen of them,
// or five of those that cost the most.
constexpr std::int64_t kMostByIterator = 1'500'000;
constexpr std::int64_t kMostByProcfs = 4'000'000;

}  // namespace

ThreadsSeen HostThreads::look(std::span<const WatchedProcess> watched, std::size_t most_threads) {
  if (!std::exchange(tried_, true)) {
    Result<bpf::ThreadIterator> created = bpf::ThreadIterator::Create();
    if (created) iterator_.emplace(std::move(*created));
  }
  if (iterator_) {
    const std::int64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (Result<ThreadsSeen> seen = iterator_->look(watched, most_threads)) {
      name_files(*seen);
      mark_taken_mutexes(seen->threads);
      seen->cost_ns = std::min(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin, kMostByIterator);
      return std::move(*seen);
    }
  }
  const std::int64_t begin = monotonic_ns();
  ThreadsSeen seen = reader_.look(watched, most_threads);
  mark_taken_mutexes(seen.threads);
  seen.cost_ns = std::min(monotonic_ns() - begin, kMostByProcfs);
  return seen;
}

// Threads that /proc shows have no number that the clock could know them by.
void HostThreads::count_time(std::span<const ThreadLook> threads) {
  if (!iterator_) return;
  if (!std::exchange(tried_clock_, true)) {
    Result<bpf::ThreadClock> created = bpf::ThreadClock::Create();
    if (created) clock_.emplace(std::move(*created));
  }
  if (!clock_) return;
  counts_ = true;
  // One that once could not be attached is not tried again.
  if (!clock_->count(threads)) clock_.reset();
}

void HostThreads::stop_counting_time() {
  if (!clock_ || !std::exchange(counts_, false)) return;
  const bpf::ClockReading reading = clock_->stop();
  bpf::AddressNames names;
  iterator_->name(bpf::addresses_of(reading), names);
  for (ThreadTime& time : bpf::times_of(reading, names)) counted_.add(std::move(time));
}

std::vector<ThreadTime> HostThreads::counted_time() {
  stop_counting_time();
  return counted_.take();
}

// The link is read, and not followed; its reading may wait for an execve().
void HostThreads::name_files(ThreadsSeen& seen) {
  std::vector<std::pair<facts::FileTarget*, std::string>> unnamed;
  for (ThreadLook& look : seen.threads) {
    auto& target = look.wait.target;
    if (!target || target->path || !look.wait.fd || !facts::has_names(target->type)) continue;
    const auto known = files_.find({target->device, target->inode});
    if (known != files_.end()) {
      target->path = known->second;
    } else if (files_.size() + unnamed.size() < kMostFiles) {
      unnamed.emplace_back(&*target,
                           fmt::format("{}/{}/fd/{}", proc_root_, look.pid.value(), *look.wait.fd));
    }
  }
  if (unnamed.empty()) return;
  const auto links = std::make_shared<std::vector<std::string>>();
  for (const auto& [target, link] : unnamed) links->push_back(link);
  const auto names = attended_map<std::string>(links->size(), 1, [links](std::size_t i) {
    Result<std::string> name = read_link((*links)[i]);
    return name ? std::move(*name) : std::string();
  });
  for (std::size_t i = 0; i < unnamed.size(); ++i) {
    if (!names[i] || names[i]->empty()) continue;
    facts::FileTarget& target = *unnamed[i].first;
    target.path = files_[{target.device, target.inode}] = *names[i];
  }
}

const cgroup::HeldBack& HostThreads::held_back() {
  if (!held_back_) held_back_.emplace(proc_root_);
  return *held_back_;
}

void HostThreads::watch_condition(Pid pid) {
  if (cpu_groups_.contains(pid)) return;
  cpu_groups_[pid] = held_back().cpu_groups(pid);
  memory_groups_[pid] = held_back().memory_groups(pid);
  if (!disks_before_) disks_before_ = disks_.read();
  if (nfs_.size() < kMostObservers) nfs_[pid] = read_nfs(proc_root_, pid);
}

std::vector<facts::ProcessCondition> HostThreads::conditions() {
  std::vector<facts::ProcessCondition> conditions;
  for (const auto& [pid, earlier] : std::exchange(cpu_groups_, {})) {
    facts::ProcessCondition& condition = conditions.emplace_back();
    condition.pid = pid;
    condition.frozen_group = held_back().frozen_group(pid);
    condition.cpu_groups = cpu_groups_between(earlier, held_back().cpu_groups(pid));
    condition.cpu_groups_seen = held_back().sees_cpu_groups(pid);
    condition.memory_groups =
        memory_groups_between(memory_groups_[pid], held_back().memory_groups(pid));
    // `status` waits for nobody (procfs/process.h).
    constexpr std::size_t kMostBytes = std::size_t{1} << 20;
    const Result<std::string> text =
        read_file(fmt::format("{}/{}/status", proc_root_, pid.value()), kMostBytes);
    const auto status = text ? procfs::parse_status(*text) : fail(text.error());
    if (!status) continue;
    condition.tracer = status->tracer;
    condition.dumping_core = status->dumping_core;
  }
  memory_groups_.clear();
  return conditions;
}

std::vector<facts::FuseConnection> HostThreads::fuse(Pid observer,
                                                     std::span<const std::uint64_t> devices) {
  return fuse::read_connections({.proc = proc_root_}, observer, devices);
}

std::vector<facts::PipeReader> HostThreads::pipe_readers(std::span<const facts::FileTarget> pipes) {
  return find_pipe_readers(proc_root_, pipes);
}

std::vector<facts::NfsMount> HostThreads::nfs() {
  std::vector<facts::NfsMount> mounts;
  for (const auto& [pid, earlier] : std::exchange(nfs_, {})) {
    for (facts::NfsMount& mount : nfs_between(earlier, read_nfs(proc_root_, pid))) {
      const bool known = std::ranges::any_of(mounts, [&](const facts::NfsMount& each) {
        return each.source == mount.source && each.mountpoint == mount.mountpoint;
      });
      if (!known) mounts.push_back(std::move(mount));
    }
  }
  return mounts;
}

void HostThreads::disks(const std::vector<DiskWaits>& waits, facts::AcceptEvidence& evidence) {
  const auto before = std::exchange(disks_before_, std::nullopt);
  if (!before) return;
  const DiskReading now = disks_.read();
  evidence.hung_tasks = hung_between(*before, now);
  evidence.disks = disks_.below(waits);
  count_between(*before, now, evidence.disks);
}

}  // namespace acceptq::collect
