#include <fmt/format.h>

#include <algorithm>

#include "diagnose/catalogue.h"
#include "diagnose/rules.h"

namespace acceptq::diagnose {
namespace {

constexpr const char* kOverflows = "TcpExtListenOverflows";
constexpr const char* kDrops = "TcpExtListenDrops";
constexpr const char* kQueueFullDrop = "TcpExtTCPReqQFullDrop";
constexpr const char* kDoCookies = "TcpExtTCPReqQFullDoCookies";
constexpr const char* kCookiesSent = "TcpExtSyncookiesSent";
constexpr const char* kCookiesRecv = "TcpExtSyncookiesRecv";
constexpr const char* kCookiesFailed = "TcpExtSyncookiesFailed";

constexpr const char* kPassiveOpens = "TcpPassiveOpens";

// Fewer SYNs than this say nothing of who sends them.
constexpr std::uint64_t kFloodSyns = 100;
// Of a flood's handshakes, at most this share is completed. Real clients complete nearly all.
constexpr double kFloodCompleted = 0.25;
// Invalid cookies worth a word.
constexpr std::uint64_t kManyInvalid = 10;

class NamespaceRules {
 public:
  NamespaceRules(const facts::Observation& observation, const listenpath::KernelRules& rules,
                 NetnsId id, const std::vector<ListenerState>& all, std::vector<Finding>& findings)
      : observation_(observation),
        rules_(rules),
        id_(id),
        ns_(namespace_delta(observation, id)),
        findings_(findings) {
    for (const ListenerState& state : all) {
      if (state.listener->netns == id && state.listener->protocol == facts::Protocol::kTcp) {
        states_.push_back(&state);
      }
    }
  }

  void add() {
    if (!ns_.comparable()) {
      add_unclear();
      return;
    }
    add_unexplained_overflow();
    add_other_drops();
    add_cookies();
  }

 private:
  Finding finding_here(const char* id, std::initializer_list<const char*> counters) {
    Finding finding = make_finding(id);
    finding.netns = id_;
    // The listener's name where there is only one that it can be.
    const ListenerState* suspect = nullptr;
    std::size_t suspects = 0;
    for (const ListenerState* state : states_) {
      if (states_.size() == 1 || state->report.socket_drops_delta.value_or(0) > 0) {
        suspect = state;
        ++suspects;
      }
    }
    if (suspects == 1) finding.listener = suspect->report.key;
    for (const char* counter : counters) finding.evidence.push_back(counter_evidence(ns_, counter));
    return finding;
  }

  void add_unclear() {
    const std::uint64_t overflows = ns_.total(kOverflows).value_or(0);
    if (overflows == 0 || observation_.seconds <= 0) return;
    Finding finding = finding_here("AQ608", {kOverflows, kDrops});
    finding.explanation = fmt::format(
        "This network namespace was not there when acceptq began to watch, or is another one by "
        "now. "
        "{} packets of handshakes were refused in it for a full accept queue since it was made.",
        overflows);
    findings_.push_back(std::move(finding));
  }

  void add_unexplained_overflow() {
    const std::uint64_t overflows = ns_.grew(kOverflows);
    const bool explained = std::ranges::any_of(states_, [](const ListenerState* state) {
      return state->report.verdict == Verdict::kOverflowing;
    });
    if (overflows == 0 || explained) return;
    Finding finding = finding_here("AQ101", {kOverflows, kDrops});
    finding.listener.reset();
    finding.explanation = fmt::format(
        "In {:.1f} s {} packets of new handshakes were refused in this network namespace because "
        "an "
        "accept queue was full, but none of the listeners that are open now accounts for them: the "
        "one that did was closed meanwhile, or filled for moments only.",
        observation_.seconds, overflows);
    finding.confidence = 0.9;
    findings_.push_back(std::move(finding));
  }

