// One scan, step by step: namespaces, listeners, counters, sysctls, and who owns what.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "collect/bpf/listener_iterator.h"
#include "collect/netns/initial.h"
#include "collect/owner_book.h"
#include "collect/parallel.h"
#include "collect/procfs/host.h"
#include "collect/resize_journal.h"
#include "collect/scan.h"
#include "collect/scan_work.h"

namespace acceptq::collect {
namespace {

bool is_host(const NamespaceWork& work) { return work.facts.is_host == true; }

}  // namespace

class Scanner::Impl {
 public:
  explicit Impl(ScanOptions options)
      : options_(std::move(options)),
        threads_(thread_count(options_.threads)),
        owners_(options_, threads_) {}

  Result<facts::Snapshot> scan(ScanDepth depth, const BesideCounters& beside) {
    if (const Status ready = prepare(); !ready) return fail(ready.error());
    if (depth == ScanDepth::kFirst) depth = iterator_ ? ScanDepth::kFast : ScanDepth::kComplete;
    facts::Snapshot snapshot;
    snapshot.host = host_;
    snapshot.realtime_ns = realtime_ns();
    snapshot.monotonic_ns = monotonic_ns();
    snapshot.scan_method = iterator_ ? "iterator" : "netlink";

    const netns::DiscoverOptions discover{.proc_root = options_.proc_root,
                                          .thorough = depth == ScanDepth::kComplete,
                                          .threads = threads_,
                                          .skip = owners_.stuck()};
    Result<netns::Discovery> discovery = netns::discover_namespaces(discover);
    if (!discovery) return fail(std::move(discovery.error()));
    note_denied(*discovery, snapshot);
    owners_.set_stuck(std::move(discovery->stuck));
    sees_all_processes_ =
        initial_pid_namespace_ && discovery->denied == 0 && !discovery->hides_processes;
    remember_hard_to_find(depth, *discovery);
    std::vector<NamespaceWork> work = start_work(std::move(discovery->handles));
    for (NamespaceWork& item : work) {
      item.facts.own_container = discovery->hides_host && item.handle.is_own && !is_host(item);
    }

    // The iterator reads counters then.
    if (beside.before && options_.only_listen_counters) beside.before();
    bpf::IteratorScan iterated;
    if (iterator_) {
      Result<bpf::IteratorScan> result =
          iterator_->scan(bpf::ListenerIterator::Depth::kWithWaiting);
      if (!result) return fail(std::move(result.error()));
      iterated = std::move(*result);
      take_namespaces(iterated, work);
    }
    if (beside.before && !options_.only_listen_counters) beside.before();
    read_counters_from_outside(options_.proc_root, threads_, work);
    read_rest_inside(iterated, depth, work);
    if (beside.after) beside.after();
    // A namespace that was entered by its mount hides nothing, whoever lives in it.
    for (const NamespaceWork& item : work) {
      if (item.identity) discovery->hidden.erase(*item.identity);
    }
    note_hidden(*discovery, snapshot);
    note_held_by_sockets(*discovery, work);
    const OwnerBook::Seen seen = by_pid(std::move(iterated.processes));
    gather_listeners(std::move(iterated.listeners), work, snapshot);
    // The iterator brought them along.
    if (!iterator_) {
      const auto unowned = depth == ScanDepth::kComplete ? OwnerBook::Unowned::kSearchAgain
                                                         : OwnerBook::Unowned::kLeave;
      owners_.find_owners(initial_pid_namespace_, unowned, snapshot);
    }
    owners_.describe(seen, snapshot);
    owners_.note_stuck(snapshot);
    for (NamespaceWork& item : work) {
      if (item.gone) continue;
      for (facts::BlindSpot& spot : item.blind_spots) {
        if (std::ranges::find(snapshot.blind_spots, spot) == snapshot.blind_spots.end()) {
          snapshot.blind_spots.push_back(std::move(spot));
        }
      }
      snapshot.namespaces.push_back(std::move(item.facts));
    }
    facts::normalize(snapshot);
    facts::mark_resized(read_resize_journal(options_.run_root).resizes, snapshot);
    return snapshot;
  }

