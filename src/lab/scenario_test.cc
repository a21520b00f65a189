#include "lab/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "base/file.h"

namespace acceptq::lab {
namespace {

using testing::HasSubstr;

constexpr const char* kHead =
    "name: t\ntitle: T\nnamespaces: {pod: {addresses: 10.77.0.2/24}}\n"
    "servers: {s: {namespace: pod, command: [sleep, 9], files: {f: x}}}\n"
    "storage: {d: {open_ms: 5}}\n"
    "loads: {l: {namespace: pod, address: 10.77.0.2, port: 80}}\n";

Result<Scenario> parse_steps(const std::string& steps) {
  return parse_scenario(kHead + ("steps:\n" + steps), "t.yaml");
}

TEST(Scenario, EveryShippedOneParses) {
  const std::filesystem::path folder = std::filesystem::path(ACCEPTQ_SOURCE_DIR) / "scenarios";
  int seen = 0;
  for (const std::filesystem::directory_entry& entry :
       std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_directory()) continue;
    const Result<std::string> text = read_file(entry.path());
    ASSERT_TRUE(text) << entry.path();
    const Result<Scenario> scenario = parse_scenario(*text, entry.path().filename());
    ASSERT_TRUE(scenario) << scenario.error().message();
    EXPECT_EQ(scenario->name, entry.path().stem().string());
    ++seen;
  }
  EXPECT_GE(seen, 20);
}

TEST(Scenario, ReadsEveryKindOfStep) {
  const Result<Scenario> scenario = parse_steps(
      "- say: hello\n"
      "- start: s\n"
      "- signal: {server: s, signal: STOP, to: main}\n"
      "- sysctl: {namespace: pod, name: net.core.somaxconn, value: 8096}\n"
      "- edit: {server: s, file: f, replace: x, with: y}\n"
      "- storage: {name: d, read_ms: 7, stalled: true}\n"
      "- load: {name: l, rate: 2.5}\n"
      "- wait: {seconds: 1}\n"
      "- wait: {namespace: pod, port: 80, at_least: 9, within: 3}\n"
      "- run: {namespace: pod, command: [ip, a]}\n"
      "- show: {namespace: pod, port: 80}\n"
      "- show_sysctl: {name: net.core.somaxconn, namespaces: [pod]}\n"
      "- diagnose: {namespace: pod, port: 80, expect: {findings: AQ101, no_findings: [AQ2]}}\n"
      "- stop: s\n");
  ASSERT_TRUE(scenario) << scenario.error().message();
  ASSERT_EQ(scenario->steps.size(), 14U);
  EXPECT_EQ(scenario->steps[0].line, 8);
  const auto& signal = std::get<SignalStep>(scenario->steps[2].action);
  EXPECT_EQ(signal.signal, SIGSTOP);
  EXPECT_FALSE(signal.whole_group);
  const auto& storage = std::get<StorageStep>(scenario->steps[5].action);
  EXPECT_FALSE(storage.open_ms);
  EXPECT_EQ(storage.read_ms, 7U);
  EXPECT_EQ(storage.stalled, true);
  const auto& wait = std::get<WaitStep>(scenario->steps[8].action);
  EXPECT_EQ(wait.condition, QueueCondition::kAtLeast);
  EXPECT_EQ(wait.length, 9U);
  const auto& diagnose = std::get<DiagnoseStep>(scenario->steps[12].action);
  EXPECT_EQ(diagnose.expect.must, std::vector<std::string>{"AQ101"});
  EXPECT_EQ(diagnose.expect.must_not, std::vector<std::string>{"AQ2"});
}

TEST(Scenario, SaysWhichCgroupsAServerNeeds) {
  const Result<Scenario> scenario = parse_scenario(
      "name: t\ntitle: T\nnamespaces: {n: }\nstorage: {d: {}}\n"
      "groups: {pod: {cpu_quota: 0.5}, other: {}}\n"
      "servers:\n"
      "  a: {namespace: n, command: x, group: pod}\n"
      "  b: {namespace: n, command: x, group: other}\n"
      "  c: {namespace: n, command: x}\n"
      "  d: {namespace: n, command: x, cpu_quota: 1}\n"
      "steps:\n"
      "- freeze: {group: other}\n"
      "- thaw: {server: c}\n"
      "- signal: {storage: d, signal: STOP}\n",
      "t.yaml");
  ASSERT_TRUE(scenario) << scenario.error().message();
  std::string needs;
  for (const ServerSpec& server : scenario->servers) {
    const CgroupNeed need = cgroup_need(*scenario, server);
    needs += server.name + (need.cpu ? " cpu" : "") + (need.freezer ? " freezer" : "") + "\n";
  }
  EXPECT_EQ(needs, "a cpu\nb freezer\nc freezer\nd cpu\n");
  EXPECT_TRUE(std::get<FreezeStep>(scenario->steps[0].action).freeze);
  EXPECT_FALSE(std::get<FreezeStep>(scenario->steps[1].action).freeze);
  EXPECT_EQ(std::get<SignalStep>(scenario->steps[2].action).storage, "d");
}

struct Bad {
  const char* steps;
  const char* error;
};

TEST(Scenario, SaysWhereAndWhy) {
  const Bad cases[] = {
      {"- jump: 3\n", "t.yaml:8:3: step: unknown key \"jump\""},
      {"- start: other\n", "names \"other\", which this scenario does not define"},
      {"- wait: {secs: 1}\n", "wait: \"namespace\" is missing"},
      {"- wait: {seconds: soon}\n", "t.yaml:8:19: wait: \"seconds\" must be a number"},
      {"- wait: {seconds: 1, seconds: 2}\n", "is there twice"},
      {"- wait: {namespace: pod, port: 80, within: 2}\n", "must be full or empty"},
      {"- wait: {namespace: pod, port: 80, within: 2, queue: full, at_least: 3}\n",
       "t.yaml:8:70: wait: \"at_least\" cannot go with \"queue\": choose"},
      {"- {say: a, start: s}\n", "a step has one key"},
      {"- sysctl: {namespace: pod, name: kernel.panic, value: 1}\n", "below net."},
      {"- sysctl: {namespace: pod, name: net/../kernel/panic, value: 1}\n", "below net."},
      {"- edit: {server: s, file: g, replace: x, with: y}\n", "not among the server's files"},
      {"- signal: {server: s, signal: SEGV}\n", "must be STOP"},
      {"- signal: {storage: e, signal: STOP}\n", "names \"e\", which this scenario does not"},
      {"- signal: {server: s, storage: d, signal: STOP}\n", "unknown key \"server\""},
      {"- freeze: {group: g}\n", "names \"g\", which this scenario does not define"},
      {"- thaw: {}\n", "thaw: \"server\" is missing"},
      {"- show: {namespace: pod, port: 65536}\n", "from 1 to 65535"},
      {"- diagnose: {namespace: pod, port: 80, expect: {verdit: x}}\n", "unknown key \"verdit\""},
      {"- [a]\n", "step must be a map"},
      {"- say: [a]\n", "\"say\" must be text"},
      {"- \"\n", "t.yaml:"},
  };
  for (const Bad& bad : cases) {
    const Result<Scenario> scenario = parse_steps(bad.steps);
    ASSERT_FALSE(scenario) << bad.steps;
    EXPECT_EQ(scenario.error().code, ErrorCode::kMalformed);
    EXPECT_THAT(scenario.error().context, HasSubstr(bad.error)) << bad.steps;
  }
}

TEST(Scenario, ExpectsOnlyWhatAcceptqCanSay) {
  const Bad cases[] = {
      {"verdict: overflowin",
       "t.yaml:9:19: expect: \"verdict\" must be one of overflowing, slow, "
       "dropped_elsewhere, failing, at_risk, unknown, overflowed, healthy, not \"overflowin\""},
      {"limit_set_by: app",
       "t.yaml:9:24: expect: \"limit_set_by\" must be one of somaxconn, application, kernel, "
       "acceptq, unknown, not \"app\""},
      {"findings: AQ1", "t.yaml:9:20: expect: \"findings\" must hold one of AQ101, AQ102, "},
      {"findings: [AQ101, AQ999]", "t.yaml:9:28: expect: \"findings\" must hold one of AQ101, "},
      {"no_findings: [AQ1, AQ9]",
       "t.yaml:9:29: expect: \"no_findings\" must hold the whole or the beginning of one of AQ101"},
      {"no_findings: [\"\"]", "not \"\""},
      {"cause: io", "t.yaml:9:17: expect: \"cause\" must be none, or hold some of stopped, "},
      {"cause: [stopped, none]", "t.yaml:9:27: expect: \"cause\" must be none, or hold some of "},
  };
  for (const Bad& bad : cases) {
    const Result<Scenario> scenario =
        parse_steps(std::string("- diagnose: {namespace: pod, port: 80, expect: {\n         ") +
                    bad.steps + "}}\n");
    ASSERT_FALSE(scenario) << bad.steps;
    EXPECT_THAT(scenario.error().context, HasSubstr(bad.error)) << bad.steps;
  }
  for (const char* good : {"verdict: at_risk", "limit_set_by: kernel", "findings: [AQ101, AQ609]",
                           "no_findings: [AQ, AQ1, AQ10, AQ101]", "cause: none", "cause: io.fuse",
                           "cause: [sleep, unknown]"}) {
    EXPECT_TRUE(parse_steps(std::string("- diagnose: {namespace: pod, port: 80, expect: {") + good +
                            "}}\n"))
        << good;
  }
}

TEST(Scenario, RejectsHostileText) {
  EXPECT_FALSE(parse_scenario("", "x"));
  EXPECT_FALSE(parse_scenario("[]", "x"));
  EXPECT_FALSE(parse_scenario("name: x\ntitle: y\n", "x"));
  EXPECT_FALSE(parse_scenario(std::string(100'000, '['), "x"));
  EXPECT_FALSE(parse_scenario(std::string(2U << 20, 'a'), "x"));
  EXPECT_FALSE(
      parse_scenario("name: x\ntitle: y\nnamespaces: {\"../x\": }\nsteps: [say: a]\n", "x"));
  EXPECT_FALSE(parse_scenario("? {a: b}\n: c\n", "x"));
  EXPECT_FALSE(parse_scenario("a: &a [*a]\n", "x"));
  EXPECT_FALSE(parse_scenario(
      "name: x\ntitle: y\nnamespaces: {p: {addresses: 10.0.0.1}}\nsteps: [say: a]\n", "x"));
}

}  // namespace
}  // namespace acceptq::lab
