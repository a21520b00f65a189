// The lab runs its scenarios as they say, and leaves nothing behind, however it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "support/child.h"
#include "support/netns.h"
#include "support/traffic.h"

namespace acceptq::test {
namespace {

using testing::ContainsRegex;

constexpr const char* kProgram = ACCEPTQ_BINARY_DIR "/acceptq";

// A scenario in a file of its own, which goes with the object.
class ScenarioFile {
 public:
  explicit ScenarioFile(const std::string& text)
      : path_(testing::TempDir() + "acceptq-lab-test." + std::to_string(::getpid()) + ".yaml") {
    std::ofstream(path_) << text;
  }
  ScenarioFile(const ScenarioFile&) = delete;
  ScenarioFile& operator=(const ScenarioFile&) = delete;
  ~ScenarioFile() { ::unlink(path_.c_str()); }

  [[nodiscard]] Output run() const { return run_program({kProgram, "lab", "run", path_}); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A server that listens on port 8080 with a backlog of 5, and what goes before `steps`.
std::string with_web_server(const std::string& steps) {
  return "name: t\ntitle: T\ntimeout: 30\nnamespaces: {pod: }\n"
         "servers: {web: {namespace: pod, command: [python3, -m, http.server, \"8080\"],"
         " ready_port: 8080, ready_within: 20}}\n"
         "steps:\n" +
         steps;
}

class LabTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_unshare()) GTEST_SKIP() << "needs root, to make network namespaces";
    if (::access("/dev/fuse", R_OK | W_OK) != 0) GTEST_SKIP() << "there is no /dev/fuse";
    // Whatever a lab leaves behind becomes a child of this process.
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  }
};

// The parent of a process; 0 where it has gone, or is dead and only not waited for.
pid_t living_parent(pid_t pid) {
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat").value_or("");
  const std::size_t name_end = stat.rfind(") ");
  if (name_end == std::string::npos || stat[name_end + 2] == 'Z') return 0;
  return static_cast<pid_t>(std::strtol(stat.c_str() + name_end + 4, nullptr, 10));
}

// Processes below this one whose command line names the lab's own folder or program. Others may run
// labs on this host, too.
std::size_t processes_of_the_lab() {
  std::size_t count = 0;
  const std::string found = run_program({"pgrep", "-f", "acceptq-slowfs|/mnt/server-"}).out;
  for (const std::string_view word : split_blank(found)) {
    pid_t pid = parse_int<pid_t>(word).value_or(0);
    while (pid > 1 && pid != ::getpid()) pid = living_parent(pid);
    if (pid == ::getpid()) ++count;
  }
  return count;
}

// The lab's network is in a namespace of its own; on the host there is nothing of its names.
void expect_no_network_of_the_lab() {
  EXPECT_NE(run_program({"ip", "link", "show", "labbridge"}).exit_code, 0);
}

void expect_nothing_left() {
  EXPECT_TRUE(eventually([] { return processes_of_the_lab() == 0; }));
  const Result<std::string> mounts = read_file("/proc/self/mountinfo");
  ASSERT_TRUE(mounts.has_value());
  // The lab's own: somebody else's slow file system is none of it.
  EXPECT_EQ(mounts->find(" /mnt/storage-"), std::string::npos);
  EXPECT_EQ(mounts->find("acceptq-lab"), std::string::npos);
}

TEST_F(LabTest, SeedWalksTheArticleAndIsDiagnosedRight) {
  const Output output =
      run_program({kProgram, "lab", "run", ACCEPTQ_SOURCE_DIR "/scenarios/seed.yaml"});
  EXPECT_EQ(output.exit_code, 0) << output.out << output.err;
  // A full queue swings between the limit and one more, as single connections are accepted.
  EXPECT_THAT(output.out, ContainsRegex("12[89] of 128, full"));
  EXPECT_THAT(output.out, ContainsRegex("51[12] of 511: full again"));
  EXPECT_NE(output.out.find("3 diagnoses, all as expected"), std::string::npos) << output.out;
  expect_nothing_left();
}

// Where other work leaves nginx no core it does lose connections, and the report says why (AQ303).
TEST_F(LabTest, HealthyGivesNoAlarm) {
  constexpr int kMostTries = 5;
  Output output;
  for (int i = 0; i < kMostTries; ++i) {
    output = run_program({kProgram, "lab", "run", ACCEPTQ_SOURCE_DIR "/scenarios/healthy.yaml"});
    if (output.out.find("AQ303") == std::string::npos) break;
  }
  EXPECT_EQ(output.exit_code, 0) << output.out << output.err;
  expect_nothing_left();
}

TEST_F(LabTest, NothingIsLeftWhenItIsKilled) {
  for (const int signal : {SIGKILL, SIGINT}) {
    const Background lab({kProgram, "lab", "run", ACCEPTQ_SOURCE_DIR "/scenarios/seed.yaml"});
    ASSERT_TRUE(eventually([] { return processes_of_the_lab() >= 2; }));  // storage and nginx
    ::kill(lab.pid(), signal);
    expect_nothing_left();
  }
}

TEST_F(LabTest, StepsOnOneLineAreStepsOfTheirOwn) {
  const ScenarioFile scenario(with_web_server(
      "  [start: web,"
      " diagnose: {namespace: pod, port: 8080, seconds: 0.1, expect: {limit: 5}},"
      " diagnose: {namespace: pod, port: 8080, seconds: 0.1, expect: {limit: 6}}]\n"));
  const Output output = scenario.run();
  EXPECT_EQ(output.exit_code, 1) << output.out << output.err;
  EXPECT_NE(output.out.find("NOT AS EXPECTED: limit: expected 6, got 5"), std::string::npos)
      << output.out;
  EXPECT_NE(output.out.find("2 diagnoses, NOT ALL"), std::string::npos) << output.out;
  expect_nothing_left();
}

TEST_F(LabTest, LoadsSayWhatTheirClientsLivedThrough) {
  const std::string text = with_web_server(
      "- start: web\n"
      "- load: {name: some, rate: 20}\n"
      "- wait: {seconds: 0.5}\n"
      "- load: {name: some, rate: 0}\n"
      "- load: {name: some, rate: 40}\n"
      "- wait: {seconds: 0.5}\n");
  const Output output =
      ScenarioFile("loads: {some: {namespace: pod, address: 127.0.0.1, port: 8080}}\n" + text)
          .run();
  EXPECT_EQ(output.exit_code, 0) << output.out << output.err;
  EXPECT_NE(output.out.find("load some at 20 a second: "), std::string::npos) << output.out;
  EXPECT_NE(output.out.find("load some at 40 a second: "), std::string::npos) << output.out;
  EXPECT_NE(output.out.find(" connected at once"), std::string::npos) << output.out;
  expect_nothing_left();
}

// A copy of the program has no acceptq-slowfs beside it.
TEST_F(LabTest, OnlyStorageNeedsTheSlowFileSystem) {
  const std::string folder = testing::TempDir() + "acceptq-lab-test." + std::to_string(::getpid());
  std::filesystem::create_directories(folder + "/bin");
  const std::string copy = folder + "/bin/acceptq";
  std::filesystem::copy_file(kProgram, copy);
  const ScenarioFile without("name: t\ntitle: T\nsteps: [say: hello]\n");
  const Output fine = run_program({copy, "lab", "run", without.path()});
  EXPECT_EQ(fine.exit_code, 0) << fine.out << fine.err;
  const ScenarioFile with("name: t\ntitle: T\nstorage: {d: {}}\nsteps: [say: hello]\n");
  const Output output = run_program({copy, "lab", "run", with.path()});
  std::filesystem::remove_all(folder);
  EXPECT_EQ(output.exit_code, 2) << output.out << output.err;
  EXPECT_NE(output.err.find("acceptq-slowfs is not beside"), std::string::npos) << output.err;
}

// Groups that are the lab's, of every hierarchy.
std::vector<std::string> cgroups_of(pid_t lab) {
  const std::string found = run_program({"find", "/sys/fs/cgroup", "-maxdepth", "2", "-name",
                                         "acceptq-lab-" + std::to_string(lab) + "-*"})
                                .out;
  std::vector<std::string> paths;
  for (const std::string_view path : split_blank(found)) paths.emplace_back(path);
  return paths;
}

// Whether there are groups of labs that run no more. Others' labs have groups, too.
bool has_cgroups_of_ended_labs() {
  constexpr std::string_view kPrefix = "acceptq-lab-";
  const std::string found =
      run_program({"find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", "acceptq-lab-*"}).out;
  return std::ranges::any_of(split_blank(found), [&](std::string_view path) {
    const std::string_view name = path.substr(path.rfind('/') + 1).substr(kPrefix.size());
    const auto lab = parse_int<pid_t>(name.substr(0, name.find('-')));
    return lab && ::kill(*lab, 0) != 0;
  });
}

// A cgroup without a CPU controller, or none, is the host's lack.
bool may_limit_cpu() {
  const std::string name = "/acceptq-lab-test-" + std::to_string(::getpid());
  for (const std::string mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/cpu"}) {
    if (::mkdir((mount + name).c_str(), 0755) != 0) continue;
    const bool has_quota = ::access((mount + name + "/cpu.max").c_str(), W_OK) == 0 ||
                           ::access((mount + name + "/cpu.cfs_quota_us").c_str(), W_OK) == 0;
    ::rmdir((mount + name).c_str());
    if (has_quota) return true;
  }
  return false;
}

std::uint64_t times_throttled(const std::string& cgroup) {
  const std::string stat = read_file(cgroup + "/cpu.stat").value_or("");
  const std::size_t at = stat.find("nr_throttled ");
  return at == std::string::npos ? 0 : std::strtoull(stat.c_str() + at + 13, nullptr, 10);
}

TEST_F(LabTest, ACpuQuotaThrottlesAndIsCleanedUp) {
  if (!may_limit_cpu()) GTEST_SKIP() << "no cgroup controller cpu can be used";
  const auto scenario = [](const char* seconds) {
    return std::string(
               "name: t\ntitle: T\nnamespaces: {pod: }\n"
               "servers: {spin: {namespace: pod, cpu_quota: 0.05,"
               " command: [sh, -c, \"while :; do :; done # /mnt/server-spin\"]}}\n"
               "steps:\n- start: spin\n- wait: {seconds: ") +
           seconds + "}\n";
  };
  const ScenarioFile endless(scenario("60"));
  for (const int signal : {SIGKILL, SIGINT}) {
    const Background lab({kProgram, "lab", "run", endless.path()});
    ASSERT_TRUE(eventually([&] { return !cgroups_of(lab.pid()).empty(); }));
    const std::string cgroup = cgroups_of(lab.pid()).front();
    EXPECT_TRUE(eventually([&] { return times_throttled(cgroup) > 0; })) << cgroup;
    ::kill(lab.pid(), signal);
    EXPECT_TRUE(eventually([&] { return cgroups_of(lab.pid()).empty(); }));
    expect_nothing_left();
  }
  const ScenarioFile brief(scenario("0.2"));
  const Output output = brief.run();
  EXPECT_EQ(output.exit_code, 0) << output.out << output.err;
  EXPECT_TRUE(eventually([] { return !has_cgroups_of_ended_labs(); }));
}

TEST_F(LabTest, AScoreCountsAndKeepsWhatItSaw) {
  const std::string folder = testing::TempDir() + "acceptq-lab-score." + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder + "/" + name + ".yaml")
        << "name: " << name << text.substr(text.find('\n'));
  };
  const auto diagnoses = [](const char* expect) {
    return std::string("- diagnose: {namespace: pod, port: 8080, seconds: 0.1, expect: {") +
           expect + "}}\n";
  };
  // An idle server; what is wrong with it is nothing.
  write("a-right", with_web_server("- start: web\n" + diagnoses("cause: none, owner: python3") +
                                   diagnoses("cause: none")));
  write("b-unlabelled", with_web_server("- start: web\n" + diagnoses("limit: 5")));
  write("c-unknown", with_web_server("- start: web\n" + diagnoses("cause: lock")));
  write("d-alien",
        "name: t\ntitle: T\nnamespaces: {pod: }\n"
        "servers: {x: {namespace: pod, command: acceptq-no-such}}\n"
        "steps:\n- start: x\n" +
            diagnoses("cause: lock"));
  write("e-failed", with_web_server("- stop: web\n" + diagnoses("cause: lock")));
  const std::string recordings = folder + "/kept";
  const Output output = run_program({kProgram, "lab", "score", folder, "--recordings", recordings});
  EXPECT_EQ(output.exit_code, 1) << output.err;
  EXPECT_EQ(
      output.out,
      "a-right                   right    expected none, given none\n"
      "a-right                   right    expected none, given none\n"
      "c-unknown                 unknown  expected lock, given none\n"
      "d-alien                   skipped: acceptq-no-such is not installed\n"
      "e-failed                  failed: scenario e-failed: the step in line 7: server web does "
      "not run\n"
      "\n"
      "                  given\n"
      "expected          none\n"
      "lock                 1\n"
      "none                 2\n"
      "\n"
      "2 right, 1 unknown, 0 wrong; 1 failed; 1 skipped\n");
  const Output replayed =
      run_program({kProgram, "check", ":8080", "--all", "--from", recordings + "/a-right-2.json"});
  EXPECT_NE(replayed.out.find("0.0.0.0:8080"), std::string::npos) << replayed.out << replayed.err;

  const Output json = run_program({kProgram, "lab", "score", folder + "/a-right.yaml", "--json"});
  EXPECT_EQ(json.exit_code, 0) << json.out << json.err;
  EXPECT_NE(json.out.find("\"schema\": \"acceptq.lab_score/1\""), std::string::npos) << json.out;
  std::filesystem::remove_all(folder);
  expect_nothing_left();
}

