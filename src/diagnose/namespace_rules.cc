#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "diagnose/catalogue.h"
#include "diagnose/rules.h"
#include "diagnose/unanswered.h"

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
// Of real clients' cookies, at least this share comes back, and they got through.
constexpr double kCookiesThatReturn = 0.75;
// Invalid cookies worth a word.
constexpr std::uint64_t kManyInvalid = 10;

bool is_flood_of_cookies(std::uint64_t sent, std::uint64_t received) {
  return (sent >= kFloodSyns && comes_to_nothing(received, sent)) ||
         (sent >= kFewestUnanswered && received == 0);
}

class NamespaceRules {
 public:
  NamespaceRules(const facts::Observation& observation, const listenpath::KernelRules& rules,
                 NetnsId id, const std::vector<ListenerState>& all, std::vector<Finding>& findings)
      : observation_(observation),
        rules_(rules),
        id_(id),
        ns_(namespace_delta(observation, id)),
        seconds_(facts::seconds_of(observation, id)),
        findings_(findings) {
    for (const ListenerState& state : all) {
      if (state.listener->netns != id) continue;
      all_.push_back(&state);
      if (state.listener->protocol == facts::Protocol::kTcp) states_.push_back(&state);
    }
  }

  void add() {
    add_unknown();
    if (!ns_.comparable()) return;
    add_past();
    add_unexplained();
    add_cookies();
    add_flood_without_cookies();
    add_deferred();
    add_reverse_path();
  }

 private:
  using Counters = std::initializer_list<const char*>;

  // About one listener, or, where it is null, about the namespace.
  Finding finding_here(const char* id, const ListenerState* about, Counters counters) {
    Finding finding = make_finding(id);
    finding.netns = id_;
    if (about != nullptr) finding.listener = about->report.key;
    for (const char* counter : counters) finding.evidence.push_back(counter_evidence(ns_, counter));
    return finding;
  }

  // The one listener for which `holds`; null where there is none, or several.
  template <typename Predicate>
  const ListenerState* only(Predicate holds) const {
    const ListenerState* found = nullptr;
    for (const ListenerState* state : states_) {
      if (!holds(*state)) continue;
      if (found != nullptr) return nullptr;
      found = state;
    }
    return found;
  }

  [[nodiscard]] bool any(bool ListenerState::* holds) const {
    return std::ranges::any_of(states_, [&](const ListenerState* state) { return state->*holds; });
  }

  [[nodiscard]] bool is_pasted() const { return ns_.after() != nullptr && ns_.after()->pasted; }

  // What keeps a verdict from being given. A notice: the report's blind spots say what it costs.
  void add_unknown() {
    const auto unknown = [&](facts::Protocol protocol) {
      return std::ranges::any_of(all_, [&](const ListenerState* state) {
        return state->listener->protocol == protocol && state->report.verdict == Verdict::kUnknown;
      });
    };
    const auto add = [&](const char* id, Counters counters, std::string explanation) {
      Finding finding = finding_here(id, nullptr, counters);
      finding.severity = Severity::kNotice;
      finding.explanation = std::move(explanation);
      findings_.push_back(std::move(finding));
    };
    if (unknown(facts::Protocol::kUnix)) {
      add("AQ604", {},
          "The limits of Unix sockets in this network namespace are not known, nor whether their "
          "queues are full.");
    }
    const bool unclear = unknown(facts::Protocol::kTcp);
    if (ns_.comparable()) {
      if (unclear && is_pasted()) {
        add("AQ606", {},
            "The limits or the counters that would tell it of every listener are not in the text.");
        findings_.back().title = "what was pasted does not tell whether packets are refused";
        add_waiting();
      } else if (unclear) {
        add("AQ606", {},
            "Neither the counters of this network namespace nor those of its sockets could be "
            "read, so it is not known whether packets were refused.");
      }
      return;
    }
    if (!unclear &&
        (ns_.total(kOverflows).value_or(0) == 0 || !facts::is_compared(observation_, id_)))
      return;
    add("AQ608", {kOverflows, kDrops},
        fmt::format(
            "This network namespace did not exist when acceptq began to watch, or its number "
            "belongs to another one now. The kernel counts {} of a handshake refused in it for a "
            "full accept queue since it was created.",
            counted(ns_.total(kOverflows).value_or(0), "packet", "packets")));
  }

