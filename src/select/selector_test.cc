#include "select/selector.h"

#include <gtest/gtest.h>

namespace acceptq::select {
namespace {

TEST(SplitDevice, TakesWhatIsBehindThePercentSign) {
  EXPECT_EQ(split_device("10.0.0.3")->address, "10.0.0.3");
  EXPECT_EQ(split_device("10.0.0.3")->device, "");
  EXPECT_EQ(split_device("[fe80::1%eth0]")->address, "[fe80::1]");
  EXPECT_EQ(split_device("[fe80::1]%eth0")->device, "eth0");
  for (const char* text : {"fe80::1%", "[fe80::1]%", "[fe80::1%]"}) {
    EXPECT_FALSE(split_device(text)) << text;
  }
}

TEST(ParseSelector, TakesEveryForm) {
  EXPECT_EQ(parse_selector(":80")->port, 80);
  EXPECT_EQ(parse_selector("10.0.0.3:80")->address->to_string(), "10.0.0.3");
  EXPECT_EQ(parse_selector("[::1]:443")->address->to_string(), "::1");
  // As a report writes it, and as other programs do.
  for (const char* scoped : {"[fe80::1]%eth0:80", "[fe80::1%eth0]:80"}) {
    EXPECT_EQ(parse_selector(scoped)->address->to_string(), "fe80::1");
    EXPECT_EQ(parse_selector(scoped)->device, "eth0");
  }
  EXPECT_EQ(parse_selector("0.0.0.0%lo:80")->device, "lo");
  EXPECT_EQ(parse_selector("pid:3985")->number, 3985U);
  EXPECT_EQ(parse_selector("comm:nginx")->name, "nginx");
  EXPECT_EQ(parse_selector("container:49b4135534da")->name, "49b4135534da");
  EXPECT_EQ(parse_selector("pod:default/web-0")->pod_namespace, "default");
  EXPECT_EQ(parse_selector("pod:default/web-0")->name, "web-0");
  EXPECT_EQ(parse_selector("pod:web-0")->pod_namespace, "");
  EXPECT_EQ(parse_selector("netns:4026532567")->kind, Selector::Kind::kNetns);
  EXPECT_EQ(parse_selector("netns:/run/netns/x")->kind, Selector::Kind::kNetnsPath);
  EXPECT_EQ(parse_selector("netns:blue")->name, "/run/netns/blue");
  EXPECT_EQ(parse_selector("unix:/run/php-fpm.sock")->name, "/run/php-fpm.sock");
  EXPECT_EQ(parse_selector("unix:@x")->name, "@x");
}

TEST(ParseSelector, SaysWhatItExpected) {
  for (const char* bad :
       {"",         "80",        ":",           ":0",           ":65536", ":x",        "nginx",
        "1.2.3:80", "::1:80",    "[]:80",       "[1.2.3.4]:80", "pid:",   "pid:0",     "pid:-1",
        "pid:x",    "comm:",     "container:1", "pod:",         "pod:a/", "[::1]%:80", "[::1%]:80",
        "%lo:80",   "::1%lo:80", "netns:x/y",   "unix:x",       "frob:1"}) {
    const auto selector = parse_selector(bad);
    ASSERT_FALSE(selector.has_value()) << bad;
    EXPECT_NE(selector.error().context.find("expected :PORT"), std::string::npos);
  }
}

TEST(Matches, KnowsWildcardsAndOwners) {
  facts::Snapshot snapshot;
  facts::Process process;
  process.pid = Pid(3985);
  process.comm = "nginx";
  process.container = facts::Container{.id = "49b4135534dae77c"};
  process.pod = facts::Pod{.ns = "default", .name = "web-0"};
  snapshot.processes = {process};
  facts::Listener listener;
  listener.netns = NetnsId(7);
  listener.port = 80;
  listener.owners = {{.pid = Pid(3985), .fd = 6}};
  for (const char* yes : {":80", "10.0.0.3:80", "0.0.0.0:80", "pid:3985", "comm:nginx",
                          "container:49b4135534da", "pod:default/web-0", "pod:web-0", "netns:7"}) {
    EXPECT_TRUE(matches(*parse_selector(yes), snapshot, listener)) << yes;
  }
  for (const char* no : {":81", "[::1]:80", "pid:1", "comm:ngin", "container:9999",
                         "pod:other/web-0", "netns:8", "unix:/x"}) {
    EXPECT_FALSE(matches(*parse_selector(no), snapshot, listener)) << no;
  }
}

TEST(Matches, KnowsAbstractNamesThatWereFilledUp) {
  facts::Listener listener;
  listener.protocol = facts::Protocol::kUnix;
  listener.path = "@app@@@@";
  EXPECT_TRUE(matches(*parse_selector("unix:@app"), {}, listener));
  EXPECT_FALSE(matches(*parse_selector("unix:@ap"), {}, listener));
  listener.path = "/run/app@@";
  EXPECT_FALSE(matches(*parse_selector("unix:/run/app"), {}, listener));
}

TEST(Matches, GoesByTheDeviceWhereItIsGiven) {
  facts::Listener listener;
  listener.port = 80;
  const Selector on_lo = *parse_selector("0.0.0.0%lo:80");
  EXPECT_TRUE(matches(on_lo, {}, listener));  // bound to none
  listener.ifindex = 1;
  listener.device = "lo";
  EXPECT_TRUE(matches(on_lo, {}, listener));
  EXPECT_TRUE(matches(*parse_selector(":80"), {}, listener));
  EXPECT_FALSE(matches(*parse_selector("0.0.0.0%eth0:80"), {}, listener));
}

TEST(Matches, LetsAnIpv6WildcardServeIpv4UnlessItMayNot) {
  facts::Listener listener;
  listener.port = 80;
  listener.address = *facts::IpAddress::parse("::");
  const Selector v4 = *parse_selector("10.0.0.3:80");
  listener.v6only = false;
  EXPECT_TRUE(matches(v4, {}, listener));
  EXPECT_TRUE(matches(*parse_selector("[fd00::1]:80"), {}, listener));
  listener.v6only = std::nullopt;
  EXPECT_TRUE(matches(v4, {}, listener));
  listener.v6only = true;
  EXPECT_FALSE(matches(v4, {}, listener));
  listener.address = *facts::IpAddress::parse("10.0.0.4");
  EXPECT_FALSE(matches(v4, {}, listener));
}

}  // namespace
}  // namespace acceptq::select