// v1's freezer lets not even SIGKILL end a process.
TEST_F(LabTest, WhatIsFrozenIsThawedAndCleanedUp) {
  const auto scenario = [](const char* steps) {
    return std::string(
               "name: t\ntitle: T\nnamespaces: {pod: }\n"
               "groups: {g: {}}\n"
               "servers:\n"
               "  own: {namespace: pod, command: [sh, -c, \"sleep 99 # /mnt/server-own\"]}\n"
               "  inner: {namespace: pod, group: g,"
               " command: [sh, -c, \"sleep 99 # /mnt/server-inner\"]}\n"
               "steps:\n- start: own\n- start: inner\n"
               "- freeze: {server: own}\n- freeze: {group: g}\n- say: all frozen\n") +
           steps;
  };
  const ScenarioFile brief(scenario("- thaw: {server: own}\n- stop: inner\n- stop: own\n"));
  const Output output = brief.run();
  if (output.err.find("no cgroup file system") != std::string::npos) GTEST_SKIP() << output.err;
  EXPECT_EQ(output.exit_code, 0) << output.out << output.err;
  expect_nothing_left();

  const ScenarioFile endless(scenario("- wait: {seconds: 60}\n"));
  for (const int signal : {SIGKILL, SIGINT}) {
    const Background lab({kProgram, "lab", "run", endless.path()});
    ASSERT_TRUE(eventually([&] { return cgroups_of(lab.pid()).size() >= 2; }));
    ASSERT_TRUE(eventually([&] {
      const auto groups = cgroups_of(lab.pid());
      return std::ranges::all_of(groups, [](const std::string& group) {
        return read_file(group + "/freezer.state").value_or("") == "FROZEN\n" ||
               read_file(group + "/cgroup.freeze").value_or("") == "1\n";
      });
    }));
    ::kill(lab.pid(), signal);
    EXPECT_TRUE(eventually([&] { return cgroups_of(lab.pid()).empty(); }));
    expect_nothing_left();
  }
}

