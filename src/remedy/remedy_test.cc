#include <gtest/gtest.h>

#include "remedy/advise.h"
#include "remedy/combine.h"
#include "remedy/servers.h"
#include "remedy/syn_advise.h"

namespace acceptq::remedy {
namespace {

facts::Process process(const char* comm, const char* exe = nullptr) {
  facts::Process p;
  p.pid = Pid(3985);
  p.comm = comm;
  if (exe != nullptr) p.exe = exe;
  return p;
}

TEST(KnownServers, EveryRowIsUsable) {
  EXPECT_GT(known_servers().size(), 100U);
  for (const Server& server : known_servers()) {
    EXPECT_FALSE(server.name.empty());
    EXPECT_FALSE(server.source.empty()) << server.name;
    EXPECT_TRUE(!server.key.empty() || server.example.empty()) << server.name;
  }
}

TEST(FindServer, GoesByProcessNameThenByDefault) {
  const auto name = [](const facts::Process& owner, std::uint32_t limit) {
    return find_server(owner, limit).server->name;
  };
  EXPECT_EQ(name(process("nginx"), 511), "nginx");
  EXPECT_EQ(name(process("nginx"), 16384), "Kong Gateway");
  EXPECT_EQ(name(process("redis-server"), 128), "Redis");
  EXPECT_EQ(name(process("php-fpm8.2"), 511), "PHP-FPM");
  EXPECT_EQ(name(process("x", "/usr/sbin/nginx (deleted)"), 511), "nginx");
  EXPECT_EQ(find_server(process("my-own"), 511).server, nullptr);
  EXPECT_TRUE(find_server(process("nginx"), 511).alike.empty());
}

// One default is that of many programs of the same interpreter: none of them is called by name.
TEST(FindServer, SaysWhatElseItMayBe) {
  const ServerMatch tomcat = find_server(process("java"), 100);
  ASSERT_GE(tomcat.alike.size(), 2U);
  EXPECT_EQ(tomcat.alike[0]->name, "Apache Tomcat");
  EXPECT_EQ(tomcat.server, find_server(process("java"), 12345).server);
  EXPECT_GE(find_server(process("python3"), 50).alike.size(), 2U);
  EXPECT_TRUE(find_server(process("python3"), 77).alike.empty());
}

TEST(ParseServers, SaysWhichLineIsWrong) {
  const std::string head = "name,comm,default_backlog,key,example,apply,source,verified\n";
  EXPECT_TRUE(parse_servers(head + "a,b|c*,5,k,\"x \"\"y\"\", z\",reload,s,no\n").has_value());
  for (const char* bad :
       {"a,b,5,k,e,reload,s\n", "a,b,x,k,e,reload,s,no\n", "a,b,5,k,e,sometimes,s,no\n",
        "a,b,5,k,\"e,reload,s,no\n", "a,b,5,k,e,reload,s,maybe\n"}) {
    const auto parsed = parse_servers(head + bad);
    ASSERT_FALSE(parsed.has_value()) << bad;
    EXPECT_NE(parsed.error().context.find("line 2"), std::string::npos);
  }
  EXPECT_FALSE(parse_servers("who,what\n").has_value());
}

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
  EXPECT_NE(remedies[0].content.find("a wait of 80 s"), std::string::npos) << remedies[0].content;
  EXPECT_NE(remedies[1].then.find("nginx's own backlog, 511 by default"), std::string::npos);
  EXPECT_NE(remedies[1].content.find("value: \"4096\""), std::string::npos);
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
