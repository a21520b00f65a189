// A scenario: what is built (namespaces, storage, servers, load), what happens to it step by step,
// and what a right diagnosis must say. docs/lab-scenarios.md describes the file format.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "diagnose/cause_kind.h"
#include "facts/address.h"

namespace acceptq::lab {

struct NamespaceSpec {
  std::string name;
  std::vector<std::string> addresses;  // "10.77.0.2/24"; those with any join the scenario's bridge
  std::map<std::string, std::string> sysctls;  // dotted names, all below net.
};

struct StorageSpec {
  std::string name;
  unsigned open_ms = 0;
  unsigned read_ms = 0;
  bool direct_io = false;
  std::map<std::string, std::uint64_t> files;  // name → size in bytes
};

// A cgroup around those of its servers, as a pod has one around its containers'.
struct GroupSpec {
  std::string name;
  std::optional<double> cpu_quota;  // cores, for all of its servers together
};

struct ServerSpec {
  std::string name;
  std::string netns;
  std::string group;  // empty: in none
  std::vector<std::string> command;
  std::vector<std::string> needs;            // other programs that it starts, as a shell does
  std::map<std::string, std::string> files;  // written into the server's directory
  std::map<std::string, std::string> environment;
  std::uint16_t ready_port = 0;  // 0: ready once it runs
  double ready_within_s = 5;
  std::optional<double> cpu_quota;  // cores
  std::optional<std::uint64_t> open_files;
};

struct LoadSpec {
  std::string name;
  std::string netns;
  facts::IpAddress address;
  std::uint16_t port = 0;
  std::uint32_t concurrency = 4000;
  std::chrono::milliseconds timeout{5000};
  std::chrono::milliseconds hold{0};
  std::string send;
  bool expect_reply = false;
  std::vector<facts::IpAddress> sources;
};

// What a diagnosis must say; whatever is empty is not checked.
struct Expect {
  std::optional<std::string> verdict;
  std::vector<std::string> must;      // finding ids
  std::vector<std::string> must_not;  // finding ids; "AQ1" stands for all that begin so
  std::optional<std::uint32_t> limit;
  std::optional<std::string> limit_set_by;
  std::optional<std::string> owner;  // comm of a process that holds the listener
  // Of these kinds one; the first is the true one, where it matters. Empty: not checked.
  std::vector<diagnose::CauseKind> causes;
  bool no_cause = false;
};

struct SayStep {
  std::string text;
};
enum class ServerAction { kStart, kStop, kRestart };
struct ServerStep {
  ServerAction action = ServerAction::kStart;
  std::string server;
};
// To a server or to the daemon of a storage; the other name is empty.
struct SignalStep {
  std::string server;
  std::string storage;
  int signal = 0;
  bool whole_group = true;  // else its first process only
};
// A server or a group; the other name is empty.
struct FreezeStep {
  bool freeze = true;  // else thaw
  std::string server;
  std::string group;
};
struct SysctlStep {
  std::string netns;
  std::string name;
  std::string value;
};
// Replaces a piece of a server's file; it takes effect as the server decides (restart, reload).
struct EditStep {
  std::string server;
  std::string file;
  std::string replace;
  std::string with;
};
struct StorageStep {
  std::string storage;
  std::optional<unsigned> open_ms;
  std::optional<unsigned> read_ms;
  std::optional<bool> stalled;
};
struct LoadStep {
  std::string load;
  double rate_per_s = 0;  // 0 ends it
};
enum class QueueCondition { kFull, kEmpty, kAtLeast };
struct WaitStep {
  double seconds = 0;  // to wait, or at most to wait for the queue
  std::string netns;   // empty: no queue is waited for
  std::uint16_t port = 0;
  QueueCondition condition = QueueCondition::kFull;
  std::uint32_t length = 0;  // of kAtLeast
};
struct RunStep {
  std::string netns;
  std::vector<std::string> command;
};
struct ShowStep {
  std::string netns;
  std::uint16_t port = 0;
  double seconds = 1;  // over which rates are measured
  std::string note;    // may hold @length@, @limit@, @accept_rate@, @wait@, @overflows@
};
struct ShowSysctlStep {
  std::string name;
  std::vector<std::string> namespaces;
};
struct DiagnoseStep {
  std::string netns;
  std::uint16_t port = 0;
  double seconds = 2;
  Expect expect;
};

using Action =
    std::variant<SayStep, ServerStep, SignalStep, FreezeStep, SysctlStep, EditStep, StorageStep,
                 LoadStep, WaitStep, RunStep, ShowStep, ShowSysctlStep, DiagnoseStep>;

struct Step {
  int line = 0;  // in the file, from 1
  Action action;
};

struct Scenario {
  std::string name;
  std::string title;
  std::string description;
  double timeout_s = 120;  // for the whole run
  std::vector<NamespaceSpec> namespaces;
  std::vector<StorageSpec> storage;
  std::vector<GroupSpec> groups;
  std::vector<ServerSpec> servers;
  std::vector<LoadSpec> loads;
  std::vector<Step> steps;
};

// Which cgroups are needed.
struct CgroupNeed {
  bool cpu = false;
  bool freezer = false;
};
[[nodiscard]] CgroupNeed cgroup_need(const Scenario& scenario, const ServerSpec& server);
// The group that a server is in; null where it is in none.
[[nodiscard]] const GroupSpec* group_of(const Scenario& scenario, const ServerSpec& server);

// Reads a scenario. Fails with kMalformed and "FILE:LINE:COLUMN: reason" for text that is not YAML,
// an unknown or repeated key, a value of the wrong type or out of range, a name that the scenario
// does not define, and a word to expect that acceptq never says. `file_name` only serves messages.
[[nodiscard]] Result<Scenario> parse_scenario(std::string_view text, const std::string& file_name);

}  // namespace acceptq::lab