// A scenario with storage, a server and load at work when a step cannot be done.
std::string failing(const std::string& command, const std::string& steps) {
  return "name: t\ntitle: T\nnamespaces: {pod: }\nstorage: {d: {open_ms: 1}}\n"
         "servers:\n"
         "  good: {namespace: pod, command: [sh, -c, \"sleep 99 # /mnt/server-good\"]}\n"
         "  bad: {namespace: pod, command: " +
         command +
         ", ready_port: 80, ready_within: 60}\n"
         "loads: {l: {namespace: pod, address: 127.0.0.1, port: 80}}\n"
         "steps:\n- start: good\n- load: {name: l, rate: 5}\n" +
         steps;
}

TEST_F(LabTest, AStepThatFailsMidwayEndsTheRunAndLeavesNothing) {
  struct Case {
    std::string scenario;
    const char* error;
  };
  const Case cases[] = {
      {failing("[sh, -c, \"echo no such option >&2; exit 1\"]", "- start: bad\n"),
       "acceptq: scenario t: the step in line 12: server bad ended before it listened on port 80; "
       "it wrote: no such option"},
      {failing("[\"true\"]", "- start: bad\n"), "on port 80, and wrote nothing"},
      {failing("[acceptq-no-such]", "- start: bad\n"), "line 12: starting acceptq-no-such"},
      {failing("[\"true\"]", "- stop: bad\n"), "line 12: server bad does not run"},
      {failing("[\"true\"]",
               "- run: {namespace: pod, command: [sh, -c, \"echo why >&2; exit 9\"]}\n"),
       "failed: why"},
      {failing("[\"true\"]", "- sysctl: {namespace: pod, name: net.core.no_such, value: 1}\n"),
       "opening /proc/sys/net/core/no_such"},
      {failing("[\"true\"]", "- wait: {namespace: pod, port: 80, queue: full, within: 0.2}\n"),
       "not as it should be after 0.2 s (nothing listens)"},
  };
  for (const Case& c : cases) {
    const Output output = ScenarioFile(c.scenario).run();
    EXPECT_EQ(output.exit_code, 2) << output.out << output.err;
    EXPECT_NE(output.err.find(c.error), std::string::npos) << output.err << c.scenario;
    expect_no_network_of_the_lab();
    expect_nothing_left();
  }
}