  // netstat lists how many wait, and not how many fit. At one moment a few wait anywhere.
  void add_waiting() {
    constexpr std::uint32_t kMany = 10;
    const auto waits = [](const ListenerState* state) {
      return state->listener->limit ? 0 : state->listener->accept_queue_len.value();
    };
    const auto longest = std::ranges::max_element(states_, {}, waits);
    if (longest == states_.end() || waits(*longest) < kMany) return;
    Finding finding = finding_here("AQ606", *longest, {});
    finding.severity = Severity::kNotice;
    finding.title = "many connections wait, and the text does not tell how many fit";
    const auto crowded = std::ranges::count_if(
        states_, [&](const ListenerState* state) { return waits(state) >= kMany; });
    finding.explanation =
        fmt::format("{} {} at {}{}. A server that keeps up leaves none waiting for long.",
                    connections(waits(*longest)), waits(*longest) == 1 ? "waits" : "wait",
                    facts::listener_endpoint(*(*longest)->listener),
                    crowded > 1 ? fmt::format(", and many at {} more", crowded - 1) : "");
    findings_.push_back(std::move(finding));
  }

  // That none was refused lately, where counters were compared.
  [[nodiscard]] std::string none_lately() const {
    if (!facts::is_compared(observation_, id_) || !ns_.delta(kOverflows)) return "";
    return seconds_ ? fmt::format(", but none in the last {:.1f} s", *seconds_)
                    : ", but none between the two samples";
  }

  void add_past() {
    const std::uint64_t overflows = ns_.total(kOverflows).value_or(0);
    if (overflows == 0) add_past_drops();
    // Of a namespace in which nothing listens nobody wants to know; what was pasted is asked about.
    if ((states_.empty() && !is_pasted()) || overflows == 0 || ns_.grew(kOverflows) > 0) return;
    const ListenerState* alone =
        states_.size() == 1 && refused_before(*states_.front()) ? states_.front() : nullptr;
    Finding finding = finding_here("AQ102", alone, {kOverflows, kDrops});
    finding.explanation = fmt::format(
        "{} of handshakes {} refused for a full accept queue in this network namespace since it "
        "was "
        "created{}. The counters do not tell when.{}",
        counted(overflows, "packet", "packets"), overflows == 1 ? "was" : "were", none_lately(),
        alone != nullptr ? ""
                         : " Nor do they tell its listeners apart, those that are gone "
                           "included.");
    findings_.push_back(std::move(finding));
  }

  // Drops that are no overflows are old news on any host; what was pasted is asked about.
  void add_past_drops() {
    const std::uint64_t drops = ns_.total(kDrops).value_or(0);
    if (!is_pasted() || drops == 0 || ns_.grew(kDrops) > 0) return;
    Finding finding = finding_here("AQ102", nullptr, {kOverflows, kDrops});
    finding.explanation = fmt::format(
        "{} of handshakes {} refused in this network namespace since it was created{}{}. The "
        "counters do not tell when, nor by which listener.",
        counted(drops, "packet", "packets"), drops == 1 ? "was" : "were",
        ns_.total(kOverflows) ? ", none of them for a full accept queue" : "", none_lately());
    findings_.push_back(std::move(finding));
  }

  // Of the whole namespace, by its counters. A request that an ICMP error ended counts as a drop
  // (tcp_req_err), though no packet was refused.
  [[nodiscard]] Refusals refusals_here() const {
    Refusals here = refusals_of(ns_, rules_);
    std::uint64_t ended = 0;
    for (const ListenerState* state : states_) {
      if (state->ledger == nullptr) continue;
      ended += (*state->ledger)[facts::LedgerTerm::kRequestUnreachable].value_or(0);
    }
    for (std::uint64_t* rest : {&here.other, &here.reserve}) {
      const std::uint64_t part = std::min(*rest, ended);
      *rest -= part;
      ended -= part;
    }
    return here;
  }

  // Refusals of a kind that no open listener accounts for.
  void add_unexplained() {
    const Refusals here = refusals_here();
    const auto add = [&](const char* id, std::uint64_t packets, Counters counters,
                         std::string_view what) {
      Finding finding = finding_here(id, nullptr, counters);
      finding.severity = refusal_severity(packets, ns_.grew(kPassiveOpens));
      finding.confidence = 0.9;
      finding.explanation = fmt::format(
          "{} {} of new handshakes {} refused in this network namespace {}, and none of "
          "the listeners that are open now accounts for {}.",
          in_that_time(seconds_), counted(packets, "packet", "packets"),
          packets == 1 ? "was" : "were", what, packets == 1 ? "it" : "them");
      findings_.push_back(std::move(finding));
    };
    if (here.accept_queue > 0 && !any(&ListenerState::by_accept_queue)) {
      add("AQ101", here.accept_queue, {kOverflows, kDrops}, "because an accept queue was full");
      findings_.back().explanation +=
          is_pasted() ? " The text does not tell which listener's queue it was."
                      : " The listener has been closed since, or its queue was full for moments "
                        "only.";
    }
    const bool by_syn_queue = any(&ListenerState::by_syn_queue);
    if (here.syn_queue > 0 && !by_syn_queue) {
      add("AQ201", here.syn_queue, {kQueueFullDrop, kDrops},
          "because a SYN queue was full and net.ipv4.tcp_syncookies is 0");
      findings_.back().evidence.push_back(sysctl_evidence(ns_.after(), facts::kSyncookies));
    }
    // With cookies off no counter tells the reserve from what else refuses.
    if (here.reserve > 0 && !by_syn_queue && !any(&ListenerState::by_other)) {
      add("AQ205", here.reserve, {kDrops, kOverflows},
          "before a SYN queue was full; with net.ipv4.tcp_syncookies 0 the kernel keeps the last "
          "quarter of net.ipv4.tcp_max_syn_backlog for clients that it already knows");
      findings_.back().confidence = 0.8;  // no memory and no route look the same
      findings_.back().evidence.push_back(sysctl_evidence(ns_.after(), facts::kMaxSynBacklog));
    }
    if (here.other > 0 && !any(&ListenerState::by_other)) {
      add("AQ107", here.other, {kDrops, kOverflows},
          knows_syn_queue(ns_) ? "though no queue was full"
                               : "for another reason than a full accept queue");
    }
  }