  std::vector<facts::Listener> sample(std::span<const NetnsId> watched) {
    std::vector<facts::Listener> listeners;
    std::unordered_set<NetnsId> by_netlink(watched.begin(), watched.end());
    if (iterator_) {
      Result<bpf::IteratorScan> scan = iterator_->scan(bpf::ListenerIterator::Depth::kQueues);
      if (scan) listeners = std::move(scan->listeners);
      std::erase_if(by_netlink, [&](NetnsId id) { return !unowned_.contains(id); });
    }
    std::vector<netns::Handle> handles;
    for (const NetnsId id : by_netlink) {
      if (const auto it = handles_.find(id); it != handles_.end()) handles.push_back(it->second);
    }
    std::vector<NamespaceWork> work = start_work(std::move(handles));
    const std::vector<Want> wants(work.size(),
                                  Want{.listeners = true, .only_unowned = iterator_.has_value()});
    read_inside(wants, threads_, nullptr, work);
    learn_from_visits(work);
    if (iterator_) std::ranges::for_each(listeners, [&](auto& each) { fill_from_visits(each); });
    std::set<std::string> seen;
    for (const facts::Listener& listener : listeners) seen.insert(facts::listener_key(listener));
    for (NamespaceWork& item : work) {
      for (facts::Listener& listener : item.listeners) {
        if (seen.insert(facts::listener_key(listener)).second) {
          listeners.push_back(std::move(listener));
        }
      }
    }
    return listeners;
  }

  [[nodiscard]] std::optional<netns::Handle> entrance(NetnsId id) const {
    const auto found = handles_.find(id);
    return found != handles_.end() ? std::optional(found->second) : std::nullopt;
  }

 private:
  // Loads what every scan needs, once.
  Status prepare() {
    if (prepared_) return {};
    Result<facts::Host> host = procfs::read_host(options_.proc_root);
    if (!host) return fail(std::move(host.error()));
    host_ = std::move(*host);
    initial_pid_namespace_ = netns::in_initial_pid_namespace(options_.proc_root);
    if (options_.method != ScanMethod::kNetlink) {
      using enum bpf::ListenerIterator::Counters;
      Result<bpf::ListenerIterator> iterator =
          bpf::ListenerIterator::Create(options_.only_listen_counters ? kOfListenPath : kLeaveOut);
      if (iterator) {
        iterator_ = std::move(*iterator);
      } else if (options_.method == ScanMethod::kIterator) {
        return fail(std::move(iterator.error()));
      } else {
        iterator_refusal_ = std::move(iterator.error());
      }
    }
    prepared_ = true;
    return {};
  }

  void note_denied(const netns::Discovery& discovery, facts::Snapshot& snapshot) const {
    if (iterator_refusal_) {
      snapshot.blind_spots.push_back(
          {.id = "AQ601",
           .scope = "host",
           .reason = iterator_refusal_->message(),
           .cost = "SYN queue lengths are not known, and scans are slower"});
    }
    if (discovery.hides_host) {
      snapshot.blind_spots.push_back(
          {.id = "AQ602",
           .scope = "host",
           .reason =
               "acceptq runs in a PID namespace that hides the host's processes (hostPID in a "
               "pod, docker run --pid=host)",
           .cost = "network namespaces that only those processes show, and the listeners there, "
                   "were not "
                   "seen",
           .unobserved = true});
    }
  }

  // Namespaces that only processes show whose links may not be read.
  void note_hidden(const netns::Discovery& discovery, facts::Snapshot& snapshot) const {
    if (!discovery.is_partial()) return;
    std::size_t processes = discovery.unplaced;
    for (const auto& [identity, count] : discovery.hidden) processes += count;
    std::string reason = kHidesProcesses;
    if (processes > 0) {
      reason = "the network namespaces of " + counted(processes, "process", "processes") +
               " may not be entered (CAP_SYS_PTRACE; run as root)";
    }
    // The iterator shows what processes hold, wherever they live.
    const bool seen = iterator_ && processes > 0 && !discovery.hides_processes;
    const std::string what =
        seen ? "the counters, and the listeners that no process holds," : "the listeners";
    std::string cost =
        seen ? "their counters, and the listeners that no process holds, were not seen"
             : "a namespace that only they live in was not seen";
    if (!discovery.hidden.empty()) {
      cost = fmt::format("{} of {} were not seen", what,
                         counted(discovery.hidden.size(), "namespace", "namespaces"));
    }
    snapshot.blind_spots.push_back({.id = "AQ602",
                                    .scope = "host",
                                    .reason = std::move(reason),
                                    .cost = std::move(cost),
                                    .unobserved = true});
  }

