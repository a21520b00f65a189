#include "import/syn_queues.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "base/text.h"

namespace acceptq::imports {
namespace {

using facts::IpAddress;
using Endpoint = std::pair<IpAddress, std::uint16_t>;

// Whether `command` prints every state: -a, and no filter of its own or behind it.
bool prints_all(std::string_view command) {
  bool all = false;
  for (const std::string_view word : split_blank(command)) {
    constexpr std::array<std::string_view, 6> kFilters = {"|",     "state", "sport",
                                                          "dport", "src",   "exclude"};
    if (std::ranges::find(kFilters, word) != kFilters.end()) return false;
    if (word == "--all") all = true;
    if (word.starts_with('-') && !word.starts_with("--")) {
      if (word.find('l') != std::string_view::npos) return false;
      all |= word.find('a') != std::string_view::npos;
    }
  }
  return all;
}

}  // namespace

void SynQueues::put(std::string_view command, ListenerTable& table) const {
  const bool complete = command.empty() ? table.has_head && others_ : prints_all(command);
  if (complete) put_all(table);
}

void SynQueues::put_all(ListenerTable& table) const {
  std::map<Endpoint, std::vector<facts::Listener*>> listeners;
  for (ListenerRow& row : table.rows) {
    if (row.listener.protocol != facts::Protocol::kTcp) continue;
    listeners[{row.listener.address.unmapped(), row.listener.port}].push_back(&row.listener);
    row.listener.syn_queue_len = 0;
  }
  for (auto& [endpoint, all] : listeners) {
    if (all.size() < 2) continue;
    for (facts::Listener* one : all) one->syn_queue_len.reset();
  }
  const IpAddress any4;
  const IpAddress any6 = *IpAddress::parse("::");
  for (const auto& [endpoint, count] : requests_) {
    const auto& [address, port] = endpoint;
    // The kernel takes the most specific one (inet_lookup_listener).
    for (const IpAddress& local : {address, address.is_v6() ? any6 : any4, any6}) {
      const auto found = listeners.find({local, port});
      if (found == listeners.end()) continue;
      if (found->second.size() == 1) *found->second.front()->syn_queue_len += count;
      break;
    }
  }
}

}  // namespace acceptq::imports
