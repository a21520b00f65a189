#include "collect/thread_sampler.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "collect/pipe_readers.h"
#include "collect/trouble.h"

namespace acceptq::collect {
namespace {

// Of the processes of listeners in trouble, and of their threads.
constexpr std::size_t kMostProcesses = 64;
constexpr std::size_t kMostThreads = 1000;

std::vector<WatchedProcess> processes_of(const std::vector<facts::Listener>& listeners) {
  std::map<Pid, WatchedProcess> processes;
  for (const facts::Listener& listener : listeners) {
    for (const facts::OwnerRef& owner : listener.owners) {
      if (processes.size() >= kMostProcesses && !processes.contains(owner.pid)) continue;
      WatchedProcess& process = processes[owner.pid];
      process.pid = owner.pid;
      process.listener_fds.push_back(owner.fd);
    }
  }
  std::vector<WatchedProcess> all;
  all.reserve(processes.size());
  for (auto& [pid, process] : processes) all.push_back(std::move(process));
  return all;
}

// Whether a thread of it waits for a file system in user space, and of which devices.
bool waits_for_fuse(const facts::Wait& wait, std::set<std::uint64_t>& devices) {
  const bool by_target = wait.target && wait.target->type.starts_with("fuse");
  if (by_target) devices.insert(wait.target->device);
  return by_target || std::ranges::any_of(wait.stack, [](const std::string& function) {
           return function.starts_with("fuse_") || function == "request_wait_answer";
         });
}

void add_fuse(ThreadLooks& threads, facts::AcceptEvidence& evidence) {
  std::map<Pid, std::set<std::uint64_t>> asked;
  for (const auto& [key, acceptors] : evidence.acceptors) {
    for (const facts::ThreadWatch& thread : acceptors.threads) {
      std::set<std::uint64_t> devices;
      for (const facts::Wait& wait : thread.waits) {
        if (waits_for_fuse(wait, devices)) asked[thread.pid].merge(devices);
      }
    }
  }
  for (const auto& [pid, devices] : asked) {
    const std::vector<std::uint64_t> wanted(devices.begin(), devices.end());
    for (facts::FuseConnection& fuse : threads.fuse(pid, wanted)) {
      if (std::ranges::find(evidence.fuse, fuse.device, &facts::FuseConnection::device) ==
          evidence.fuse.end()) {
        evidence.fuse.push_back(std::move(fuse));
      }
    }
  }
  std::ranges::sort(evidence.fuse, {}, &facts::FuseConnection::device);
}

// All that was gathered since the last time.
facts::AcceptEvidence take_evidence(ThreadLooks& threads, AcceptThreads& seen) {
  facts::AcceptEvidence evidence;
  evidence.acceptors = seen.take(threads.counted_time());
  evidence.processes = threads.conditions();
  evidence.nfs = threads.nfs();
  add_fuse(threads, evidence);
  evidence.pipe_readers = threads.pipe_readers(full_pipes(evidence.acceptors));
  threads.disks(disk_waits(evidence.acceptors), evidence);
  return evidence;
}

// The same socket in a snapshot.
const facts::Listener* find(const facts::Snapshot& snapshot, const facts::Listener& wanted) {
  const auto found = std::ranges::find_if(snapshot.listeners, [&](const auto& listener) {
    return facts::has_same_key(listener, wanted);
  });
  return found != snapshot.listeners.end() ? &*found : nullptr;
}

}  // namespace

void ThreadSampler::begin_anew() {
  static_cast<void>(seen_.take({}));
  static_cast<void>(threads_.counted_time());
  static_cast<void>(threads_.conditions());
  static_cast<void>(threads_.nfs());
  facts::AcceptEvidence forgotten;
  threads_.disks({}, forgotten);
  elsewhere_.clear();
  switches_.clear();
  is_restless_ = false;
  in_trouble_.clear();
}

void ThreadSampler::see(const facts::Snapshot& latest) {
  const bool is_first = latest_ == nullptr;
  latest_ = &latest;
  is_owner_gone_ = false;
  for (auto& [key, trouble] : in_trouble_) {
    const facts::Listener* now = find(latest, trouble.listener);
    if (now == nullptr) continue;
    trouble.listener = *now;
    for (const facts::OwnerRef& owner : now->owners) threads_.watch_condition(owner.pid);
  }
  if (is_first) {
    for (const facts::Listener& listener : latest.listeners) {
      if (listener.drops.value_or(0) > 0) drops_[facts::listener_key(listener)] = *listener.drops;
    }
  }
  look_for_trouble(latest.monotonic_ns, latest.listeners);
}

std::int64_t ThreadSampler::next_ns() const {
  if (queues_.newest_ns() > judged_ns_) return queues_.newest_ns();
  return in_trouble_.empty() ? std::numeric_limits<std::int64_t>::max() : pace_.next_ns();
}

void ThreadSampler::look_for_trouble(std::int64_t now_ns,
                                     const std::vector<facts::Listener>& seen) {
  constexpr std::int64_t kLingerNs = 5'000'000'000;
  for (const facts::Listener& listener : seen) {
    // Thousands of listeners are quiet: nothing is made or kept for them.
    const bool fills = is_filling(listener);
    const std::uint32_t drops = listener.drops.value_or(0);
    if (!fills && drops == 0) continue;
    const std::string key = facts::listener_key(listener);
    const bool dropped = std::exchange(drops_[key], drops) != drops;
    if (!fills && !dropped) continue;
    const facts::Listener* known = find(*latest_, listener);
    if (known == nullptr || known->owners.empty()) continue;
    const Trouble trouble{.listener = *known, .until_ns = now_ns + kLingerNs};
    if (!in_trouble_.insert_or_assign(key, trouble).second) continue;
    for (const facts::OwnerRef& owner : known->owners) threads_.watch_condition(owner.pid);
  }
}

// A switch of a counted thread costs its server 1.65 us (docs/performance.md): more than a
// hundredth of one core is not taken from it. Then looks have to do, and what was counted until
// then does not stand for all of the time.
void ThreadSampler::count_time(std::int64_t now_ns, const ThreadsSeen& seen) {
  constexpr std::uint64_t kMostPerSecond = 6000;
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  std::map<Pid, std::uint64_t> switches;
  std::uint64_t more = 0;
  for (const ThreadLook& look : seen.threads) {
    const std::uint64_t now = look.times.voluntary.value_or(0) + look.times.involuntary.value_or(0);
    switches[look.tid] = now;
    const auto earlier = switches_.find(look.tid);
    if (earlier != switches_.end() && now > earlier->second) more += now - earlier->second;
  }
  switches_ = std::move(switches);
  const std::int64_t elapsed = now_ns - std::exchange(looked_ns_, now_ns);
  if (more * kNsPerSecond >
      kMostPerSecond * static_cast<std::uint64_t>(std::max(elapsed, kNsPerSecond / 100))) {
    is_restless_ = true;
    static_cast<void>(threads_.counted_time());
  }
  if (!is_restless_) threads_.count_time(seen.threads);
}

void ThreadSampler::note_elsewhere(const ThreadsSeen& seen) {
  if (seen.listeners.empty()) return;
  // An event loop that is told of the listener, and takes nothing for some looks, waits for more
  // than the next client.
  constexpr int kFewLooks = 3;
  std::set<Pid> threads;
  std::set<Pid> in_vain;
  for (const WaiterLook& listener : seen.listeners) {
    for (const WaiterLook::Waiter& waiter : listener.waiters) {
      threads.insert(waiter.tid);
      if (waiter.link == facts::AcceptLink::kEpoll) in_vain.insert(listener.pid);
    }
  }
  for (const Pid pid : in_vain) {
    if (++in_vain_[pid] >= kFewLooks) elsewhere_.insert(pid);
  }
  std::set<Pid> processes;
  for (const ThreadLook& look : seen.threads) {
    if (threads.contains(look.tid)) processes.insert(look.pid);
  }
  for (const ThreadLook& look : seen.threads) {
    const bool waits_for_any = facts::waits_by_epoll(look.wait) || facts::is_polling(look.wait);
    if (!processes.contains(look.pid) || (waits_for_any && !threads.contains(look.tid))) {
      elsewhere_.insert(look.pid);
    }
  }
}

void ThreadSampler::note_gone(const std::vector<WatchedProcess>& watched, const ThreadsSeen& seen) {
  if (seen.threads.empty() || seen.left_out > 0) return;
  std::set<Pid> present;
  for (const ThreadLook& look : seen.threads) {
    if (look.wait.state != "Z") present.insert(look.pid);
  }
  is_owner_gone_ =
      is_owner_gone_ || !std::ranges::all_of(watched, [&](const WatchedProcess& process) {
        return present.contains(process.pid);
      });
}

void ThreadSampler::tend(std::int64_t now_ns) {
  if (queues_.newest_ns() > judged_ns_) {
    judged_ns_ = queues_.newest_ns();
    look_for_trouble(judged_ns_, queues_.newest());
  }
  std::erase_if(in_trouble_, [&](const auto& entry) { return entry.second.until_ns < now_ns; });
  if (in_trouble_.empty()) {
    threads_.stop_counting_time();
    switches_.clear();
    is_restless_ = false;
    elsewhere_.clear();
    in_vain_.clear();
  }
  if (in_trouble_.empty() || !pace_.is_due(now_ns)) return;
  std::vector<facts::Listener> listeners;
  listeners.reserve(in_trouble_.size());
  for (const auto& [key, trouble] : in_trouble_) listeners.push_back(trouble.listener);
  std::vector<WatchedProcess> processes = processes_of(listeners);
  for (WatchedProcess& process : processes) {
    process.wants_descriptors = elsewhere_.contains(process.pid);
  }
  const ThreadsSeen seen = threads_.look(processes, kMostThreads);
  note_elsewhere(seen);
  note_gone(processes, seen);
  seen_.add(now_ns, listeners, seen);
  count_time(now_ns, seen);
  // The first look loads what all others need: it says nothing of what they cost.
  pace_.done(now_ns, now_ns + (looks_++ > 0 ? seen.cost_ns : 0));
}

void ThreadSampler::put(Mark /*from*/, Mark /*to*/, facts::Observation& observation) {
  observation.accept_evidence = take_evidence(threads_, seen_);
  in_trouble_.clear();
}

void look_at_threads(ThreadLooks& threads, facts::Observation& observation) {
  std::vector<facts::Listener> listeners;
  for (const facts::Listener& listener : observation.after.listeners) {
    if (is_filling(listener) && !listener.owners.empty()) listeners.push_back(listener);
  }
  if (listeners.empty()) return;
  const std::vector<WatchedProcess> processes = processes_of(listeners);
  for (const WatchedProcess& process : processes) threads.watch_condition(process.pid);
  AcceptThreads seen;
  seen.add(0, listeners, threads.look(processes, kMostThreads));
  observation.accept_evidence = take_evidence(threads, seen);
}

}  // namespace acceptq::collect