  // Namespaces that only a thorough search finds: fast scans go on with what it found. Entering
  // checks that a path still leads to the same namespace.
  void remember_hard_to_find(ScanDepth depth, netns::Discovery& discovery) {
    if (depth == ScanDepth::kComplete) {
      hard_to_find_.clear();
      std::ranges::copy_if(discovery.handles, std::back_inserter(hard_to_find_),
                           [](const netns::Handle& handle) { return handle.pids.empty(); });
      return;
    }
    for (const netns::Handle& handle : hard_to_find_) {
      if (std::ranges::find(discovery.handles, handle.id, &netns::Handle::id) ==
          discovery.handles.end()) {
        discovery.handles.push_back(handle);
      }
    }
  }

  // Namespaces, cookies and sysctls as the iterator saw them. One that discovery did not find can
  // be seen, but not entered.
  static void take_namespaces(bpf::IteratorScan& iterated, std::vector<NamespaceWork>& work) {
    std::unordered_map<NetnsId, std::size_t> places;
    for (std::size_t i = 0; i < work.size(); ++i) places.emplace(work[i].handle.id, i);
    for (bpf::NamespaceSeen& seen : iterated.namespaces) {
      const auto [place, is_new] = places.try_emplace(seen.id, work.size());
      if (is_new) work.emplace_back().handle.id = seen.id;
      facts::Namespace& facts = work[place->second].facts;
      facts.id = seen.id;
      facts.cookie = seen.cookie;
      facts.sysctls = std::move(seen.sysctls);
      if (seen.counters.empty()) continue;
      facts.counters = std::move(seen.counters);
      facts.counters_source = "struct net, by BPF iterator";
    }
  }

  // Namespaces that neither a process nor a mount shows: sockets alone hold them, unless they are
  // those of processes that may not be looked at.
  static void note_held_by_sockets(const netns::Discovery& discovery,
                                   std::vector<NamespaceWork>& work) {
    if (discovery.is_partial() || discovery.hides_host) return;
    for (NamespaceWork& item : work) {
      if (!item.handle.entrances.empty() || item.handle.is_own) continue;
      item.facts.held_by = facts::HeldBy::kDescriptor;
      item.blind_spots.push_back(
          {.id = "AQ609",
           .scope = "netns:" + std::to_string(item.handle.id.value()),
           .reason = "no process lives in this namespace and it is mounted nowhere: only open "
                     "sockets keep it alive",
           .cost = item.facts.counters.empty()
                       ? "its counters were not read"
                       : "of its counters those of the listen path alone were read"});
    }
  }

  void read_rest_inside(const bpf::IteratorScan& iterated, ScanDepth depth,
                        std::vector<NamespaceWork>& work) {
    // The host's sysctls first: they tell "global on this kernel" from "unreadable" elsewhere.
    std::vector<Want> wants(work.size());
    for (std::size_t i = 0; i < work.size(); ++i) wants[i].sysctls = is_host(work[i]);
    read_inside(wants, threads_, nullptr, work);
    const auto host = std::ranges::find_if(work, is_host);
    const auto* host_sysctls = host != work.end() ? &host->facts.sysctls : nullptr;

    // MPTCP subflows (and everything before 5.12) have no cookie until sock_diag makes one.
    std::unordered_set<NetnsId> without_cookie;
    for (const facts::Listener& listener : iterated.listeners) {
      if (listener.cookie.value() == 0 && !cookies_.contains(listener.inode)) {
        without_cookie.insert(listener.netns);
      }
    }
    const bool everything = depth == ScanDepth::kComplete || !iterator_;
    for (std::size_t i = 0; i < work.size(); ++i) {
      const NetnsId id = work[i].handle.id;
      const bool enterable = !work[i].handle.entrances.empty() || work[i].handle.is_own;
      wants[i] = {};
      if (!enterable) continue;
      wants[i].counters = work[i].facts.counters.empty();
      wants[i].sysctls = everything && !is_host(work[i]) && work[i].facts.sysctls.empty();
      wants[i].listeners = everything || unowned_.contains(id) || without_cookie.contains(id);
      wants[i].only_unowned = iterator_.has_value();
    }
    read_inside(wants, threads_, host_sysctls, work);
    handles_.clear();
    for (const NamespaceWork& item : work) handles_.emplace(item.handle.id, item.handle);
  }

