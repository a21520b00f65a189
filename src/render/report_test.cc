// Reports made by hand, for what the golden cases of the command line cannot show: many listeners,
// names that nobody chose well, narrow terminals.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"
#include "render/listener_names.h"
#include "render/listener_rows.h"
#include "render/listener_rule.h"
#include "render/report_json.h"
#include "render/report_text.h"

namespace acceptq::render {
namespace {

using diagnose::Severity;
using diagnose::Verdict;

struct Case {
  diagnose::Report report;
  facts::Observation observation;

  Case() {
    facts::Snapshot& after = observation.after;
    after.host = {.name = "node-1", .kernel = "6.1.0-56-amd64", .boot_id = "b"};
    after.namespaces.resize(1);
    after.namespaces[0].id = NetnsId(1);
    after.namespaces[0].is_host = true;
    observation.seconds = 2;
  }

  // Adds a listener on a Unix socket (whose names are the worst) and its part of the report.
  void add(const std::string& path, Verdict verdict, std::uint32_t length) {
    facts::Listener listener;
    listener.protocol = facts::Protocol::kUnix;
    listener.netns = NetnsId(1);
    listener.path = path;
    listener.cookie = SocketCookie(observation.after.listeners.size() + 1);
    listener.accept_queue_len = QueueLength(length);
    listener.limit = QueueLimit(128);
    listener.owners_complete = true;
    report.listeners.push_back({.key = facts::listener_key(listener), .verdict = verdict});
    report.listeners.back().longest = QueueLength(length);
    observation.after.listeners.push_back(std::move(listener));
    report.verdict = std::min(report.verdict, verdict);
  }

  void find(Severity severity, const std::string& explanation) {
    report.findings.push_back({.id = "AQ101",
                               .severity = severity,
                               .title = "accept queue is overflowing",
                               .explanation = explanation,
                               .listener = report.listeners.back().key});
  }