  void add_other_drops() {
    const std::uint64_t overflows = ns_.grew(kOverflows);
    std::uint64_t drops = ns_.grew(kDrops);
    if (rules_.cookies_count_as_drops) drops -= std::min(drops, ns_.grew(kCookiesSent));
    if (drops <= overflows) return;
    std::uint64_t others = drops - overflows;
    const std::uint64_t syn_full = std::min(others, ns_.grew(kQueueFullDrop));
    if (syn_full > 0) {
      Finding finding = finding_here("AQ201", {kQueueFullDrop, kDrops});
      finding.explanation = fmt::format(
          "In {:.1f} s {} SYNs were refused because the SYN queue was full: "
          "net.ipv4.tcp_syncookies "
          "is 0, so the kernel does not answer without keeping state.",
          observation_.seconds, syn_full);
      finding.evidence.push_back(sysctl_evidence(ns_.after(), facts::kSyncookies));
      findings_.push_back(std::move(finding));
    }
    const bool cookies_off = sysctl_value(ns_.after(), facts::kSyncookies) == 0;
    if (cookies_off) add_flood_without_cookies(others);
    others -= syn_full;
    if (others == 0) return;
    Finding finding = finding_here(cookies_off ? "AQ205" : "AQ107", {kDrops, kOverflows});
    if (cookies_off) {
      finding.explanation = fmt::format(
          "In {:.1f} s {} SYNs were refused before any queue was full. With "
          "net.ipv4.tcp_syncookies 0 "
          "the kernel keeps the last quarter of net.ipv4.tcp_max_syn_backlog ({}) for clients it "
          "knows.",
          observation_.seconds, others,
          sysctl_value(ns_.after(), facts::kMaxSynBacklog).value_or(0));
      finding.confidence = 0.8;  // no memory and no route look the same
      finding.evidence.push_back(sysctl_evidence(ns_.after(), facts::kMaxSynBacklog));
    } else {
      finding.explanation = fmt::format(
          "In {:.1f} s {} packets of handshakes were refused though no queue was full (ListenDrops "
          "grew "
          "by {}, ListenOverflows by {}): no memory for the request, no route back to the client, "
          "a "
          "security module, or an ICMP error for a half-open connection.",
          observation_.seconds, others, ns_.grew(kDrops), overflows);
    }
    findings_.push_back(std::move(finding));
  }

  // Without cookies nothing tells whether a refused client is real: that few of the others complete
  // their handshakes does.
  void add_flood_without_cookies(std::uint64_t refused) {
    const std::uint64_t completed = ns_.grew(kPassiveOpens);
    const double share = static_cast<double>(completed) / static_cast<double>(completed + refused);
    if (refused < kFloodSyns || share > kFloodCompleted) return;
    Finding finding = finding_here("AQ203", {kDrops, kOverflows, kPassiveOpens});
    finding.confidence = 0.6;
    finding.explanation = fmt::format(
        "In {:.1f} s {} SYNs were refused for want of room in the SYN queue while {} handshakes "
        "were completed: what fills it are handshakes that nobody completes.",
        observation_.seconds, refused, completed);
    finding.evidence.push_back(sysctl_evidence(ns_.after(), facts::kSyncookies));
    findings_.push_back(std::move(finding));
  }

  void add_cookies() {
    const std::uint64_t sent = ns_.grew(kCookiesSent);
    const std::uint64_t received = ns_.grew(kCookiesRecv);
    const std::uint64_t failed = ns_.grew(kCookiesFailed);
    const bool always = sysctl_value(ns_.after(), facts::kSyncookies) == 2;
    const double returned =
        sent == 0 ? 0 : static_cast<double>(received) / static_cast<double>(sent);
    if (sent >= kFloodSyns && returned <= kFloodCompleted) {
      Finding finding = finding_here("AQ203", {kCookiesSent, kCookiesRecv, kDoCookies});
      finding.confidence = 0.8;
      finding.explanation = fmt::format(
          "In {:.1f} s {} SYNs were answered by a SYN cookie and only {} of the answers came back "
          "({:.0f} %). Real clients answer nearly all.",
          observation_.seconds, sent, received, returned * 100);
      findings_.push_back(std::move(finding));
    } else if (sent > 0 && !always) {
      Finding finding = finding_here("AQ202", {kDoCookies, kCookiesSent, kCookiesRecv});
      finding.explanation = fmt::format(
          "In {:.1f} s the SYN queue was full for {} SYNs, which were answered by a cookie; {} of "
          "the "
          "answers came back.",
          observation_.seconds, sent, received);
      findings_.push_back(std::move(finding));
    }
    if (failed >= kManyInvalid) {
      Finding finding = finding_here("AQ204", {kCookiesFailed, kCookiesRecv});
      finding.explanation = fmt::format("In {:.1f} s {} packets carried no valid SYN cookie.",
                                        observation_.seconds, failed);
      findings_.push_back(std::move(finding));
    }
  }

  const facts::Observation& observation_;
  const listenpath::KernelRules& rules_;
  NetnsId id_;
  NamespaceDelta ns_;
  std::vector<const ListenerState*> states_;
  std::vector<Finding>& findings_;
};

}  // namespace

void add_namespace_findings(const facts::Observation& observation,
                            const listenpath::KernelRules& rules, NetnsId id,
                            const std::vector<ListenerState>& all, std::vector<Finding>& findings) {
  NamespaceRules(observation, rules, id, all, findings).add();
}

}  // namespace acceptq::diagnose
