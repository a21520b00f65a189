#include "select/suggestions.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string_view>

#include "base/text.h"

namespace acceptq::select {
namespace {

using Kind = Selector::Kind;
using Candidates = std::map<std::string, std::size_t>;  // with their distances

std::size_t port_distance(const Selector& selector, const facts::Listener& listener) {
  constexpr std::size_t kOtherAddress = 1;
  const auto apart = static_cast<std::size_t>(std::abs(selector.port - listener.port));
  return 2 * apart +
         (selector.address && listener.address != *selector.address ? kOtherAddress : 0);
}

void add_owner(const Selector& selector, const facts::Process& process, Candidates& candidates) {
  const auto add = [&](std::string text) {
    const std::size_t distance = edit_distance(selector.text, text);
    candidates.emplace(std::move(text), distance);
  };
  constexpr std::size_t kShortId = 12;
  switch (selector.kind) {
    case Kind::kComm:
      return add("comm:" + process.comm);
    case Kind::kPid:
      return add("pid:" + std::to_string(process.pid.value()));
    case Kind::kContainer:
      if (process.container) add("container:" + process.container->id.substr(0, kShortId));
      return;
    case Kind::kPod:
      if (process.pod && process.pod->name) {
        add("pod:" + process.pod->ns.value_or("") + (process.pod->ns ? "/" : "") +
            *process.pod->name);
      }
      return;
    default:
      return;
  }
}

Candidates of_kind(const Selector& selector, const facts::Snapshot& snapshot) {
  Candidates candidates;
  for (const facts::Listener& listener : snapshot.listeners) {
    if (listener.protocol == facts::Protocol::kUnix) {
      if (selector.kind != Kind::kUnix) continue;
      candidates.emplace("unix:" + listener.path, edit_distance(selector.name, listener.path));
    } else if (selector.kind == Kind::kPort) {
      candidates.emplace(facts::listener_endpoint(listener), port_distance(selector, listener));
    }
    for (const facts::OwnerRef& owner : listener.owners) {
      const facts::Process* process = facts::find_process(snapshot, owner.pid);
      if (process != nullptr) add_owner(selector, *process, candidates);
    }
  }
  return candidates;
}

}  // namespace

std::vector<std::string> suggestions(const Selector& selector, const facts::Snapshot& snapshot,
                                     std::size_t most) {
  Candidates candidates = of_kind(selector, snapshot);
  if (candidates.empty()) {
    for (const facts::Listener& listener : snapshot.listeners) {
      if (listener.protocol == facts::Protocol::kTcp) {
        candidates.emplace(facts::listener_endpoint(listener), candidates.size());
      }
    }
  }
  std::vector<std::pair<std::string, std::size_t>> ranked(candidates.begin(), candidates.end());
  std::ranges::stable_sort(ranked, {}, &std::pair<std::string, std::size_t>::second);
  std::vector<std::string> texts;
  for (auto& [text, distance] : ranked) {
    if (texts.size() < most) texts.push_back(std::move(text));
  }
  return texts;
}

}  // namespace acceptq::select