  [[nodiscard]] std::string text(TermStyle style, bool all = false) const {
    return report_text(report, observation, {.style = style, .all = all});
  }
};

TEST(ReportText, OneLookIsNoAllClear) {
  Case one;
  one.add("/run/a", Verdict::kHealthy, 0);
  EXPECT_TRUE(one.text({}).starts_with("no listener is losing connections\n"));
  one.observation.seconds = 0;
  EXPECT_TRUE(one.text({}).starts_with("nothing wrong was found in one look\n"));
}

TEST(Report, HasTheBooksOfItsNamespaces) {
  Case c;
  c.add("/run/a", Verdict::kHealthy, 0);
  c.report.books = {{.netns = NetnsId(1),
                     .lines = {{"TcpExtListenDrops", 415, 412}, {"TcpExtSyncookiesSent", 0, 0}}}};
  const std::string json = report_json(c.report, c.observation, JsonLayout::kLine);
  const std::string books =
      R"("books":[{"counter":"TcpExtListenDrops","kernel":415,"attributed":412,"remainder":3}])";
  EXPECT_NE(json.find(books), std::string::npos) << json;
  const std::string line = "  netns:1  TcpExtListenDrops +415, attributed 412, remainder 3\n";
  EXPECT_EQ(c.text({}).find(line), std::string::npos);
  const std::string verbose = report_text(c.report, c.observation, {.verbose = true});
  EXPECT_NE(verbose.find(line), std::string::npos) << verbose;
  EXPECT_EQ(verbose.find("Syncookies"), std::string::npos) << verbose;
}

TEST(RateText, KeepsADigitOfWhatIsLittle) {
  EXPECT_EQ(rate_text(0), "0");
  EXPECT_EQ(rate_text(0.02), "0.1");
  EXPECT_EQ(rate_text(3.36), "3.4");
  EXPECT_EQ(rate_text(8), "8");
  EXPECT_EQ(rate_text(9.97), "10");
  EXPECT_EQ(rate_text(1003.4), "1003");
}

// One whose refused clients all came through at their first retry loses nothing.
TEST(ReportText, CountsThoseThatAreAsBadAsTheHeadline) {
  Case two;
  two.add("/run/a", Verdict::kOverflowing, 128);
  two.find(Severity::kCritical, "Full.");
  two.add("/run/b", Verdict::kOverflowing, 1);
  two.find(Severity::kNotice, "Full for a moment.");
  EXPECT_TRUE(two.text({}).starts_with("1 listener is losing connections\n")) << two.text({});
}

// With tcp_syncookies 2 there is no queue that could be at its limit.
TEST(ReportText, SaysThatItLooksLikeAFlood) {
  Case one;
  one.add("/run/a", Verdict::kHealthy, 0);
  one.report.verdict = Verdict::kAtRisk;
  one.report.findings.push_back({.id = "AQ203",
                                 .severity = Severity::kWarning,
                                 .title = "looks like a SYN flood",
                                 .explanation = "Few came back.",
                                 .netns = NetnsId(1)});
  EXPECT_TRUE(one.text({}).starts_with("a SYN flood seems to be under way\n")) << one.text({});
}

std::size_t occurrences(std::string_view text, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos;
       at = text.find(what, at + what.size())) {
    ++count;
  }
  return count;
}

TEST(ReportText, SaysEachListenerOnce) {
  Case c;
  c.add("/run/bad.sock", Verdict::kOverflowing, 129);
  c.find(Severity::kCritical, "Clients are refused.");
  c.add("/run/busy.sock", Verdict::kHealthy, 3);
  c.add("/run/idle.sock", Verdict::kHealthy, 0);
  const std::string text = c.text({});
  EXPECT_EQ(occurrences(text, "/run/bad.sock"), 1U) << text;
  EXPECT_EQ(occurrences(text, "/run/busy.sock"), 1U) << text;
  EXPECT_EQ(occurrences(text, "/run/idle.sock"), 0U) << text;
  EXPECT_EQ(occurrences(c.text({}, true), "/run/idle.sock"), 1U);
  EXPECT_NE(text.find("--all"), std::string::npos);
}

TEST(ReportText, ARemedyMayHaveNothingToCopy) {
  Case c;
  c.add("/run/bad.sock", Verdict::kOverflowing, 129);
  c.find(Severity::kCritical, "Clients are refused.");
  c.report.findings.back().remedies = {{.form = "cause", .summary = "Find out why."},
                                       {.form = "application", .summary = "Raise it."}};
  const std::string text = c.text({});
  EXPECT_NE(text.find("1. Find out why.\n"), std::string::npos) << text;
  EXPECT_NE(text.find("2. Raise it.\n"), std::string::npos) << text;
}

std::size_t lines_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

TEST(ReportText, SaysWhatIsAlikeOnce) {
  Case c;
  for (int i = 0; i < 40; ++i) {
    c.add("/run/worker-" + std::to_string(i) + ".sock", Verdict::kOverflowing, 129);
    c.find(Severity::kCritical, "Clients are refused.");
  }
  const std::string text = c.text({});
  EXPECT_NE(text.find("40 listeners of no process are in the same trouble"), std::string::npos)
      << text;
  EXPECT_NE(text.find("and 35 more, with --verbose"), std::string::npos) << text;
  EXPECT_LT(lines_of(text), 25U) << text;
  EXPECT_EQ(occurrences(text, "AQ101"), 1U) << text;
  const std::string all = report_text(c.report, c.observation, {.verbose = true});
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(occurrences(all, "worker-" + std::to_string(i) + ".sock"), 1U) << all;
  }
}

// Two sockets may have one endpoint, and a finding of a namespace says of which.
TEST(ReportText, SaysInWhichNamespace) {
  Case c;
  facts::Snapshot& after = c.observation.after;
  after.namespaces.push_back({.id = NetnsId(2), .mount_path = "/run/netns/blue"});
  c.add("/run/a.sock", Verdict::kOverflowing, 129);
  after.listeners.back().netns = NetnsId(2);
  c.find(Severity::kCritical, "Clients are refused.");
  EXPECT_NE(c.text({}).find("unix:/run/a.sock   netns:/run/netns/blue\n"), std::string::npos)
      << c.text({});
  c.add("/run/a.sock", Verdict::kOverflowing, 129);
  c.find(Severity::kCritical, "Clients are refused.");
  EXPECT_NE(c.text({}).find(", in 2 network namespaces, are in the same trouble"),
            std::string::npos)
      << c.text({});
  for (const std::uint64_t netns : {1, 2}) {
    c.report.findings = {
        {.id = "AQ102", .severity = Severity::kNotice, .title = "t", .netns = NetnsId(netns)}};
    EXPECT_NE(c.text({}).find(netns == 1 ? "AQ102 the host's network namespace: t."
                                         : "AQ102 netns:/run/netns/blue: t."),
              std::string::npos)
        << c.text({});
  }
}

