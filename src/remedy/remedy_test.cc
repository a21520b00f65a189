#include <gtest/gtest.h>

#include "diagnose/catalogue.h"
#include "remedy/advise.h"
#include "remedy/combine.h"
#include "remedy/drop_advice.h"
#include "remedy/remedy_test_support.h"
#include "remedy/route_advice.h"
#include "remedy/servers.h"
#include "remedy/syn_advise.h"

namespace acceptq::remedy {
namespace {

struct Case {
  facts::Observation observation;
  diagnose::Report report;
};

Case listener_of(facts::Process owner, std::uint32_t limit, std::int64_t somaxconn, bool host,
                 diagnose::LimitSetBy by, double full) {
  Case c;
  facts::Listener listener;
  listener.netns = NetnsId(7);
  listener.port = 80;
  listener.cookie = SocketCookie(1);
  listener.limit = QueueLimit(limit);
  listener.owners = {{.pid = owner.pid, .fd = 6}};
  c.observation.after.listeners = {listener};
  c.observation.after.processes = {std::move(owner)};
  facts::Namespace ns;
  ns.id = NetnsId(7);
  ns.is_host = host;
  c.observation.after.namespaces = {ns};
  diagnose::ListenerReport report;
  report.key = facts::listener_key(listener);
  report.limit_set_by = by;
  report.somaxconn = somaxconn;
  report.full_fraction = full;
  report.accepts_per_s = 51;
  c.report.listeners = {report};
  diagnose::Finding finding;
  finding.id = "AQ101";
  finding.listener = report.key;
  c.report.findings = {finding};
  add_remedies(c.report, c.observation);
  return c;
}

std::vector<std::string> forms(const Case& c) {
  std::vector<std::string> names;
  for (const auto& remedy : c.report.findings[0].remedies) names.push_back(remedy.form);
  return names;
}

TEST(Advise, PodWithSomaxconn128GetsBothKnobs) {
  facts::Process nginx = process("nginx");
  nginx.pod = facts::Pod{.ns = "default", .name = "tcpbench"};
  nginx.container = facts::Container{.id = "49b4"};
  const Case c = listener_of(nginx, 128, 128, false, diagnose::LimitSetBy::kSomaxconn, 1.0);
  EXPECT_EQ(forms(c), (std::vector<std::string>{"cause", "pod.sysctls", "pod.init_container",
                                                "netns.sysctl", "application"}));
  const auto& remedies = c.report.findings[0].remedies;
  EXPECT_NE(remedies[0].content.find("a wait of 40 s"), std::string::npos) << remedies[0].content;
  EXPECT_NE(remedies[1].then.find("nginx's own backlog, 511 by default"), std::string::npos);
  EXPECT_NE(remedies[1].content.find("value: \"2048\""), std::string::npos);
}

TEST(Advise, NginxUnderALargeSomaxconnReloads) {
  const Case c =
      listener_of(process("nginx"), 511, 8096, false, diagnose::LimitSetBy::kApplication, 0.0);
  ASSERT_EQ(forms(c), (std::vector<std::string>{"application"}));
  const auto& remedy = c.report.findings[0].remedies[0];
  EXPECT_EQ(remedy.takes_effect, "reload");
  EXPECT_NE(remedy.summary.find("511 is its default"), std::string::npos);
  EXPECT_NE(remedy.then.find("8096, allows it"), std::string::npos);
}

TEST(Advise, HostAndDockerHaveFormsOfTheirOwn) {
  EXPECT_EQ(forms(listener_of(process("x"), 128, 128, true, diagnose::LimitSetBy::kSomaxconn, 0)),
            (std::vector<std::string>{"sysctl.d", "application"}));
  facts::Process contained = process("x");
  contained.container = facts::Container{.id = "49b4"};
  EXPECT_EQ(forms(listener_of(contained, 128, 128, false, diagnose::LimitSetBy::kSomaxconn, 0)),
            (std::vector<std::string>{"docker.sysctl", "netns.sysctl", "application"}));
  EXPECT_TRUE(
      forms(listener_of(process("x"), 128, 128, true, diagnose::LimitSetBy::kKernel, 0)).empty());
}

// Where acceptq runs in a container, /etc/sysctl.d there is not the host's.
TEST(Advise, InsideAContainerTheFixIsTheContainers) {
  Case c = listener_of(process("x"), 128, 128, false, diagnose::LimitSetBy::kSomaxconn, 0);
  facts::Namespace& ns = c.observation.after.namespaces[0];
  ns.is_host = std::nullopt;
  ns.own_container = true;
  add_remedies(c.report, c.observation);
  EXPECT_EQ(forms(c),
            (std::vector<std::string>{"container.sysctl", "netns.sysctl", "application"}));
  EXPECT_EQ(c.report.findings[0].remedies[1].content, "sysctl -w net.core.somaxconn=4096");
  // Neither the host's nor this container's, as far as is known.
  ns.own_container = false;
  add_remedies(c.report, c.observation);
  EXPECT_EQ(forms(c), (std::vector<std::string>{"netns.sysctl", "application"}));
}

// The text of all remedies of the finding.
std::string advice(const Case& c) {
  std::string text;
  for (const auto& remedy : c.report.findings[0].remedies) {
    text += remedy.summary + "\n" + remedy.content + "\n" + remedy.then + "\n";
  }
  return text;
}

// `c` again, with more that was seen of it.
void watched(Case& c, double seconds, double accepts_per_s) {
  c.observation.seconds = seconds;
  c.report.listeners[0].accepts_per_s = accepts_per_s;
  add_remedies(c.report, c.observation);
}

void add_holder(Case& c, facts::Process holder, Pid pid) {
  holder.pid = pid;
  c.observation.after.listeners[0].owners.push_back({.pid = pid, .fd = 3});
  c.observation.after.processes.push_back(std::move(holder));
  facts::normalize(c.observation.after);
}

// What holds a descriptor need not know of it: nobody is told to change a helper.
TEST(Advise, ALeakedDescriptorIsNotToldToListen) {
  Case c = listener_of(process("sleep"), 16, 4096, false, diagnose::LimitSetBy::kApplication, 1.0);
  watched(c, 2.0, 0);
  EXPECT_EQ(forms(c), std::vector<std::string>{"cause"});
  EXPECT_NE(advice(c).find("held by sleep (pid 3985, descriptor 6)"), std::string::npos);
  EXPECT_NE(advice(c).find("SOCK_CLOEXEC"), std::string::npos);
  // Nobody holds what has been closed.
  c.observation.after.listeners[0].closed = true;
  watched(c, 2.0, 0);
  EXPECT_NE(advice(c).find("was held by sleep"), std::string::npos) << advice(c);
  EXPECT_EQ(advice(c).find("is held by"), std::string::npos) << advice(c);
  c.observation.after.listeners[0].closed = false;
  // Unless it is seen to accept.
  watched(c, 2.0, 5);
  EXPECT_NE(advice(c).find("Have sleep pass a larger backlog to listen() (now 16)"),
            std::string::npos)
      << advice(c);
  // Nothing is known after a moment.
  watched(c, 0.0, 0);
  EXPECT_NE(advice(c).find("Have the server pass"), std::string::npos) << advice(c);
}

// A longer queue helps no socket whose siblings have room.
TEST(Advise, AStuckMemberOfAGroupIsLookedFor) {
  Case c = listener_of(process("nginx"), 20, 4096, true, diagnose::LimitSetBy::kApplication, 1.0);
  diagnose::Finding skew;
  skew.id = "AQ111";
  skew.listener = c.report.listeners[0].key;
  c.report.findings.push_back(skew);
  watched(c, 2.0, 0);
  EXPECT_EQ(forms(c), std::vector<std::string>{"cause"});
  EXPECT_NE(advice(c).find("held by nginx (pid 3985, descriptor 6)"), std::string::npos)
      << advice(c);
  EXPECT_EQ(c.report.findings[1].remedies.size(), 1U);
}

TEST(Advise, WhoDoesNotAcceptIsNotCalledSlow) {
  Case c = listener_of(process("nginx"), 20, 4096, true, diagnose::LimitSetBy::kApplication, 1.0);
  watched(c, 2.0, 0);
  EXPECT_NE(advice(c).find("Find out why nginx does not accept"), std::string::npos) << advice(c);
}

// A server that can only ask for somaxconn chose no limit, in trouble or not.
TEST(Advise, WhoSetTheLimitIsCorrectedForHealthyListenersToo) {
  Case c = listener_of(process("traefik"), 100, 4096, true, diagnose::LimitSetBy::kUnknown, 0);
  c.report.findings.clear();
  c.report.listeners[0].limit_set_by = diagnose::LimitSetBy::kApplication;
  add_remedies(c.report, c.observation);
  EXPECT_EQ(c.report.listeners[0].limit_set_by, diagnose::LimitSetBy::kUnknown);
}

TEST(Advise, ASocketUnitIsConfiguredThere) {
  Case c = listener_of(process("my-own"), 64, 4096, true, diagnose::LimitSetBy::kApplication, 1.0);
  add_holder(c, process("systemd", "/usr/lib/systemd/systemd"), Pid(1));
  watched(c, 2.0, 3);
  EXPECT_EQ(forms(c), (std::vector<std::string>{"cause", "systemd.socket"}));
  EXPECT_NE(advice(c).find("Raise Backlog= of the socket unit"), std::string::npos) << advice(c);
  EXPECT_EQ(advice(c).find("Have systemd"), std::string::npos);
  // The service has called listen() again, with its own default.
  Case node = listener_of(process("node"), 511, 4096, true, diagnose::LimitSetBy::kApplication, 1);
  add_holder(node, process("systemd", "/usr/lib/systemd/systemd"), Pid(1));
  watched(node, 2.0, 30);
  EXPECT_NE(advice(node).find("Raise Node.js's own backlog (511 is its default)"),
            std::string::npos)
      << advice(node);
  EXPECT_NE(advice(node).find("port:80, backlog:1024"), std::string::npos) << advice(node);
}

TEST(Advise, OfSeveralProgramsNoneIsNamed) {
  Case c =
      listener_of(process("one", "/one"), 64, 4096, true, diagnose::LimitSetBy::kApplication, 0);
  add_holder(c, process("two", "/two"), Pid(4000));
  watched(c, 2.0, 3);
  EXPECT_NE(advice(c).find("Have the server pass"), std::string::npos) << advice(c);
  // One is a server by its name.
  Case nginx = listener_of(process("nginx"), 64, 4096, true, diagnose::LimitSetBy::kUnknown, 0);
  add_holder(nginx, process("sleep"), Pid(4000));
  watched(nginx, 2.0, 3);
  EXPECT_NE(advice(nginx).find("listen 0.0.0.0:80 backlog=4096;"), std::string::npos)
      << advice(nginx);
}

// Redis asks for 511, and got 128 before somaxconn was raised.
TEST(Advise, WhatIsMissingMayBeARestart) {
  const Case c =
      listener_of(process("redis-server"), 128, 4096, true, diagnose::LimitSetBy::kUnknown, 0);
  EXPECT_EQ(forms(c), (std::vector<std::string>{"restart", "application"}));
  EXPECT_NE(advice(c).find("Redis asks for 511 by default"), std::string::npos) << advice(c);
  // 100 is no usual somaxconn: it is in the server's configuration.
  EXPECT_EQ(forms(listener_of(process("redis-server"), 100, 4096, true,
                              diagnose::LimitSetBy::kApplication, 0)),
            std::vector<std::string>{"application"});
  // A server that only ever asks for somaxconn has no such choice.
  const Case go =
      listener_of(process("traefik"), 100, 4096, true, diagnose::LimitSetBy::kApplication, 0);
  EXPECT_EQ(forms(go), std::vector<std::string>{"restart"});
  EXPECT_EQ(go.report.listeners[0].limit_set_by, diagnose::LimitSetBy::kUnknown);
  // Nor has any other program of that language, by whatever name.
  facts::Process own = process("gosrv");
  own.language = "go";
  Case unnamed = listener_of(own, 64, 100000, true, diagnose::LimitSetBy::kApplication, 0);
  watched(unnamed, 2.0, 3);
  EXPECT_EQ(forms(unnamed), std::vector<std::string>{"restart"});
  EXPECT_EQ(unnamed.report.listeners[0].limit_set_by, diagnose::LimitSetBy::kUnknown);
  EXPECT_NE(advice(unnamed).find("Restart gosrv: the limit is then probably 100000. gosrv, as a Go "
                                 "program, asks for all that somaxconn allows"),
            std::string::npos)
      << advice(unnamed);
  // What was traced is certain, and a server's own default is its own.
  EXPECT_EQ(forms(listener_of(process("redis-server"), 511, 4096, true,
                              diagnose::LimitSetBy::kApplication, 0)),
            std::vector<std::string>{"application"});
}

TEST(Advise, WhoAsksForSomaxconnNeedsNothingElse) {
  const Case c =
      listener_of(process("php-fpm8.2"), 4096, 4096, true, diagnose::LimitSetBy::kSomaxconn, 0);
  EXPECT_EQ(forms(c), std::vector<std::string>{"sysctl.d"});
  EXPECT_NE(advice(c).find("net.core.somaxconn = 8192"), std::string::npos) << advice(c);
  EXPECT_NE(advice(c).find("asks for all that somaxconn allows"), std::string::npos) << advice(c);
}

TEST(Advise, AGuessIsShownAsAGuess) {
  Case c = listener_of(process("python3", "/usr/bin/python3.11"), 10, 4096, true,
                       diagnose::LimitSetBy::kApplication, 0);
  watched(c, 2.0, 3);
  EXPECT_NE(advice(c).find("10 is the default of Django runserver, if it is one of these"),
            std::string::npos)
      << advice(c);
}

TEST(Advise, MemcachedAtItsLimitOfConnections) {
  Case c =
      listener_of(process("memcached"), 0, 4096, false, diagnose::LimitSetBy::kApplication, 1.0);
  watched(c, 2.0, 0);
  EXPECT_EQ(forms(c), std::vector<std::string>{"cap"});
  EXPECT_NE(advice(c).find("-c (connections)"), std::string::npos) << advice(c);
  EXPECT_EQ(advice(c).find("-b"), std::string::npos) << advice(c);
  // Before that, its backlog is like any other's.
  EXPECT_EQ(forms(listener_of(process("memcached"), 1024, 4096, false,
                              diagnose::LimitSetBy::kApplication, 0)),
            std::vector<std::string>{"application"});
}

TEST(Advise, NamesWhatElseBoundsTheServer) {
  facts::Process haproxy = process("haproxy");
  haproxy.open_files = 64;
  haproxy.open_files_limit = 64;
  const Case c = listener_of(haproxy, 1024, 4096, true, diagnose::LimitSetBy::kApplication, 1.0);
  EXPECT_EQ(forms(c), (std::vector<std::string>{"cause", "limits", "application"}));
  EXPECT_NE(advice(c).find("64 of 64 are in use"), std::string::npos) << advice(c);
  // What it is given later it does not use.
  EXPECT_EQ(advice(c).find("prlimit"), std::string::npos) << advice(c);
  EXPECT_NE(advice(c).find("Start it with a higher limit"), std::string::npos) << advice(c);
  EXPECT_NE(advice(c).find("whether HAProxy is at its own limit, maxconn"), std::string::npos)
      << advice(c);
  EXPECT_NE(advice(c).find("It helps against bursts, once accept() keeps up."), std::string::npos)
      << advice(c);
  // Where the queue is full for moments, a longer one is the remedy.
  const Case bursts =
      listener_of(process("haproxy"), 1024, 4096, true, diagnose::LimitSetBy::kApplication, 0.1);
  EXPECT_EQ(advice(bursts).find("once accept() keeps up"), std::string::npos) << advice(bursts);
}

// Those who wait have given up before their turn comes.
TEST(Advise, NoLongerQueueWhereThePresentOneIsTooLongToWaitIn) {
  Case c =
      listener_of(process("gunicorn"), 16, 4096, true, diagnose::LimitSetBy::kApplication, 1.0);
  watched(c, 2.0, 0.25);
  EXPECT_EQ(forms(c), std::vector<std::string>{"cause"});
  EXPECT_NE(advice(c).find("a full queue of 16 means a wait of 64 s"), std::string::npos)
      << advice(c);
  watched(c, 2.0, 5);
  EXPECT_EQ(forms(c), (std::vector<std::string>{"cause", "application"}));
  // Nor one that is taken in more than a minute.
  EXPECT_NE(advice(c).find("a full queue of 256 means a wait of 51 s"), std::string::npos)
      << advice(c);
}

// Whoever has the socket, and whatever keeps it: nothing is taken from it.
TEST(Advise, NoLongerQueueWhereNothingIsTaken) {
  Case c = listener_of(process("java"), 100, 4096, true, diagnose::LimitSetBy::kApplication, 1.0);
  watched(c, 4.0, 0);
  EXPECT_EQ(forms(c), std::vector<std::string>{"cause"});
}

// Neither the limit that there is nor less than was seen.
TEST(Advise, AdvisesMoreThanThereIs) {
  const Case large =
      listener_of(process("x"), 65535, 65535, true, diagnose::LimitSetBy::kSomaxconn, 0);
  EXPECT_NE(advice(large).find("net.core.somaxconn = 131072"), std::string::npos) << advice(large);
}

facts::Namespace namespace_with_cookies(std::int64_t cookies) {
  facts::Namespace ns;
  ns.id = NetnsId(7);
  ns.pids = {Pid(41)};
  ns.sysctls[facts::kSyncookies] = {.state = facts::SysctlState::kValue, .value = cookies};
  return ns;
}

diagnose::Finding finding_of(const char* id) {
  diagnose::Finding finding;
  finding.id = id;
  return finding;
}

std::vector<std::string> forms(const std::vector<diagnose::Remedy>& remedies) {
  std::vector<std::string> names;
  names.reserve(remedies.size());
  for (const diagnose::Remedy& remedy : remedies) names.push_back(remedy.form);
  return names;
}

TEST(SynRemedies, CookiesAtOnceAndToStay) {
  using Forms = std::vector<std::string>;
  facts::Namespace ns = namespace_with_cookies(0);
  const auto unowned = syn_remedies(finding_of("AQ201"), ns, nullptr);
  EXPECT_EQ(forms(unowned), Forms{"netns.sysctl"});
  EXPECT_EQ(unowned[0].content, "nsenter -t 41 -n sysctl -w net.ipv4.tcp_syncookies=1");
  facts::Process owner = process("nginx");
  owner.container = facts::Container{};
  EXPECT_EQ(forms(syn_remedies(finding_of("AQ205"), ns, &owner)),
            (Forms{"netns.sysctl", "docker.sysctl"}));
  owner.pod = facts::Pod{};
  const auto pod = syn_remedies(finding_of("AQ201"), ns, &owner);
  EXPECT_EQ(forms(pod), (Forms{"netns.sysctl", "pod.sysctls"}));
  EXPECT_EQ(pod[0].content, "nsenter -t 3985 -n sysctl -w net.ipv4.tcp_syncookies=1");
  ns.is_host = true;
  EXPECT_EQ(forms(syn_remedies(finding_of("AQ201"), ns, &owner)), Forms{"sysctl.d"});
}

TEST(SynRemedies, AFloodIsFilteredFirst) {
  using Forms = std::vector<std::string>;
  EXPECT_EQ(forms(syn_remedies(finding_of("AQ203"), namespace_with_cookies(1), nullptr)),
            Forms{"cause"});
  EXPECT_EQ(forms(syn_remedies(finding_of("AQ203"), namespace_with_cookies(0), nullptr)),
            (Forms{"cause", "netns.sysctl"}));
  EXPECT_TRUE(syn_remedies(finding_of("AQ107"), namespace_with_cookies(0), nullptr).empty());
}

// A SYN queue in which handshakes wait for data is not too short.
TEST(SynRemedies, HandshakesThatWaitForDataNeedNoLongerQueue) {
  Case c = listener_of(process("nginx"), 64, 4096, true, diagnose::LimitSetBy::kApplication, 0);
  c.report.findings[0].id = "AQ202";
  add_remedies(c.report, c.observation);
  EXPECT_EQ(forms(c), std::vector<std::string>{"application"});
  c.report.findings[0].remedies.clear();
  c.report.findings.push_back(finding_of("AQ206"));
  c.report.findings[1].listener = c.report.findings[0].listener;
  add_remedies(c.report, c.observation);
  EXPECT_TRUE(forms(c).empty());
  ASSERT_EQ(c.report.findings[1].remedies.size(), 1U);
  EXPECT_NE(c.report.findings[1].remedies[0].summary.find("Turn TCP_DEFER_ACCEPT off"),
            std::string::npos);
}

TEST(RouteRemedies, GoByWhatWasLookedUp) {
  const auto advice = [](std::optional<facts::RouteBack> route, const char* address) {
    return route_remedies({{.address = *facts::IpAddress::parse(address), .route = route}}, nullptr,
                          nullptr);
  };
  using enum facts::RouteBack;
  EXPECT_TRUE(advice(std::nullopt, "10.1.2.3").empty());
  ASSERT_EQ(advice(kNone, "10.1.2.3").size(), 1U);
  // Commands keep their lines, which a sentence does not.
  EXPECT_EQ(advice(kProhibit, "fd00::7")[0].form, "inspect");
  EXPECT_EQ(advice(kNone, "10.1.2.3")[0].content, "ip route get 10.1.2.3");
  EXPECT_EQ(advice(kProhibit, "fd00::7")[0].content,
            "ip -6 route show table all type prohibit\nip -6 rule show");
  EXPECT_EQ(advice(kFound, "10.1.2.3")[0].content, "");
}

TEST(SynRemedies, CookiesAreNoCureForThoseThatNeverAnswer) {
  diagnose::Finding finding = finding_of("AQ201");
  EXPECT_EQ(syn_remedies(finding, namespace_with_cookies(0), nullptr).size(), 1U);
  finding.evidence = {{.name = diagnose::kSynQueueUnanswered, .total = 40}};
  const auto remedies = syn_remedies(finding, namespace_with_cookies(0), nullptr);
  EXPECT_EQ(forms(remedies), (std::vector<std::string>{"netns.sysctl", "cause"}));
}

TEST(DropRemedies, GoByTheReasonOfMostPackets) {
  diagnose::Finding finding = finding_of("AQ401");
  finding.evidence = {{.name = "drop_reason.CPU_BACKLOG", .delta = 3},
                      {.name = "drop_reason.NETFILTER_DROP", .delta = 200},
                      {.name = "drop_reason.NOT_SPECIFIED", .delta = 900}};
  const facts::Process owner = process("nginx");
  const auto in_a_pod = drop_remedies(finding, nullptr, &owner, 80);
  ASSERT_EQ(forms(in_a_pod), (std::vector<std::string>{"inspect", "inspect"}));
  EXPECT_EQ(in_a_pod[0].content,
            "nsenter -t 3985 -n nft -a list ruleset\nnsenter -t 3985 -n iptables-save -c\n"
            "nsenter -t 3985 -n ip6tables-save -c\n"
            "nsenter -t 3985 -n sysctl net.netfilter.nf_conntrack_count "
            "net.netfilter.nf_conntrack_max");
  // The input queue of a CPU is the host's.
  EXPECT_EQ(in_a_pod[1].content, "cat /proc/net/softnet_stat\nsysctl net.core.netdev_max_backlog");
  facts::Namespace host = namespace_with_cookies(1);
  host.is_host = true;
  EXPECT_TRUE(drop_remedies(finding, &host, &owner, 80)[0].content.starts_with("nft "));
}

TEST(DropRemedies, NoRuleIsLookedForWhereConnectionTrackingIsFull) {
  diagnose::Finding finding = finding_of("AQ401");
  finding.evidence = {{.name = "conntrack_full", .total = 300, .delta = 200},
                      {.name = "drop_reason.NETFILTER_DROP", .delta = 200}};
  const auto remedies = drop_remedies(finding, nullptr, nullptr, 80);
  ASSERT_EQ(remedies.size(), 1U);
  EXPECT_TRUE(remedies[0].summary.starts_with("Raise net.netfilter.nf_conntrack_max"));
}

TEST(DropRemedies, HandshakesThatNobodyCompletesAreLookedForOnTheirPort) {
  diagnose::Finding finding = finding_of("AQ405");
  finding.evidence = {{.name = "synacks_unsent", .delta = 30}};
  EXPECT_TRUE(drop_remedies(finding, nullptr, nullptr, 80)[0].content.starts_with("nft "));
  finding.evidence = {{.name = "handshakes_unanswered", .delta = 30}};
  const auto remedies = drop_remedies(finding, nullptr, nullptr, 8080);
  ASSERT_EQ(remedies.size(), 1U);
  EXPECT_TRUE(remedies[0].content.starts_with("tcpdump -c 30 -ni any 'tcp port 8080'\n"));
}

// Where the catalogue says all that is to be said.
TEST(Advise, WhatAFindingMeansForAnyHostIsAdvice) {
  Case c = listener_of(process("nginx"), 0, 511, true, diagnose::LimitSetBy::kApplication, 0);
  for (const char* id : {"AQ206", "AQ402", "AQ403", "AQ404", "AQ406", "AQ407", "AQ408"}) {
    c.report.findings[0] = finding_of(id);
    add_remedies(c.report, c.observation);
    ASSERT_EQ(c.report.findings[0].remedies.size(), 1U) << id;
    EXPECT_EQ(c.report.findings[0].remedies[0].summary, diagnose::find_entry(id)->next);
  }
  // Where something is known of this one, that says more.
  c = listener_of(process("nginx"), 64, 4096, true, diagnose::LimitSetBy::kApplication, 0);
  c.report.findings.push_back(finding_of("AQ403"));
  c.report.findings[1].listener = c.report.findings[0].listener;
  add_remedies(c.report, c.observation);
  EXPECT_TRUE(c.report.findings[1].remedies.empty());
}

TEST(CombineRemedies, CookiesComeFirstWhateverElseIsFound) {
  diagnose::Report report;
  for (const char* id : {"AQ101", "AQ201", "AQ109"}) {
    report.findings.push_back(finding_of(id));
    report.findings.back().listener = "tcp:7:0.0.0.0:80#1";
  }
  report.findings[0].remedies = {{.form = "application"}};
  report.findings[1].remedies =
      syn_remedies(finding_of("AQ201"), namespace_with_cookies(0), nullptr);
  report.findings[2].remedies =
      syn_remedies(finding_of("AQ109"), namespace_with_cookies(0), nullptr);
  combine_remedies(report);
  const auto& remedies = report.findings[0].remedies;
  ASSERT_EQ(forms(remedies),
            (std::vector<std::string>{"netns.sysctl", "application", "netns.sysctl"}));
  EXPECT_NE(remedies[0].content.find("tcp_syncookies=1"), std::string::npos);
  EXPECT_NE(remedies[2].content.find("tcp_abort_on_overflow=0"), std::string::npos);
}

}  // namespace
}  // namespace acceptq::remedy
