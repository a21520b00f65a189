#include "collect/troubled_owners.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include "collect/attended.h"
#include "collect/parallel.h"
#include "collect/procfs/owner_details.h"
#include "collect/trouble.h"
#include "facts/socket_index.h"

namespace acceptq::collect {
namespace {

class Trouble {
 public:
  explicit Trouble(const facts::Observation& observation) : earlier_(observation.before.listeners) {
    for (const auto& [key, queue] : observation.samples) {
      if (queue.longest.value() > 0) longest_.emplace(key, queue.longest);
    }
  }

  [[nodiscard]] bool is_in(const facts::Listener& listener) const {
    if (is_filling(listener)) return true;
    const facts::Listener* before = earlier_.find(listener);
    if (before != nullptr && before->drops != listener.drops) return true;
    if (longest_.empty()) return false;
    const auto sampled = longest_.find(facts::listener_key(listener));
    if (sampled == longest_.end()) return false;
    facts::Listener longest = listener;
    longest.accept_queue_len = sampled->second;
    return is_filling(longest);
  }

 private:
  facts::SocketIndex earlier_;
  std::map<std::string_view, QueueLength> longest_;  // of queues that were not always empty
};

}  // namespace

std::vector<Pid> troubled_owners(const facts::Observation& observation) {
  constexpr std::size_t kOfOneListener = 8;
  constexpr std::size_t kInAll = 64;
  const Trouble trouble(observation);
  std::set<Pid> pids;
  for (const facts::Listener& listener : observation.after.listeners) {
    if (!trouble.is_in(listener)) continue;
    std::set<Pid> own;
    for (const facts::OwnerRef& owner : listener.owners) {
      if (own.size() < kOfOneListener) own.insert(owner.pid);
    }
    pids.insert(own.begin(), own.end());
    if (pids.size() >= kInAll) break;
  }
  return {pids.begin(), pids.end()};
}

void describe_troubled_owners(const ScanOptions& options, facts::Observation& observation) {
  const auto asked = std::make_shared<std::vector<facts::Process>>();
  for (const Pid pid : troubled_owners(observation)) {
    const facts::Process* process = facts::find_process(observation.after, pid);
    if (process != nullptr) asked->push_back(*process);
  }
  const auto told = attended_map<facts::Process>(
      asked->size(), thread_count(options.threads),
      [asked, root = options.proc_root,
       command_line = procfs::command_line_for(observation.after.host.kernel)](std::size_t i) {
        facts::Process process = (*asked)[i];
        procfs::read_owner_details(root, command_line, process);
        return process;
      });
  // Those that did not answer stay as they are: AQ610 is about more than these details.
  for (const std::optional<facts::Process>& process : told) {
    if (!process) continue;
    *std::ranges::lower_bound(observation.after.processes, process->pid, {}, &facts::Process::pid) =
        *process;
  }
}

}  // namespace acceptq::collect
