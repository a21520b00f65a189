// AQ402 … AQ404, and AQ101, AQ202 and AQ203 of captures.
//
// What packets prove depends on where they were captured. A SYN without an answer, captured at the
// server, was dropped by that host: by a full queue or by a rule, and packets do not tell which.
// Captured elsewhere, it may as well have been lost on the way. One thing is proof of a full accept
// queue: a server that repeats its SYN-ACK although the final ACK has come (tcp_v4_syn_recv_sock
// refuses it, and the request's timer goes on), and data behind it, for which a listener with
// TCP_DEFER_ACCEPT would wait.
#include "diagnose/capture_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/text.h"
#include "diagnose/catalogue.h"
#include "diagnose/rules.h"

namespace acceptq::diagnose {
namespace {

using facts::Captured;
using facts::CaptureSide;

bool at_server(const Captured& captured) {
  return captured.side == CaptureSide::kServer || captured.side == CaptureSide::kBoth;
}

std::uint64_t term(const ListenerState& state, facts::LedgerTerm term) {
  return (*state.ledger)[term].value_or(0);
}

std::uint64_t unanswered_syns(const ListenerState& state) {
  return state.ledger->syn_unanswered.value_or(0);
}

std::uint64_t unheard_attempts(const ListenerState& state) {
  return state.by_accept_queue ? 0 : state.report.captured->attempts_unheard;
}

// Attempts that were lost, or took more than 3 s: docs/glossary.md.
std::uint64_t lost_or_late(const ListenerState& state) {
  constexpr std::uint64_t kLateBelowS = 8;
  std::uint64_t late = 0;
  for (const facts::Bucket& bucket : state.ledger->delay_s) {
    if (bucket.below >= kLateBelowS) late += bucket.count;
  }
  const std::uint64_t refused = term(state, facts::LedgerTerm::kAttemptsRefused);
  const std::uint64_t recovered = term(state, facts::LedgerTerm::kAttemptsRecovered);
  return refused - std::min(refused, recovered) + late;
}

// One in a hundred; and of what may have been lost anywhere, more than a stray client's.
Severity severity_of(std::uint64_t bad, std::uint64_t attempts, std::uint64_t fewest) {
  constexpr std::uint64_t kOneIn = 100;
  if (bad == 0) return Severity::kNotice;
  return bad >= fewest && bad * kOneIn >= attempts ? Severity::kCritical : Severity::kWarning;
}

std::string when(const ListenerState& state) {
  constexpr double kShown = 0.05;
  return state.seconds.value_or(0) >= kShown ? fmt::format("In {:.1f} s", *state.seconds)
                                             : "In this capture";
}

std::string clients(const ListenerState& state) {
  const auto& addresses = state.ledger->addresses;
  return addresses && *addresses > 0 ? " from " + counted(*addresses, "address", "addresses") : "";
}

// Where the capture was taken, and what follows from that for a packet without an answer.
std::string vantage(const Captured& captured, std::string_view packets) {
  switch (captured.side) {
    case CaptureSide::kServer:
      return fmt::format(
          "The capture was taken at the server, so the {} had come that far: this host dropped "
          "them, or its answers. A full accept queue or SYN queue does that, and so do a packet "
          "filter and other rules; packets alone do not tell which.",
          packets);
    case CaptureSide::kBoth:
      return fmt::format(
          "Client and server are one host, which dropped the {} or its answers. A full accept "
          "queue or SYN queue does that, and so does a packet filter; packets alone do not tell "
          "which.",
          packets);
    case CaptureSide::kClient:
      return fmt::format(
          "The capture was taken at the client: whether the {} reached the server cannot be seen "
          "there. A full queue, a packet filter on either side and loss on the way look the same.",
          packets);
    case CaptureSide::kBetween:
      return fmt::format(
          "The capture was taken between client and server: the {} had come so far, and whether "
          "they reached the server cannot be seen there. A full queue, a packet filter and loss "
          "behind this place look the same.",
          packets);
    case CaptureSide::kUnknown:
      break;
  }
  return fmt::format(
      "{}, so it is not known whether the {} reached the server. A full queue, a packet filter and "
      "loss on the way look the same.",
      captured.behind_router
          ? "The SYNs had passed a router, so the capture was not taken at the client; but whether "
            "it was at the server, the packets do not tell"
          : "The packets do not tell at which side the capture was taken",
      packets);
}

std::string translation(const Captured& captured) {
  if (!captured.translated_from) return "";
  return fmt::format(
      " Clients speak to {}, which is translated on the way: the same SYNs were seen with both "
      "addresses, and are counted once.",
      *captured.translated_from);
}

Evidence count_of(const char* name, std::uint64_t count, const char* unit) {
  return {
      .name = name, .delta = static_cast<std::int64_t>(count), .unit = unit, .source = "packets"};
}

void add_counts(const ListenerState& state, Finding& finding) {
  const Captured& captured = *state.report.captured;
  finding.evidence.push_back(count_of("attempts", captured.attempts, "attempts"));
  finding.evidence.push_back(count_of("attempts.completed", captured.completed, "attempts"));
  finding.evidence.push_back(count_of("syn_unanswered", unanswered_syns(state), "packets"));
  finding.evidence.push_back(count_of("ack_unheard", captured.unheard_acks, "packets"));
}

std::string retries(const Captured& captured) {
  if (!captured.even_retries) return "";
  return *captured.even_retries
             ? " The clients repeat their SYNs every second at first: Linux 6.5 or newer."
             : "";
}

// "All 6 attempts", "6 of 8 attempts", "The one attempt".
std::string share_of(std::uint64_t part, std::uint64_t all) {
  if (part == all) return all == 1 ? "the only attempt" : fmt::format("all {} attempts", all);
  return fmt::format("{} of {} attempts", part, all);
}

std::string unanswered_sentence(const ListenerState& state) {
  const Captured& captured = *state.report.captured;
  const std::uint64_t at_syn = captured.unanswered;
  if (at_syn == 0) return "";
  const std::uint64_t later = at_syn - std::min(at_syn, captured.never_answered);
  const std::string text = fmt::format(
      "{} {} to connect to {}{} got no answer to {}, neither a SYN-ACK nor a reset", when(state),
      share_of(at_syn, captured.attempts), facts::listener_endpoint(*state.listener),
      clients(state), counted(unanswered_syns(state), "SYN", "SYNs"));
  if (later == 0) return text + ", until the capture ended.";
  // Answers are not seen where SYNs alone were captured.
  if (!captured.holds_answers && captured.completed == 0) {
    return text + fmt::format("; {} stopped repeating, as after an answer to the last.",
                              counted(later, "client", "clients"));
  }
  return text + (later == at_syn ? ", but did at a later try."
                                 : fmt::format("; {} did at a later try.", later));
}

std::string unheard_sentence(const ListenerState& state) {
  const Captured& captured = *state.report.captured;
  if (unheard_attempts(state) == 0) return "";
  std::string text = fmt::format(
      " {} to {} {} acknowledged by the client, and the server repeated its SYN-ACK all the same "
      "({}).",
      counted(captured.attempts_unheard, "handshake", "handshakes"),
      facts::listener_endpoint(*state.listener), captured.attempts_unheard == 1 ? "was" : "were",
      captured.unheard_acks == 1 ? "once" : fmt::format("{} times", captured.unheard_acks));
  text += at_server(captured)
              ? " Without data behind the final ACK that can be a full accept queue, or "
                "TCP_DEFER_ACCEPT, which waits for data."
              : " Either the final ACKs were lost on the way to the server, or its accept queue "
                "was full.";
  return text;
}

// Of a server that answers others meanwhile.
std::string hint(const ListenerState& state) {
  const Captured& captured = *state.report.captured;
  std::string text;
  if (!captured.holds_answers && captured.completed > 0) {
    text =
        " The capture shows one direction, without the server's packets: that clients repeated "
        "these SYNs says that no answer had come to them in time.";
  } else if (!captured.holds_answers) {
    text =
        " The capture holds no packet of the server at all: either there is none, or the capture's "
        "filter left them out.";
  }
  if (is_full_now(state)) {
    return text + fmt::format(
                      " The accept queue was full when it was looked at ({} waited, the "
                      "limit is {}): that is most likely why.",
                      state.listener->accept_queue_len.value(), state.listener->limit->value());
  }
  if (!captured.holds_answers) return text;
  if (captured.completed == 0 || captured.never_answered == 0) return "";
  return fmt::format(
      " {} completed in the same capture: a full queue lets some in and others not, a rule for "
      "the whole port would let none.",
      counted(captured.completed, "handshake was", "handshakes were"));
}

void add_unanswered(const ListenerState& state, std::vector<Finding>& findings) {
  const Captured& captured = *state.report.captured;
  Finding finding = finding_about("AQ403", state);
  finding.severity = severity_of(lost_or_late(state), captured.attempts, 5);
  const std::string at_syn = unanswered_sentence(state);
  finding.explanation = at_syn + unheard_sentence(state);
  if (at_syn.empty()) finding.explanation = std::string(trim(finding.explanation));
  finding.explanation += " " + vantage(captured, at_syn.empty() ? "ACKs" : "SYNs") + hint(state) +
                         translation(captured) + retries(captured);
  add_counts(state, finding);
  findings.push_back(std::move(finding));
}

// What resets to `count` attempts show: "In 8.7 s all 6 attempts to connect to … were" `what`.
struct ResetsSeen {
  const char* id;
  std::uint64_t count;
  const char* evidence;
  std::string_view what;
};

void add_resets(const ListenerState& state, const ResetsSeen& resets,
                std::optional<Severity> severity, std::vector<Finding>& findings) {
  const Captured& captured = *state.report.captured;
  Finding finding = finding_about(resets.id, state);
  if (severity) finding.severity = *severity;
  finding.explanation = fmt::format(
      "{} {} to connect to {} {} {}{}", when(state), share_of(resets.count, captured.attempts),
      facts::listener_endpoint(*state.listener), resets.count == 1 ? "was" : "were", resets.what,
      translation(captured));
  finding.evidence.push_back(count_of("attempts", captured.attempts, "attempts"));
  finding.evidence.push_back(count_of(resets.evidence, resets.count, "attempts"));
  findings.push_back(std::move(finding));
}

void add_turned_away(const ListenerState& state, std::vector<Finding>& findings) {
  const Captured& captured = *state.report.captured;
  constexpr std::uint64_t kOneIn = 10;
  constexpr std::uint64_t kFew = 5;
  // A server that was restarted turns a few away beside those that it serves.
  const bool many = captured.turned_away * kOneIn >= captured.attempts &&
                    (captured.turned_away >= kFew || captured.completed == 0);
  add_resets(state,
             {.id = "AQ402",
              .count = captured.turned_away,
              .evidence = "syn_reset",
              .what = "answered by a reset (\"connection refused\"): nothing listens there, or a "
                      "packet filter rejects. On Linux a full queue never does that."},
             many ? Severity::kWarning : Severity::kNotice, findings);
}

// More than a client now and then: the server hangs up on its clients.
bool is_reset(const Captured& captured) {
  constexpr std::uint64_t kOneIn = 10;
  return captured.resets > 0 && captured.resets * kOneIn >= captured.attempts;
}

void add_reset(const ListenerState& state, std::vector<Finding>& findings) {
  add_resets(state,
             {.id = "AQ404",
              .count = state.report.captured->resets,
              .evidence = "ack_reset",
              .what = "reset by the server as soon as the handshake was complete, before it had "
                      "sent anything. A full accept queue does that with "
                      "net.ipv4.tcp_abort_on_overflow 1; so does a program that closes a "
                      "connection without reading what the client sent, and a device on the way; "
                      "packets alone do not tell which."},
             std::nullopt, findings);
}

void add_flood(const ListenerState& state, std::vector<Finding>& findings) {
  const Captured& captured = *state.report.captured;
  Finding finding = finding_about("AQ203", state);
  finding.confidence = 0.7;
  finding.cause = Cause{.kind = CauseKind::kSynFlood, .share = {}, .detail = {}};
  finding.explanation = fmt::format(
      "{} the server answered {} whose clients never acknowledged that, and {} completed. Real "
      "clients complete nearly all.",
      when(state), counted(captured.half_open, "SYN", "SYNs"),
      counted(captured.completed, "handshake was", "handshakes were"));
  // A request that is kept repeats its SYN-ACK first after 1 s; of a cookie nothing is kept.
  constexpr std::uint64_t kNearlyAll = 10;
  const std::uint64_t repeated = captured.half_open_long - captured.half_open_silent;
  if (state.cookies_sent.value_or(0) > 0) {
    finding.explanation += fmt::format(
        " By the options of its SYN-ACKs at least {} were SYN cookies, which take no room in the "
        "SYN queue.",
        *state.cookies_sent);
    finding.evidence.push_back(count_of("syn_cookie", *state.cookies_sent, "packets"));
  } else if (captured.half_open_long > 0 && at_server(captured)) {
    finding.explanation +=
        repeated * kNearlyAll <= captured.half_open_long
            ? " It did not repeat its SYN-ACKs: so it is with SYN cookies, which take no room in "
              "the SYN queue."
            : " It repeated its SYN-ACKs: these requests take room in the SYN queue.";
  }
  finding.evidence.push_back(count_of("attempts", captured.attempts, "attempts"));
  finding.evidence.push_back(count_of("attempts.half_open", captured.half_open, "attempts"));
  finding.evidence.push_back(count_of("attempts.completed", captured.completed, "attempts"));
  findings.push_back(std::move(finding));
}

// Why a server sends cookies, as far as packets and settings tell.
std::string why_cookies(const ListenerState& state) {
  if (state.report.cookies == Cookies::kWhenFull) return "its SYN queue was full";
  if (state.report.captured->no_cookies > 0) {
    return fmt::format(
        "its SYN queue was full, as {} got an ordinary answer, which net.ipv4.tcp_syncookies 2 "
        "does not give",
        counted(state.report.captured->no_cookies, "other", "others"));
  }
  return "its SYN queue was full, or net.ipv4.tcp_syncookies is 2, or something in "
         "front of it answers for it; packets do not tell which";
}

void add_cookies(const ListenerState& state, std::vector<Finding>& findings) {
  const Captured& captured = *state.report.captured;
  Finding finding = finding_about("AQ202", state);
  finding.confidence = 0.9;
  finding.explanation = fmt::format(
      "{} about {} of {} to connect to {} were answered with a SYN cookie: {}. This is an estimate "
      "by the options of the SYN-ACKs; on the server the kernel counts cookies "
      "(TcpExtSyncookiesSent).{}",
      when(state), *state.cookies_sent, counted(captured.attempts, "attempt", "attempts"),
      facts::listener_endpoint(*state.listener), why_cookies(state), translation(captured));
  finding.evidence.push_back(count_of("attempts", captured.attempts, "attempts"));
  finding.evidence.push_back(count_of("attempts.completed", captured.completed, "attempts"));
  finding.evidence.push_back(count_of("syn_cookie", *state.cookies_sent, "packets"));
  findings.push_back(std::move(finding));
}

}  // namespace

void take_capture(const facts::Ledger& ledger, ListenerState& state) {
  const Captured& captured = *ledger.captured;
  state.report.captured = captured;
  state.cookies_sent = ledger[facts::LedgerTerm::kSynCookie];
  if (!at_server(captured) || captured.unheard_with_data == 0) return;
  state.refusals = Refusals{.accept_queue = captured.unheard_with_data};
  state.report.refused = {.total = captured.unheard_with_data,
                          .at_ack = captured.unheard_with_data,
                          .source = ledger.source,
                          .at_least = true};
}

bool fails_in_capture(const ListenerState& state) {
  if (!state.report.captured || state.ledger == nullptr) return false;
  const Captured& captured = *state.report.captured;
  return unanswered_syns(state) > 0 || unheard_attempts(state) > 0 || is_reset(captured);
}

bool is_turned_away(const ListenerState& state) {
  return state.report.captured && state.report.captured->turned_away > 0;
}

bool is_flooded_in_capture(const ListenerState& state) {
  if (!state.report.captured) return false;
  const Captured& captured = *state.report.captured;
  // Fewer say nothing of who sends them; of a flood's handshakes, few are completed.
  constexpr std::uint64_t kFewest = 100;
  constexpr std::uint64_t kCompletedOneIn = 4;
  return captured.holds_others && captured.half_open >= kFewest &&
         captured.completed * kCompletedOneIn <= captured.completed + captured.half_open;
}

void add_overflowing_in_capture(const ListenerState& state, std::vector<Finding>& findings) {
  const Captured& captured = *state.report.captured;
  Finding finding = finding_about("AQ101", state);
  finding.severity = severity_of(lost_or_late(state), captured.attempts, 1);
  finding.confidence = 0.95;
  finding.explanation = fmt::format(
      "{} the final ACKs of {} came to {}, and data behind them, and the server answered with its "
      "SYN-ACK again ({}): Linux does so where the accept queue was full and the ACK was "
      "dropped. Such clients believe that they are connected, but the server has no connection.",
      when(state), counted(captured.attempts_unheard, "handshake", "handshakes"),
      facts::listener_endpoint(*state.listener),
      captured.unheard_acks == 1 ? "once" : fmt::format("{} times", captured.unheard_acks));
  if (const std::uint64_t syns = unanswered_syns(state); syns > 0) {
    finding.explanation += fmt::format(
        " {} got no answer at all: while the queue is full, the kernel drops SYNs, too.",
        counted(syns, "SYN", "SYNs"));
  }
  if (captured.never_answered + captured.attempts_unheard < captured.attempts &&
      captured.completed > 0) {
    finding.explanation +=
        fmt::format(" {} completed in the same time.",
                    counted(captured.completed, "handshake was", "handshakes were"));
  }
  finding.explanation += translation(captured);
  add_counts(state, finding);
  findings.push_back(std::move(finding));
}

void quiet_scans(const std::vector<ListenerState>& states, std::vector<Finding>& findings) {
  constexpr std::uint64_t kFewTries = 3;
  constexpr std::size_t kManyPorts = 10;
  std::map<facts::IpAddress, std::set<std::string>> tried;
  for (const ListenerState& state : states) {
    const auto& captured = state.report.captured;
    if (!captured || captured->turned_away == 0 || captured->completed > 0) continue;
    if (captured->attempts <= kFewTries) tried[state.listener->address].insert(state.report.key);
  }
  for (const auto& [address, keys] : tried) {
    if (keys.size() < kManyPorts) continue;
    for (Finding& finding : findings) {
      if (finding.id == "AQ402" && keys.contains(*finding.listener)) {
        finding.severity = Severity::kNotice;
      }
    }
  }
}

void add_capture_findings(const ListenerState& state, std::vector<Finding>& findings) {
  if (!state.report.captured || state.ledger == nullptr) return;
  if (is_turned_away(state)) add_turned_away(state, findings);
  // Where the queue was full at ACKs, that is why SYNs got no answer.
  const bool unanswered = unanswered_syns(state) > 0 && !state.by_accept_queue;
  if (unanswered || unheard_attempts(state) > 0) add_unanswered(state, findings);
  if (is_reset(*state.report.captured)) add_reset(state, findings);
  if (is_flooded_in_capture(state)) {
    add_flood(state, findings);
  } else if (answers_by_cookies(state)) {
    add_cookies(state, findings);
  }
}

}  // namespace acceptq::diagnose
