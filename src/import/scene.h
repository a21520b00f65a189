// One network namespace for as long as its listeners were the same sockets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "facts/namespace.h"
#include "import/recognise.h"

namespace acceptq::imports {

// A block and the text that it is in.
struct Placed {
  const Block* block = nullptr;
  std::string file;
  // Of two texts nothing tells the time between them.
  std::size_t text = 0;
};

struct PlacedSetting {
  Setting setting;
  std::string at;  // "ticket.txt:12"
  std::size_t order = 0;
};

struct Scene {
  std::string context;
  std::vector<Placed> tables;
  std::vector<Placed> counters;
  std::vector<PlacedSetting> settings;
  std::size_t first_table = 0;         // its place in the order of all blocks
  bool superseded = false;             // the next one is of the same namespace, later
  std::vector<Placed> configs;         // of servers in it
  std::vector<std::string> addresses;  // of its interfaces
};

// "ticket.txt:12".
[[nodiscard]] std::string place(const std::string& file, std::uint32_t line);

// Whether blocks of it are of one place, whatever headings stand between them: a name says so, and
// no prompt that every container of busybox has.
[[nodiscard]] bool names_one(const std::string& context);

// What tells a listener from others in every table, whatever columns it has: its address, port and
// device, or its path.
[[nodiscard]] std::string socket_of(const facts::Listener& listener);

// The value in force for the listeners of a scene, and what to say where there were several.
struct Chosen {
  std::optional<std::int64_t> value;
  std::string doubt;  // empty: none
};

// `of_name`: what was pasted of one sysctl, in order; `limits`: of the scene's TCP listeners.
[[nodiscard]] Chosen choose_value(const std::string& name,
                                  const std::vector<PlacedSetting>& of_name,
                                  std::size_t first_table, const std::vector<std::int64_t>& limits);

// Blocks of one context, cut where a listener has another limit than before: listen() fixes it, so
// it is another socket.
[[nodiscard]] std::vector<Scene> scenes_of(const std::string& context,
                                           const std::vector<Placed>& blocks);

}  // namespace acceptq::imports