TEST_F(LabTest, ProgramsMayWriteAnything) {
  const ScenarioFile scenario(
      with_web_server("- run: {namespace: pod, command: [sh, -c, \"head -c 200000 /dev/zero\"]}\n"
                      "- run: {namespace: pod, command: [printf, '\\377\\376']}\n"
                      "- say: the end\n"));
  const Output output = scenario.run();
  EXPECT_EQ(output.exit_code, 0) << output.err;
  EXPECT_NE(output.out.find("the end"), std::string::npos);
}

TEST_F(LabTest, AServerIsStartedOnce) {
  const ScenarioFile twice(with_web_server("- start: web\n- start: web\n"));
  const Output output = twice.run();
  EXPECT_EQ(output.exit_code, 2) << output.out << output.err;
  EXPECT_NE(output.err.find("the step in line 8: server web runs already; stop it first"),
            std::string::npos)
      << output.err;
  expect_nothing_left();

  const ScenarioFile again(
      with_web_server("- start: web\n"
                      "- signal: {server: web, signal: KILL}\n"
                      "- wait: {seconds: 0.3}\n"
                      "- start: web\n"
                      "- restart: web\n"
                      "- stop: web\n"
                      "- start: web\n"));
  const Output fine = again.run();
  EXPECT_EQ(fine.exit_code, 0) << fine.out << fine.err;
  expect_nothing_left();
}

TEST_F(LabTest, AStepThatFailsNamesItsLine) {
  const Output output = run_program({kProgram, "lab", "run", "/nonexistent.yaml"});
  EXPECT_EQ(output.exit_code, 2);
  EXPECT_NE(output.err.find("nonexistent"), std::string::npos);
}

}  // namespace
}  // namespace acceptq::test