TEST(ReportText, TellsNamespacesApartThatHaveOnePort) {
  Case made;
  made.observation.after.namespaces.push_back({.id = NetnsId(2), .is_host = false});
  for (const std::uint64_t netns : {1, 2}) {
    made.add("x", Verdict::kHealthy, 1);
    facts::Listener& listener = made.observation.after.listeners.back();
    listener.protocol = facts::Protocol::kTcp;
    listener.netns = NetnsId(netns);
    listener.port = 80;
    made.report.listeners.back().key = facts::listener_key(listener);
  }
  std::string text = made.text({.width = 120});
  EXPECT_NE(text.find("no process (host)\n"), std::string::npos) << text;
  EXPECT_NE(text.find("no process (netns:2)\n"), std::string::npos) << text;
  made.observation.after.listeners.back().port = 81;
  text = made.text({.width = 120});
  EXPECT_EQ(text.find("netns:2"), std::string::npos) << text;
}

TEST(ReportText, WhatWasClosedIsLosingNothingNow) {
  Case made;
  made.add("a", Verdict::kOverflowing, 129);
  made.find(Severity::kCritical, "It was full.");
  made.observation.after.listeners.back().closed = true;
  EXPECT_TRUE(made.text({}).starts_with("1 listener was losing connections until it was closed\n"));
  made.add("b", Verdict::kOverflowing, 129);
  made.find(Severity::kCritical, "It is full.");
  EXPECT_TRUE(made.text({}).starts_with("2 listeners are losing connections\n"));
}

TEST(ListenerNames, OfSeveralProgramsAllAreNamed) {
  Case made;
  made.add("a", Verdict::kHealthy, 1);
  facts::Snapshot& after = made.observation.after;
  const auto holds = [&](int pid, const char* comm) {
    after.processes.push_back({.pid = Pid(pid), .comm = comm});
    after.listeners[0].owners.push_back({.pid = Pid(pid), .fd = 3});
  };
  holds(10, "python3");
  holds(11, "python3");
  EXPECT_EQ(workload_name(after, after.listeners[0]), "python3");
  holds(12, "node");
  holds(13, "systemd");
  EXPECT_EQ(workload_name(after, after.listeners[0]), "python3, node");
  made.find(Severity::kWarning, "It was full.");
  EXPECT_NE(made.text({.width = 200}).find("python3 (pid 10 and 1 more), node (pid 12), systemd"),
            std::string::npos)
      << made.text({.width = 200});
  holds(14, "sleep");
  EXPECT_EQ(workload_name(after, after.listeners[0]), "python3, node and 1 more");
}

TEST(QueueText, FullBetweenTheSamples) {
  Case made;
  made.add("a", Verdict::kOverflowing, 2);
  diagnose::ListenerReport& report = made.report.listeners[0];
  report.full_fraction = 0;
  const auto text = [&] {
    return queue_text({}, made.observation.after.listeners[0], report, false);
  };
  EXPECT_TRUE(text().ends_with("2 at most")) << text();
  report.full_between_samples = true;
  EXPECT_TRUE(text().ends_with("2 at most in the samples, full between them")) << text();
}

// A backlog of 0 lets one wait; without it the queue is empty, however little fits.
TEST(QueueText, AnEmptyQueueIsNotFull) {
  Case c;
  c.add("/run/a.sock", Verdict::kHealthy, 0);
  facts::Listener& listener = c.observation.after.listeners[0];
  listener.limit = QueueLimit(0);
  const TermStyle ascii{.unicode = false};
  const auto text = [&] { return queue_text(ascii, listener, c.report.listeners[0], false); };
  EXPECT_EQ(text().find('#'), std::string::npos) << text();
  listener.accept_queue_len = QueueLength(1);
  EXPECT_EQ(text().find('.'), std::string::npos) << text();
  // As in "full the whole time": samples between two connections see the limit, not what fits.
  listener.limit = QueueLimit(5);
  listener.accept_queue_len = QueueLength(5);
  EXPECT_EQ(text().find('.'), std::string::npos) << text();
}

TEST(LimitText, SaysThatItWasAnother) {
  Case made;
  made.add("a", Verdict::kHealthy, 1);
  made.report.listeners[0].limit_before = QueueLimit(10);
  EXPECT_TRUE(
      limit_text(made.observation, made.observation.after.listeners[0], made.report.listeners[0])
          .ends_with("; it was 10 when the watch began, and listen() was called again since"));
}

// Of those that tracing could not tell, some are this listener's.
TEST(RatesText, AreNoneWhereSomeWereMissed) {
  Case made;
  made.add("a", Verdict::kOverflowing, 1);
  diagnose::ListenerReport& report = made.report.listeners[0];
  report.arrivals_per_s = 46;
  report.accepts_per_s = 1;
  report.refused.total = 91;
  EXPECT_EQ(rates_text(report), "1 connections/s of 46/s that arrive, retries included");
  report.refused.at_least = true;
  EXPECT_EQ(rates_text(report), "");
}

