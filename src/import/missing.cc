#include "import/missing.h"

#include <algorithm>

#include "base/text.h"

namespace acceptq::imports {
namespace {

using facts::BlindSpot;
using facts::Listener;
using facts::Namespace;

class Gaps {
 public:
  Gaps(facts::Observation& observation, const Scene& scene, const Namespace& ns)
      : observation_(observation), scene_(scene), ns_(ns) {
    for (const Listener& listener : observation.after.listeners) {
      if (listener.netns != ns.id || listener.protocol != facts::Protocol::kTcp) continue;
      some_ = true;
      no_limit_ |= !listener.limit;
      full_ |= listener.limit && facts::sampled_full(listener.accept_queue_len, *listener.limit);
    }
  }

  void add() {
    add_listeners();
    add_counters();
    add_somaxconn();
  }

 private:
  void gap(std::string reason, std::string cost) {
    observation_.after.blind_spots.push_back({.id = "AQ620",
                                              .scope = ns_.pasted->label,
                                              .reason = std::move(reason),
                                              .cost = std::move(cost)});
  }

  void add_listeners() {
    if (!some_ && !scene_.counters.empty()) {
      gap("no listeners were pasted",
          "which queue it was, whose, and how long it may be is not known; add `ss -lntp`, run "
          "where "
          "the counters were read");
    } else if (no_limit_) {
      gap("the list of listeners has no limits: netstat and /proc/net/tcp do not have them",
          "whether a queue is full is not known; add `ss -lnt`");
    }
  }

  void add_counters() {
    if (!some_ && scene_.counters.empty()) return;
    constexpr const char* kCommand = "`nstat -az | grep Listen`";
    const bool has = ns_.counters.contains("TcpExtListenOverflows") ||
                     ns_.counters.contains("TcpExtListenDrops");
    if (!has) {
      gap("the counters ListenOverflows and ListenDrops were not pasted",
          std::string("whether packets were refused is not known; add ") + kCommand +
              " twice, 10 s apart, with `date` before each");
    } else if (!is_compared()) {
      gap("the counters were pasted once, and have no beginning",
          std::string("whether packets are refused now, and how many, is not known; add ") +
              kCommand + " twice, 10 s apart, with `date` before each");
    } else if (!ns_.pasted->seconds) {
      gap("the time between the samples is not in the text",
          "no rates are known; put `date` before each");
    }
  }

  [[nodiscard]] bool is_compared() const {
    const auto before = std::ranges::count_if(scene_.counters, [](const Placed& placed) {
      const auto& counters = std::get<CounterSample>(placed.block->piece).counters;
      return std::ranges::any_of(
          counters, [](const auto& counter) { return counter.first.starts_with("TcpExtListen"); });
    });
    return ns_.pasted->compared && before > 1;
  }

  void add_somaxconn() {
    if (!full_ || ns_.sysctls.contains(facts::kSomaxconn)) return;
    gap("net.core.somaxconn of these listeners' network namespace is not known",
        "whether it or the application sets the limit is not known; add `cat "
        "/proc/sys/net/core/somaxconn`, run where ss ran (inside the pod or container, or by "
        "`nsenter -t PID -n`)");
  }

  facts::Observation& observation_;
  const Scene& scene_;
  const Namespace& ns_;
  bool some_ = false;
  bool no_limit_ = false;
  bool full_ = false;
};

}  // namespace

BlindSpot unread(std::string at, std::string reason) {
  return {.id = "AQ621",
          .scope = std::move(at),
          .reason = std::move(reason),
          .cost = "what it says is not in the report"};
}

BlindSpot doubt(const Namespace& ns, std::string reason) {
  return {.id = "AQ620",
          .scope = ns.pasted->label,
          .reason = std::move(reason),
          .cost = "add the value, read where the listeners were listed"};
}

void add_missing(facts::Observation& observation, const Scene& scene, const Namespace& ns) {
  Gaps(observation, scene, ns).add();
}

}  // namespace acceptq::imports
