#include "import/missing.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace acceptq::imports {
namespace {

using facts::BlindSpot;
using facts::Listener;
using facts::Namespace;

class Gaps {
 public:
  Gaps(facts::Observation& observation, const Scene& scene, const Namespace& before,
       const Namespace& ns)
      : observation_(observation), scene_(scene), before_(before), ns_(ns) {
    for (const Listener& listener : observation.after.listeners) {
      if (listener.netns != ns.id || listener.protocol != facts::Protocol::kTcp) continue;
      some_ = true;
      if (!listener.limit) {
        no_limit_ = true;
        longest_ = std::max(longest_, listener.accept_queue_len);
      }
      // Of a queue for one or two it does not matter.
      full_ |= listener.limit && listener.limit->value() > 1 && !listener.backlog_requested &&
               facts::sampled_full(listener.accept_queue_len, *listener.limit);
    }
  }

  void add() {
    add_listeners();
    add_counters();
    add_other_drops();
    add_past_cookies();
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
          "queues, their limits and owners are not known; add `ss -lntp`, run where the counters "
          "were read");
    } else if (no_limit_) {
      gap("the list of listeners has no limits: netstat and /proc/net/tcp do not have them",
          longest_.value() == 0
              ? std::string(
                    "how many connections fit is not known; none waited then; add `ss -lnt`")
              : fmt::format(
                    "whether a queue is full is not known ({} in the longest); add `ss -lnt`",
                    counted(longest_.value(), "connection waits", "connections wait")));
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
    } else if (!ns_.pasted->seconds && !ns_.pasted->increments) {
      gap("the time between the samples is not in the text",
          "no rates are known; put `date` before each");
    }
  }

  // ListenDrops counts every refusal, ListenOverflows those for a full accept queue among them.
  void add_other_drops() {
    constexpr std::uint64_t kMany = 100;
    const auto total = [&](const char* name) {
      return ns_.counters.contains(name) ? ns_.counters.at(name) : 0;
    };
    const std::uint64_t drops = total("TcpExtListenDrops");
    const std::uint64_t overflows = total("TcpExtListenOverflows");
    if (!ns_.counters.contains("TcpExtListenOverflows") || is_compared()) return;
    if (drops < kMany || drops / 2 < overflows) return;
    observation_.after.blind_spots.push_back(
        {.id = "AQ622",
         .scope = ns_.pasted->label,
         .reason = fmt::format("ListenDrops is {}, and ListenOverflows {} of it", drops, overflows),
         .cost = "most packets that were refused, at whatever time, were not refused for a full "
                 "accept queue, but for a full SYN queue with SYN cookies off, for want of memory "
                 "or of a route back, or, from Linux 3.8 to 4.6, were answered by SYN cookies"});
  }

  void add_past_cookies() {
    constexpr const char* kDoCookies = "TcpExtTCPReqQFullDoCookies";
    if (!ns_.counters.contains(kDoCookies) || before_.counters.contains(kDoCookies)) return;
    const std::uint64_t cookies = ns_.counters.at(kDoCookies);
    if (cookies == 0) return;
    observation_.after.blind_spots.push_back(
        {.id = "AQ622",
         .scope = ns_.pasted->label,
         .reason = fmt::format("TCPReqQFullDoCookies is {}", cookies),
         .cost = "a SYN queue was full at some time, by a flood or by ordinary load, and that many "
                 "SYNs were answered by SYN cookies; the counter does not tell when"});
  }

  [[nodiscard]] bool is_compared() const {
    return before_.counters.contains("TcpExtListenOverflows") ||
           before_.counters.contains("TcpExtListenDrops");
  }

  void add_somaxconn() {
    if (!full_ || ns_.sysctls.contains(facts::kSomaxconn)) return;
    // Several values were a doubt of their own.
    if (std::ranges::any_of(scene_.settings, [](const PlacedSetting& one) {
          return one.setting.name == facts::kSomaxconn;
        })) {
      return;
    }
    gap("net.core.somaxconn of these listeners' network namespace is not known",
        "whether it or the application sets the limit is not known; add `cat "
        "/proc/sys/net/core/somaxconn`, run where ss ran (inside the pod or container, or by "
        "`nsenter -t PID -n`)");
  }

  facts::Observation& observation_;
  const Scene& scene_;
  const Namespace& before_;
  const Namespace& ns_;
  bool some_ = false;
  bool no_limit_ = false;
  bool full_ = false;
  QueueLength longest_;  // of those without a limit
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
          .cost = ns.sysctls.contains(facts::kSomaxconn)
                      ? "if another value is in force, somaxconn is not what limits these listeners"
                      : "who sets the limit is not known; add the value, read where the listeners "
                        "were listed"};
}

void add_missing(facts::Observation& observation, const Scene& scene, const Namespace& before,
                 const Namespace& after) {
  Gaps(observation, scene, before, after).add();
}

}  // namespace acceptq::imports