  void add_cookies() {
    bool named = false;
    for (const ListenerState* state : states_) {
      if (!answers_by_cookies(*state) || state->report.captured) continue;
      named = true;
      const auto valid = state->ledger != nullptr
                             ? (*state->ledger)[facts::LedgerTerm::kCookieValid]
                             : std::nullopt;
      add_cookies_of(state, *state->cookies_sent, valid.value_or(ns_.grew(kCookiesRecv)));
    }
    const bool always = sysctl_value(ns_.after(), facts::kSyncookies) == 2;
    const std::uint64_t sent = ns_.grew(kCookiesSent);
    const std::uint64_t received = ns_.grew(kCookiesRecv);
    if (!named && sent > 0 && (!always || is_flood_of_cookies(sent, received))) {
      add_cookies_of(nullptr, sent, received);
    }
    const std::uint64_t failed = ns_.grew(kCookiesFailed);
    if (failed < kManyInvalid) return;
    Finding finding = finding_here("AQ204", nullptr, {kCookiesFailed, kCookiesRecv});
    finding.explanation =
        fmt::format("{} {} packets carried no valid SYN cookie.", in_that_time(seconds_), failed);
    findings_.push_back(std::move(finding));
  }

  void add_cookies_of(const ListenerState* about, std::uint64_t sent, std::uint64_t valid) {
    // A client whose ACK was refused shows its cookie again with each packet that it sends.
    const std::uint64_t received = std::min(valid, sent);
    if (is_flood_of_cookies(sent, received)) {
      Finding finding = finding_here("AQ203", about, {kCookiesSent, kCookiesRecv, kDoCookies});
      finding.confidence = 0.8;
      finding.cause = Cause{.kind = CauseKind::kSynFlood, .share = {}, .detail = {}};
      finding.explanation = fmt::format(
          "{} {} SYNs were answered with a SYN cookie, and {} of the cookies came "
          "back ({:.0f} %). Real clients return nearly all, where neither the SYN-ACKs nor the "
          "ACKs are lost on the way or dropped on this host.",
          in_that_time(seconds_), sent, received,
          100.0 * static_cast<double>(received) / static_cast<double>(sent));
      findings_.push_back(std::move(finding));
      return;
    }
    Finding finding = finding_here("AQ202", about, {kDoCookies, kCookiesSent, kCookiesRecv});
    // Those that come back got through.
    const double returned = static_cast<double>(received) / static_cast<double>(sent);
    if (returned < kCookiesThatReturn) finding.severity = Severity::kWarning;
    finding.explanation = fmt::format(
        "{} the SYN queue was full for {}, which {} answered with a cookie; {} of the "
        "cookies came back.",
        in_that_time(seconds_), counted(sent, "SYN", "SYNs"), sent == 1 ? "was" : "were", received);
    findings_.push_back(std::move(finding));
  }

  [[nodiscard]] Unanswered unanswered() const {
    Unanswered sum;
    for (const ListenerState* state : states_) sum += unanswered_of(*state);
    sum.acked = std::max(sum.acked, ns_.grew(kOverflows));
    return sum;
  }

  // Handshakes that wait for their clients' first bytes, and have for longer than the watch.
  [[nodiscard]] std::uint64_t held_back_from_before() const {
    std::uint64_t all = 0;
    for (const ListenerState* state : states_) all += held_back(*state);
    return all;
  }

  [[nodiscard]] bool defers() const {
    return ns_.grew(kDeferDrop) > 0 || held_back_from_before() > 0;
  }

