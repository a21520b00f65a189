#include "collect/owner_book.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <unordered_set>
#include <utility>

#include "base/text.h"
#include "collect/attended.h"
#include "collect/containers/workloads.h"
#include "collect/procfs/process.h"

namespace acceptq::collect {
namespace {

using KnownOwners = std::pair<SocketInode, std::vector<facts::OwnerRef>>;

bool is_same(const facts::Process& one, const facts::Process& other) {
  return one.start_ticks == other.start_ticks && one.comm == other.comm;
}

// A process to be read, unless it still is the one that is known.
struct Asked {
  Pid pid;
  std::optional<facts::Process> known;
};

// The known one where nothing has changed; nothing where the process is gone.
std::optional<facts::Process> read_if_new(const Asked& asked, const std::string& root,
                                          procfs::ExeLink exe) {
  if (asked.known) {
    const auto now = procfs::read_process(root, asked.pid, procfs::ExeLink::kLeaveOut);
    if (now && is_same(*now, *asked.known)) return asked.known;
  }
  auto process = procfs::read_process(root, asked.pid, exe);
  if (!process) return std::nullopt;
  return std::move(*process);
}

// Empty where nothing hinders but processes that are stuck, of which note_stuck() tells.
std::string why_owners_are_missing(const Result<procfs::OwnerWalk>& walk) {
  if (!walk) return walk.error().message();
  if (walk->denied > 0) {
    return "the descriptors of " + counted(walk->denied, "process", "processes") +
           " may not be read (run as root)";
  }
  if (walk->hides_processes) {
    return kHidesProcesses;
  }
  return walk->failures.empty() ? "" : walk->failures.front();
}

}  // namespace

OwnerBook::OwnerBook(const ScanOptions& options, unsigned threads)
    : proc_root_(options.proc_root),
      run_root_(options.run_root),
      log_root_(options.log_root),
      threads_(threads) {}

void OwnerBook::find_owners(bool sees_whole_host, Unowned unowned, facts::Snapshot& snapshot) {
  const std::vector<SocketInode> wanted = without_known_owner(unowned, snapshot);
  if (!wanted.empty()) walk_owners(wanted, snapshot);
  for (facts::Listener& listener : snapshot.listeners) {
    const auto known = owners_.find(listener.inode);
    if (known != owners_.end()) listener.owners = known->second;
    listener.owners_complete = owners_complete_ && sees_whole_host;
  }
  if (!owner_blind_spot_.reason.empty()) snapshot.blind_spots.push_back(owner_blind_spot_);
}

std::vector<SocketInode> OwnerBook::without_known_owner(Unowned unowned,
                                                        const facts::Snapshot& snapshot) const {
  std::vector<SocketInode> wanted;
  const auto known = std::make_shared<std::vector<KnownOwners>>();
  for (const facts::Listener& listener : snapshot.listeners) {
    const auto it = owners_.find(listener.inode);
    if (it == owners_.end() || (it->second.empty() && unowned == Unowned::kSearchAgain)) {
      wanted.push_back(listener.inode);
    } else if (!it->second.empty()) {
      known->emplace_back(listener.inode, it->second);
    }
  }
  const auto same = attended_map<bool>(
      known->size(), threads_, [known, root = proc_root_, stuck = stuck_](std::size_t i) {
        const KnownOwners& socket = (*known)[i];
        return std::ranges::all_of(socket.second, [&](const facts::OwnerRef& owner) {
          return std::ranges::binary_search(stuck, owner.pid) ||
                 procfs::still_owns(root, owner, socket.first);
        });
      });
  for (std::size_t i = 0; i < same.size(); ++i) {
    if (!same[i].value_or(false)) wanted.push_back((*known)[i].first);
  }
  return wanted;
}

void OwnerBook::walk_owners(const std::vector<SocketInode>& wanted,
                            const facts::Snapshot& snapshot) {
  Result<procfs::OwnerWalk> walk = procfs::walk_socket_owners(
      {.proc_root = proc_root_, .threads = threads_, .skip = stuck_}, wanted);
  owners_complete_ = walk && walk->complete();
  owner_blind_spot_ = {};
  if (std::string reason = why_owners_are_missing(walk); !reason.empty()) {
    owner_blind_spot_ = {.id = "AQ605",
                         .scope = "host",
                         .reason = std::move(reason),
                         .cost = "an owner may be missing, and listeners may seem to have none"};
  }
  if (!walk) return;
  add_stuck(walk->stuck);
  // What was searched for and not found has no owner, whoever had it before.
  for (const SocketInode inode : wanted) owners_[inode] = std::move(walk->owners[inode]);
  std::unordered_set<SocketInode> alive;
  for (const facts::Listener& listener : snapshot.listeners) alive.insert(listener.inode);
  std::erase_if(owners_, [&](const auto& entry) { return !alive.contains(entry.first); });
}

void OwnerBook::describe(const Seen& seen_now, facts::Snapshot& snapshot) {
  std::set<Pid> pids;
  for (const facts::Listener& listener : snapshot.listeners) {
    for (const facts::OwnerRef& owner : listener.owners) pids.insert(owner.pid);
  }
  const auto asked = std::make_shared<std::vector<Asked>>();
  for (const Pid pid : pids) {
    if (is_stuck(pid)) continue;
    const auto known = processes_.find(pid);
    const auto seen = seen_now.find(pid);
    const bool is_known = known != processes_.end();
    const bool is_seen = seen != seen_now.end();
    if (is_known && is_seen && is_same(seen->second, known->second)) continue;
    Asked& question = asked->emplace_back(Asked{.pid = pid, .known = {}});
    if (is_known && !is_seen) question.known = known->second;
  }
  auto read = attended_map<std::optional<facts::Process>>(
      asked->size(), threads_,
      [asked, root = proc_root_, exe = procfs::exe_link_for(snapshot.host.kernel)](std::size_t i) {
        return read_if_new((*asked)[i], root, exe);
      });
  std::vector<Pid> stuck;
  std::vector<facts::Process> fresh;
  for (std::size_t i = 0; i < read.size(); ++i) {
    if (!read[i]) {
      stuck.push_back((*asked)[i].pid);
    } else if (*read[i]) {
      fresh.push_back(std::move(**read[i]));
    } else if (const auto seen = seen_now.find((*asked)[i].pid); seen != seen_now.end()) {
      // It ended, or may not be read: what the iterator saw of it is better than nothing.
      fresh.push_back(seen->second);
    }
  }
  add_stuck(stuck);
  for (const Pid pid : pids) {
    if (is_stuck(pid) && !processes_.contains(pid)) read_stuck(pid, seen_now, fresh);
  }
  containers::WorkloadNames names(run_root_, log_root_);
  names.annotate(fresh);
  for (facts::Process& process : fresh) processes_.insert_or_assign(process.pid, process);
  std::erase_if(processes_, [&](const auto& entry) { return !pids.contains(entry.first); });
  for (const auto& [pid, process] : processes_) snapshot.processes.push_back(process);
}

void OwnerBook::read_stuck(Pid pid, const Seen& seen_now,
                           std::vector<facts::Process>& fresh) const {
  Result<facts::Process> process = procfs::read_stuck_process(proc_root_, pid);
  const auto seen = seen_now.find(pid);
  if (process && seen != seen_now.end()) {
    process->start_ticks = seen->second.start_ticks;
    process->netns = seen->second.netns;
  }
  if (process) fresh.push_back(std::move(*process));
}

bool OwnerBook::is_stuck(Pid pid) const { return std::ranges::binary_search(stuck_, pid); }

void OwnerBook::add_stuck(const std::vector<Pid>& more) {
  std::set<Pid> all(stuck_.begin(), stuck_.end());
  all.insert(more.begin(), more.end());
  stuck_.assign(all.begin(), all.end());
}

void OwnerBook::note_stuck(facts::Snapshot& snapshot) const {
  if (stuck_.empty()) return;
  constexpr std::size_t kNamed = 5;
  std::string pids;
  for (std::size_t i = 0; i < stuck_.size() && i < kNamed; ++i) {
    pids += (i == 0 ? "" : ", ") + std::to_string(stuck_[i].value());
  }
  if (stuck_.size() > kNamed) pids += " …";
  snapshot.blind_spots.push_back(
      {.id = "AQ610",
       .scope = "host",
       .reason =
           "the kernel does not say what processes hold that are stuck inside execve(): pid " +
           pids,
       .cost = "a namespace that only they hold is not seen; without BPF iterators they may be "
               "missing among the owners"});
}

}  // namespace acceptq::collect
