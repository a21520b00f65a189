// The table of known servers: their default backlog, the key that sets it, and what makes them call
// listen() again. servers.csv is its source; it is compiled in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "facts/process.h"

namespace acceptq::remedy {

enum class ApplyBy { kReload, kRestart };

// What a server's own bound is on: kWorkers where each serves one connection at a time.
enum class CapCounts { kConnections, kWorkers };

struct Server {
  std::string name;
  std::vector<std::string> comm;  // names of its processes; '*' at the end stands for anything
  std::optional<std::uint32_t> default_backlog;  // empty: depends, or asks for somaxconn
  bool asks_somaxconn = false;                   // by default it asks for all that somaxconn allows
  std::string key;                               // its own setting; empty: there is none
  std::string example;  // that setting, written out, with the places of ExampleValues
  // Its own bound on connections or on those who serve them: there it accepts no more.
  std::string cap;
  std::optional<CapCounts> cap_counts;        // empty without a cap
  std::optional<std::uint32_t> limit_at_cap;  // its listener's then, where it changes that
  // It sizes its tables by the limit of descriptors that it is started with: a higher one that it
  // is given later does not help, or lets it write past their end (memcached 1.6).
  bool descriptors_at_start = false;
  // Settings that bound how long a client may say nothing; empty: unknown.
  std::string idle_timeouts;
  std::string when_busy;  // a sentence or two: what lets it have more cores; empty: unknown
  ApplyBy apply = ApplyBy::kRestart;
  std::string source;     // where the facts are from
  bool verified = false;  // the default was seen in a test of this project
};

// Parses the table; kMalformed with the line's number for an unknown column, apply rule or number.
[[nodiscard]] Result<std::vector<Server>> parse_servers(std::string_view csv);

// The compiled-in table.
[[nodiscard]] std::span<const Server> known_servers();

// What a process is by its name: by that of the program that it runs, else its own (comm), else its
// executable's; of busybox by "busybox httpd". Where no row has any of these, by the language of
// its executable: "(go)".
struct ServerMatch {
  // The first row of that name, which is the most general. Null where no row has it, or where the
  // name is an interpreter's, which may run any of many servers.
  const Server* server = nullptr;
  // The row is that of any program of its language, whose name is not that of the server.
  bool by_language = false;
  // Other rows of the same name whose default the limit is: a guess, no more.
  std::vector<const Server*> alike;
};

[[nodiscard]] ServerMatch find_server(const facts::Process& process,
                                      std::optional<std::uint32_t> limit);

// What the places of an example stand for: {endpoint}, {port}, {n} and {half} of that.
struct ExampleValues {
  std::string endpoint;               // "0.0.0.0:80"
  std::optional<std::uint16_t> port;  // a Unix socket has none
  std::uint32_t backlog = 0;
};

// The example with the listener's own values; empty where one of them is missing.
[[nodiscard]] std::string fill_example(const Server& server, const ExampleValues& values);

}  // namespace acceptq::remedy