  // A refused SYN cannot complete and tells nothing of its sender. One that was answered, and whose
  // answer nobody acknowledges, does.
  void add_flood_without_cookies() {
    if (sysctl_value(ns_.after(), facts::kSyncookies) != 0 || defers()) return;
    const std::uint64_t refused = refusals_here().total();
    const Unanswered silent = unanswered();
    const std::uint64_t clients = silent.handshakes();
    const std::uint64_t completed = ns_.grew(kPassiveOpens) + silent.acked;
    if (refused < kFloodSyns || clients < kFewestUnanswered ||
        !comes_to_nothing(completed, completed + clients)) {
      return;
    }
    const ListenerState* about =
        only([](const ListenerState& state) { return state.by_syn_queue; });
    Finding finding = finding_here("AQ203", about, {kDrops, kOverflows, kPassiveOpens});
    finding.confidence = 0.6;
    finding.cause = Cause{.kind = CauseKind::kSynFlood, .share = {}, .detail = {}};
    finding.explanation = fmt::format(
        "{}. {} {} completed: the SYN queue is filled by handshakes that nobody "
        "completes.",
        signs_of(silent), in_that_time(seconds_),
        counted(completed, "handshake was", "handshakes were"));
    finding.evidence.push_back(sysctl_evidence(ns_.after(), facts::kSyncookies));
    findings_.push_back(std::move(finding));
  }

  // Where a SYN queue is full of handshakes that are complete but for the first byte.
  void add_deferred() {
    const bool crowded =
        ns_.grew(kQueueFullDrop) + ns_.grew(kDoCookies) > 0 || any(&ListenerState::by_syn_queue);
    const std::uint64_t deferred = ns_.grew(kDeferDrop);
    const std::uint64_t held_back = deferred == 0 ? held_back_from_before() : 0;
    if (!crowded || deferred + held_back == 0) return;
    const ListenerState* about = only(
        [](const ListenerState& state) { return state.listener->defer_accept.value_or(0) > 0; });
    Finding finding = finding_here("AQ206", about, {kDeferDrop, kQueueFullDrop, kDoCookies});
    if (held_back > 0) {
      finding.confidence = 0.7;
      finding.explanation = fmt::format(
          "{} for over a second in the SYN queue of a listener with TCP_DEFER_ACCEPT, and final "
          "ACKs without data reached it before acceptq watched ({} in all): such clients are "
          "connected, but their requests stay in the SYN queue until they send something.",
          counted(held_back, "handshake has waited", "handshakes have waited"),
          ns_.total(kDeferDrop).value_or(0));
      findings_.push_back(std::move(finding));
      return;
    }
    finding.explanation = fmt::format(
        "{} {} without data reached a listener with TCP_DEFER_ACCEPT: these clients are "
        "connected, but their requests stay in the SYN queue until they send something.",
        in_that_time(seconds_), counted(deferred, "final ACK", "final ACKs"));
    findings_.push_back(std::move(finding));
  }

  // Where nothing tells which SYNs die, this counter is all that there is: of every port, and of
  // other packets as well (fib_validate_source, net/ipv4/fib_frontend.c).
  void add_reverse_path() {
    constexpr const char* kReversePath = "TcpExtIPReversePathFilter";
    constexpr std::uint64_t kFewest = 5;
    const std::uint64_t dropped = ns_.grew(kReversePath);
    const bool is_told = observation_.dead_syns.has_value() ||
                         std::ranges::any_of(states_, [](const ListenerState* state) {
                           return dies_elsewhere(*state);
                         });
    if (states_.empty() || is_told || dropped < kFewest ||
        static_cast<double>(dropped) < seconds_.value_or(0)) {
      return;
    }
    Finding finding = finding_here("AQ401", nullptr, {kReversePath});
    finding.severity = Severity::kNotice;
    finding.confidence = 0.5;
    finding.title = "packets die before they reach a listener";
    finding.explanation = fmt::format(
        "{} the reverse path filter (rp_filter) dropped {} of this network namespace: the route "
        "back to their senders leaves by another interface. Whether SYNs were among them is not "
        "known without tracing.",
        in_that_time(seconds_), counted(dropped, "packet", "packets"));
    findings_.push_back(std::move(finding));
  }

  const facts::Observation& observation_;
  const listenpath::KernelRules& rules_;
  NetnsId id_;
  NamespaceDelta ns_;
  std::optional<double> seconds_;             // between the two samples, where it is known
  std::vector<const ListenerState*> all_;     // of this namespace
  std::vector<const ListenerState*> states_;  // of them, TCP's
  std::vector<Finding>& findings_;
};

}  // namespace

void add_namespace_findings(const facts::Observation& observation,
                            const listenpath::KernelRules& rules, NetnsId id,
                            const std::vector<ListenerState>& all, std::vector<Finding>& findings) {
  NamespaceRules(observation, rules, id, all, findings).add();
}

}  // namespace acceptq::diagnose