TEST(ReportText, OneIsNoPlural) {
  Case c;
  c.add("/run/a.sock", Verdict::kOverflowing, 129);
  c.find(Severity::kCritical, "Clients are refused.");
  c.report.listeners[0].refused.total = 1;
  c.report.listeners[0].syn_unanswered = 1;
  EXPECT_NE(c.text({}).find(" 1 packet in 2.0 s"), std::string::npos) << c.text({});
  EXPECT_NE(c.text({}).find(" 1 SYN came here and got neither"), std::string::npos) << c.text({});
}

TEST(ReportText, StaysShortWhereEachTroubleIsItsOwn) {
  Case c;
  for (int i = 0; i < 40; ++i) {
    c.add("/run/worker-" + std::to_string(i) + ".sock", Verdict::kOverflowing, 129);
    c.observation.after.listeners.back().limit = QueueLimit(100 + static_cast<std::uint32_t>(i));
    c.find(Severity::kCritical, "Clients are refused.");
  }
  const std::string text = c.text({});
  EXPECT_NE(text.find("30 more listeners are in trouble"), std::string::npos) << text;
}

TEST(ListenerBlock, TakesFewLinesHoweverMuchThereIsToSay) {
  Case c;
  c.add("/run/bad.sock", Verdict::kOverflowing, 129);
  c.find(Severity::kCritical, "Clients are refused.");
  const std::string content = "a: line\nand: another\nand: another\nand: another\nand: another\n";
  for (const char* form : {"cause", "pod.sysctls", "netns.sysctl", "application"}) {
    c.report.findings.back().remedies.push_back(
        {.form = form, .summary = "Do this first.", .content = content, .then = "do that."});
  }
  c.find(Severity::kWarning, std::string(900, 'x') + " and so on");
  c.report.findings.back().id = "AQ111";
  c.report.findings.back().explanation = "One is full. The others are not.";
  diagnose::ListenerReport& listener = c.report.listeners.back();
  listener.refused = {.total = 412, .at_syn = 400, .at_ack = 12, .attempts = 40};
  listener.arrivals_per_s = 257;
  listener.accepts_per_s = 51;
  listener.time_in_queue = {.p50_ms = 2500, .p99_ms = 2600.0};
  listener.full_fraction = 1;
  listener.limit_set_by = diagnose::LimitSetBy::kApplication;
  const std::string text = c.text({});
  const std::string block = text.substr(text.find("/run/bad.sock"));
  EXPECT_LE(lines_of(block), 14U) << text;
  EXPECT_NE(block.find("1. Do this first."), std::string::npos) << text;
  EXPECT_NE(block.find("acceptq fix "), std::string::npos) << text;
  EXPECT_NE(block.find("One is full."), std::string::npos) << text;
  EXPECT_EQ(block.find("The others"), std::string::npos) << text;

  // Beside a cause what it leads to goes before what was refused, and notices are numbers.
  c.find(Severity::kCritical, "nginx waits for its clients in each thread: 98 % of 3.7 s. " +
                                  std::string("It holds up all that wait, ") +
                                  std::string(60, 'x') + ' ' + std::string(60, 'x') + " and more.");
  c.report.findings.back().id = "AQ307";
  c.report.findings.back().cause = {
      .kind = diagnose::CauseKind::kClient, .share = 0.98, .detail = {}};
  c.find(Severity::kNotice, std::string(200, 'y') + " are deferred.");
  c.report.findings.back().id = "AQ206";
  const std::string full = c.text({});
  const std::string shorter = full.substr(full.find("/run/bad.sock"));
  EXPECT_LE(lines_of(shorter), 14U) << full;
  EXPECT_NE(shorter.find("nginx waits for its clients"), std::string::npos) << full;
  EXPECT_NE(shorter.find(" 98 %\n"), std::string::npos) << full;
  EXPECT_NE(shorter.find("412 packets"), std::string::npos) << full;
  EXPECT_NE(shorter.find("AQ206"), std::string::npos) << full;
  EXPECT_EQ(shorter.find("are deferred"), std::string::npos) << full;
  EXPECT_NE(shorter.find("1. Do this first."), std::string::npos) << full;
}

