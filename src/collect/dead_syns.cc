#include "collect/dead_syns.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

namespace acceptq::collect {

std::optional<std::vector<facts::DeadSyn>> dead_syns_between(const Books& base, const Books& books,
                                                             const AddressesOf& local_addresses) {
  if (!books.dead_syns) return std::nullopt;
  using Key = std::tuple<NetnsId, facts::IpAddress, std::uint16_t, std::string, bool, bool>;
  const auto key_of = [](const bpf::DeadSynCount& count) {
    const facts::DeadSyn& syn = count.syn;
    return Key(syn.netns, syn.address, syn.port, syn.reason, syn.after_syn, count.is_routed);
  };
  std::map<Key, std::uint64_t> earlier;
  if (base.dead_syns) {
    for (const auto& count : *base.dead_syns) earlier[key_of(count)] = count.syn.packets;
  }
  std::vector<bpf::DeadSynCount> counts;
  std::set<NetnsId> in_doubt;
  for (bpf::DeadSynCount count : *books.dead_syns) {
    const auto before = earlier.find(key_of(count));
    // One that was forgotten and met again begins anew.
    if (before != earlier.end() && before->second <= count.syn.packets) {
      count.syn.packets -= before->second;
    }
    if (count.syn.packets == 0) continue;
    if (!count.is_routed) in_doubt.insert(count.syn.netns);
    counts.push_back(std::move(count));
  }
  const auto addresses = local_addresses(in_doubt);
  std::vector<facts::DeadSyn> syns;
  for (bpf::DeadSynCount& count : counts) {
    const auto own = addresses.find(count.syn.netns);
    if (!count.is_routed && (own == addresses.end() || !own->second.contains(count.syn.address))) {
      continue;
    }
    syns.push_back(std::move(count.syn));
  }
  std::ranges::sort(syns, [](const facts::DeadSyn& a, const facts::DeadSyn& b) {
    return std::tie(a.netns, a.port, a.address, a.reason, a.after_syn) <
           std::tie(b.netns, b.port, b.address, b.reason, b.after_syn);
  });
  return syns;
}

}  // namespace acceptq::collect
