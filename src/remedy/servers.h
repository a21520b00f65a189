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

struct Server {
  std::string name;
  std::vector<std::string> comm;  // names of its processes; '*' at the end stands for anything
  std::optional<std::uint32_t> default_backlog;  // empty: depends, or asks for somaxconn
  std::string key;                               // its own setting; empty: there is none
  std::string example;                           // that setting, written out
  ApplyBy apply = ApplyBy::kRestart;
  std::string source;     // where the facts are from
  bool verified = false;  // the default was seen in a test of this project
};

// Parses the table; kMalformed with the line's number for an unknown column, apply rule or number.
[[nodiscard]] Result<std::vector<Server>> parse_servers(std::string_view csv);

// The compiled-in table.
[[nodiscard]] std::span<const Server> known_servers();

// What a process may be by its name, and by the limit of its listener.
struct ServerMatch {
  // Null where no row has the name. Of several (nginx, OpenResty; all that runs in one interpreter)
  // the first, which is the most general, unless only one other has the limit as its default.
  const Server* server = nullptr;
  // Where the first has another default, and several others have this one: those.
  std::vector<const Server*> alike;
};

[[nodiscard]] ServerMatch find_server(const facts::Process& process,
                                      std::optional<std::uint32_t> limit);

}  // namespace acceptq::remedy