TEST(ListenerBlock, SaysWhatOneIsAndWhatIsOnlyRepeated) {
  Case c;
  c.add("/run/bad.sock", Verdict::kOverflowing, 129);
  c.find(Severity::kCritical, "Clients are refused.");
  c.observation.seconds = 2;
  diagnose::ListenerReport& listener = c.report.listeners.back();
  listener.refused = {.total = 1, .at_syn = 1, .at_ack = 0, .attempts = 0};
  listener.refused.top = {{.address = *facts::IpAddress::parse("10.0.0.3")}};
  listener.arrivals_per_s = 0.4;
  listener.accepts_per_s = 3;
  const std::string text = c.text({.unicode = false, .width = 120});
  EXPECT_NE(text.find("1 packet in 2.0 s"), std::string::npos) << text;
  EXPECT_NE(text.find("10.0.0.3 (retries)"), std::string::npos) << text;
  EXPECT_NE(text.find("3 connections/s, while 0.4/s arrive"), std::string::npos) << text;
}

TEST(ReportText, KeepsTheTableWithinTheWidth) {
  Case c;
  for (int i = 0; i < 12; ++i) {
    c.add("/run/" + std::string(90, 'a') + std::to_string(i), Verdict::kHealthy, 7);
  }
  for (const int width : {80, 120}) {
    const std::string text = c.text({.unicode = false, .width = width});
    EXPECT_EQ(occurrences(text, "unix:/run/"), 12U) << text;
    std::string_view rest = text;
    while (!rest.empty()) EXPECT_LE(columns(next_line(rest)), width) << text;
  }
}

TEST(ReportText, LetsNoNameReachTheTerminalRaw) {
  Case c;
  c.add("/run/\x1b]0;owned\x07\nX forged line\xff", Verdict::kOverflowing, 129);
  c.find(Severity::kCritical, "\x1b[2Jcleared by /run/\x1b]0;owned\x07");
  c.observation.after.host.name = "\x1b[31mhost";
  c.observation.after.blind_spots = {
      {.id = "AQ602", .scope = "netns:1", .reason = "\x1b[5m", .cost = "\x9b"}};
  const std::string text = c.text({});
  for (const char byte : text) {
    EXPECT_TRUE(byte == '\n' || static_cast<unsigned char>(byte) >= 0x20) << text;
  }
  EXPECT_EQ(text.find("\nX forged"), std::string::npos);
}

TEST(ReportText, GroupsBlindSpotsOfOneCause) {
  Case c;
  for (int i = 0; i < 300; ++i) {
    c.observation.after.blind_spots.push_back({.id = "AQ602",
                                               .scope = "netns:" + std::to_string(i),
                                               .reason = "denied",
                                               .cost = "listeners are missing",
                                               .unobserved = true});
  }
  EXPECT_EQ(occurrences(c.text({}), "denied"), 1U);
}

TEST(ListenerRules, SaysWhoseLimitItIs) {
  Case c;
  c.add("/run/a.sock", Verdict::kHealthy, 3);
  c.report.listeners.back().somaxconn = 4096;
  const std::string rule = listener_rules({}, c.report, c.observation);
  EXPECT_NE(rule.find("holds 3 complete"), std::string::npos) << rule;
  EXPECT_NE(rule.find("that is 4096 now"), std::string::npos) << rule;
  c.report.listeners.back().limit_set_by = diagnose::LimitSetBy::kKernel;
  const std::string of_kernel = listener_rules({}, c.report, c.observation);
  EXPECT_EQ(of_kernel.find("4096"), std::string::npos) << of_kernel;
  EXPECT_NE(of_kernel.find("kernel's own"), std::string::npos) << of_kernel;
}

TEST(ReportJson, LeavesOutCountersThatNeverMoved) {
  Case c;
  facts::Namespace ns;
  ns.counters = {{"TcpExtListenDrops", 0}, {"TcpExtTW", 0}, {"TcpInSegs", 7}};
  c.observation.after.namespaces = {ns};
  const std::string json = report_json(c.report, c.observation);
  EXPECT_NE(json.find("TcpExtListenDrops"), std::string::npos) << json;
  EXPECT_NE(json.find("TcpInSegs"), std::string::npos) << json;
  EXPECT_EQ(json.find("TcpExtTW"), std::string::npos) << json;
}

TEST(ReportJson, IsUtf8WhateverTheNamesAre) {
  Case c;
  c.add("/run/\xff\xfe\\\x1b.sock", Verdict::kUnknown, 0);
  const std::string json = report_json(c.report, c.observation);
  EXPECT_NE(json.find(R"("path": "/run/\\xff\\xfe\\\\\u001b.sock")"), std::string::npos) << json;
}

}  // namespace
}  // namespace acceptq::render