  void learn_from_visits(const std::vector<NamespaceWork>& work) {
    for (const NamespaceWork& item : work) {
      for (const facts::Listener& listener : item.listeners) {
        if (listener.cookie.value() != 0) cookies_[listener.inode] = listener.cookie;
        if (listener.device) devices_[{listener.netns, *listener.ifindex}] = *listener.device;
      }
    }
  }

  // What only a visit to its namespace tells of a listener that the iterator showed.
  void fill_from_visits(facts::Listener& listener) const {
    if (listener.cookie.value() == 0) {
      const auto it = cookies_.find(listener.inode);
      if (it != cookies_.end()) listener.cookie = it->second;
    }
    if (listener.ifindex && !listener.device) {
      const auto it = devices_.find({listener.netns, *listener.ifindex});
      if (it != devices_.end()) listener.device = it->second;
    }
  }

  static OwnerBook::Seen by_pid(std::vector<facts::Process> processes) {
    OwnerBook::Seen seen;
    for (facts::Process& process : processes) {
      seen.insert_or_assign(process.pid, std::move(process));
    }
    return seen;
  }

  // The iterator's listeners, and those that only sock_diag knows: no descriptor table holds them.
  void gather_listeners(std::vector<facts::Listener> iterated, std::vector<NamespaceWork>& work,
                        facts::Snapshot& snapshot) {
    learn_from_visits(work);
    snapshot.listeners = std::move(iterated);
    for (facts::Listener& listener : snapshot.listeners) {
      fill_from_visits(listener);
      // The iterator sees all processes of its own PID namespace and below.
      listener.owners_complete = initial_pid_namespace_;
    }
    const auto has_none = [](const NamespaceWork& item) { return item.listeners.empty(); };
    if (std::ranges::all_of(work, has_none)) return;
    std::unordered_set<std::uint64_t> inodes;
    for (const facts::Listener& listener : snapshot.listeners) {
      inodes.insert(listener.inode.value());
    }
    for (NamespaceWork& item : work) {
      for (facts::Listener& listener : item.listeners) {
        if (listener.inode.value() != 0 && inodes.contains(listener.inode.value())) continue;
        if (iterator_) {
          unowned_.insert(item.handle.id);
          // No descriptor table that the iterator saw holds it. Whom /proc hides, it may miss, too.
          listener.owners_complete = sees_all_processes_;
        }
        snapshot.listeners.push_back(std::move(listener));
      }
    }
  }

  ScanOptions options_;
  unsigned threads_;
  bool prepared_ = false;
  bool initial_pid_namespace_ = false;
  bool sees_all_processes_ = false;
  facts::Host host_;
  std::optional<bpf::ListenerIterator> iterator_;
  std::optional<Error> iterator_refusal_;

  // What earlier scans learned. Each is checked again before it is used.
  std::unordered_set<NetnsId> unowned_;  // namespaces with sockets in no descriptor table
  std::vector<netns::Handle> hard_to_find_;
  std::unordered_map<SocketInode, SocketCookie> cookies_;
  std::map<std::pair<NetnsId, std::uint32_t>, std::string> devices_;  // by interface index
  OwnerBook owners_;
  std::unordered_map<NetnsId, netns::Handle> handles_;
};

Scanner::Scanner(ScanOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Scanner::Scanner(Scanner&&) noexcept = default;
Scanner& Scanner::operator=(Scanner&&) noexcept = default;
Scanner::~Scanner() = default;

Result<facts::Snapshot> Scanner::scan(ScanDepth depth, const BesideCounters& beside) {
  return impl_->scan(depth, beside);
}

std::optional<netns::Handle> Scanner::entrance(NetnsId id) const { return impl_->entrance(id); }

std::vector<facts::Listener> Scanner::sample(std::span<const NetnsId> watched) {
  return impl_->sample(watched);
}

}  // namespace acceptq::collect
