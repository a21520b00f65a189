#include "bundle/redact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "bundle/replaced_names.h"
#include "facts/json.h"

namespace acceptq::bundle {
namespace {

using nlohmann::json;
using testing::IsEmpty;

TEST(ReplacedNames, AddressesKeepTheirNetworks) {
  ReplacedNames names;
  const auto of = [&](const char* text) {
    return names.address(*facts::IpAddress::parse(text)).to_string();
  };
  EXPECT_EQ(of("192.0.2.7"), "10.0.1.0");
  EXPECT_EQ(of("192.0.2.9"), "10.0.1.1");
  EXPECT_EQ(of("198.51.100.7"), "10.0.2.0");
  EXPECT_EQ(of("192.0.2.7"), "10.0.1.0");
  EXPECT_EQ(of("::ffff:192.0.2.7"), "::ffff:10.0.1.0");
  EXPECT_EQ(of("2a00:1:2:3::7"), "2001:db8:3::");
  EXPECT_EQ(of("0.0.0.0"), "0.0.0.0");
  EXPECT_EQ(of("127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(of("::1"), "::1");
}

TEST(ReplacedNames, PathsStayBelowOneAnother) {
  ReplacedNames names;
  EXPECT_EQ(names.path("/srv/shop/a.png"), "/srv/name-1/name-2.png");
  EXPECT_EQ(names.path("/srv/shop"), "/srv/name-1");
  EXPECT_EQ(names.path("/usr/sbin/nginx"), "/usr/sbin/nginx");
  EXPECT_EQ(names.path("/home/ann/bin/nginx"), "/home/name-3/bin/name-4");
  EXPECT_EQ(names.path("/system.slice/shop.service"), "/system.slice/name-5.service");
  EXPECT_EQ(names.mount_source("192.0.2.9:/images"), "10.0.1.0:/name-6");
  EXPECT_EQ(names.mount_source("filer.example:/images"), "host-1:/name-6");
  EXPECT_EQ(names.mount_source("tmpfs"), "tmpfs");
}

TEST(ReplacedNames, PodsKeepTheNamesOfTheirControllers) {
  ReplacedNames names;
  EXPECT_EQ(names.pod_name("shop-6484d4b457-847gl"), "workload-1-6484d4b457-847gl");
  EXPECT_EQ(names.pod_name("db-0"), "workload-2-0");
  EXPECT_EQ(names.pod_name("single"), "pod-1");
  const std::string id(64, 'a');
  EXPECT_EQ(names.container_id(id).size(), 64U);
  EXPECT_NE(names.container_id(id), id);
  EXPECT_EQ(names.container_id(id).find_first_not_of("0123456789abcdef"), std::string::npos);
}

TEST(ReplacedNames, TextHasNoOtherNames) {
  ReplacedNames names;
  EXPECT_EQ(names.name("web-host", "host"), "host-1");
  EXPECT_EQ(names.text("cannot open /srv/shop/x (192.0.2.7): web-host is gone."),
            "cannot open /srv/name-1/name-2 (10.0.1.0): host-1 is gone.");
}

// Members whose texts say nothing about whose host it is.
const std::set<std::string> kKept = {
    "schema", "kernel",       "scan_method", "protocol",     "held_by", "runtime",        "comm",
    "state",  "syscall",      "stack",       "type",         "link",    "tracing",        "route",
    "cookie", "netns_cookie", "daemon_comm", "daemon_state", "exe",     "counters_source"};

// Texts that are the same in both, by the member that they are in.
void same_texts(const json& before, const json& after, const std::string& member,
                std::set<std::string>& same) {
  if (before.is_string()) {
    const auto text = before.get<std::string>();
    const bool is_harmless = text.empty() || text == "0.0.0.0" || text == "::";
    if (before == after && !is_harmless && !kKept.contains(member)) {
      same.insert(member + ": " + text);
    }
  } else if (before.is_object()) {
    for (const auto& [key, value] : before.items()) {
      if (after.contains(key)) same_texts(value, after.at(key), key, same);
    }
  } else if (before.is_array()) {
    for (std::size_t i = 0; i < before.size() && i < after.size(); ++i) {
      same_texts(before[i], after[i], member, same);
    }
  }
}

facts::Observation golden(const std::string& name) {
  const auto text = read_file(ACCEPTQ_SOURCE_DIR "/tests/golden/inputs/" + name);
  auto observation = text ? facts::observation_from_json(*text) : fail(text.error());
  EXPECT_TRUE(observation) << observation.error().message();
  return std::move(*observation);
}

class Redacted : public testing::TestWithParam<const char*> {};

TEST_P(Redacted, NoNameOfTheHostIsLeft) {
  facts::Observation before = golden(GetParam());
  before.after.translations = {{.netns = NetnsId(7),
                                .address = *facts::IpAddress::parse("192.0.2.7"),
                                .port = 30080,
                                .to_address = *facts::IpAddress::parse("198.51.100.7"),
                                .to_port = 80,
                                .to_netns = {},
                                .connections = 3}};
  const facts::Observation after = redacted(before);
  std::set<std::string> same;
  same_texts(json::parse(facts::to_json(before)), json::parse(facts::to_json(after)), "", same);
  EXPECT_THAT(same, IsEmpty());
  EXPECT_NE(before.after.host.name, after.after.host.name);
  EXPECT_EQ(before.samples.size(), after.samples.size());
  EXPECT_EQ(before.accept_evidence.acceptors.size(), after.accept_evidence.acceptors.size());
  EXPECT_EQ(before.after.listeners.size(), after.after.listeners.size());
  EXPECT_EQ(facts::observation_from_json(facts::to_json(after)), after);
}

INSTANTIATE_TEST_SUITE_P(Recordings, Redacted, testing::Values("seed-why.json", "seed-step1.json"));

}  // namespace
}  // namespace acceptq::bundle
