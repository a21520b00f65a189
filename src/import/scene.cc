#include "import/scene.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace acceptq::imports {
namespace {

struct Queue {
  QueueLength length;
  std::optional<QueueLimit> limit;
};
using Queues = std::map<std::string, Queue>;

// By socket, of those that there is one of.
Queues queues_of(const ListenerTable& table) {
  std::map<std::string, int> count;
  Queues queues;
  for (const ListenerRow& row : table.rows) {
    const std::string socket = socket_of(row.listener);
    ++count[socket];
    queues.emplace(socket, Queue{row.listener.accept_queue_len, row.listener.limit});
  }
  std::erase_if(queues, [&](const auto& entry) { return count[entry.first] > 1; });
  return queues;
}

// Whether something that is in both tables is not the same socket: a limit is fixed by listen(). Or
// it may be another host's, where a heading stands between the tables and no time is told.
bool changed(const Queues& before, const Queues& after, bool may_be_another) {
  return std::ranges::any_of(after, [&](const auto& entry) {
    const auto found = before.find(entry.first);
    if (found == before.end()) return false;
    const Queue& earlier = found->second;
    const Queue& now = entry.second;
    const bool other_limit = earlier.limit && now.limit && *earlier.limit != *now.limit;
    return other_limit || (may_be_another && earlier.length != now.length);
  });
}

// Headings tell hosts apart where nothing else does.
bool may_be_another(const std::string& context, const Placed& earlier, const Placed& now) {
  if (names_one(context)) return false;
  const Moment& from = earlier.block->moment;
  const Moment& to = now.block->moment;
  return earlier.text == now.text && !may_be_compared(from, to) && !seconds_between(from, to);
}

}  // namespace

std::string place(const std::string& file, std::uint32_t line) {
  return fmt::format("{}:{}", file, line);
}

bool names_one(const std::string& context) {
  return !context.empty() && !context.starts_with("the container with the prompt");
}

std::string socket_of(const facts::Listener& listener) {
  const bool named = listener.protocol == facts::Protocol::kUnix;
  return fmt::format("{}{} {}{}", named ? "unix " : "tcp ",
                     named ? listener.path : facts::host_and_port(listener.address, listener.port),
                     listener.device.value_or(""), listener.mptcp ? " mptcp" : "");
}

Chosen choose_value(const std::string& name, const std::vector<PlacedSetting>& of_name,
                    std::size_t first_table, const std::vector<std::int64_t>& limits) {
  if (of_name.empty()) return {};
  const auto is = [](std::int64_t value) {
    return [value](const PlacedSetting& one) { return one.setting.value == value; };
  };
  const bool is_somaxconn = name == facts::kSomaxconn;
  const std::int64_t highest = limits.empty() ? 0 : *std::ranges::max_element(limits);
  const auto has_limit = [&](std::int64_t value) {
    return std::ranges::find(limits, value) != limits.end();
  };
  std::string all;
  for (const PlacedSetting& one : of_name) {
    all += fmt::format("{}{} ({})", all.empty() ? "" : ", ", one.setting.value, one.at);
  }
  if (std::ranges::all_of(of_name, is(of_name.front().setting.value))) {
    const std::int64_t value = of_name.front().setting.value;
    // listen() grants no more than somaxconn: it is another namespace's, or of another time.
    if (is_somaxconn && highest > value && !has_limit(value)) {
      return {.doubt =
                  fmt::format("{} is {}, and a listener here has a limit of {}: the value is of "
                              "another namespace or of another time",
                              name, all, highest)};
    }
    return {.value = value};
  }
  if (is_somaxconn) {
    std::vector<std::int64_t> fitting;
    for (const PlacedSetting& one : of_name) {
      const std::int64_t value = one.setting.value;
      if (has_limit(value) && std::ranges::find(fitting, value) == fitting.end()) {
        fitting.push_back(value);
      }
    }
    if (fitting.size() == 1 && fitting.front() >= highest) {
      return {.value = fitting.front(),
              .doubt = fmt::format("{} has several values: {}; {} was taken, which is the limit of "
                                   "a listener here",
                                   name, all, fitting.front())};
    }
  }
  // The last one before the listeners were listed, if they can have been made under it.
  const PlacedSetting* last = nullptr;
  for (const PlacedSetting& one : of_name) {
    if (one.order < first_table) last = &one;
  }
  if (last != nullptr && (!is_somaxconn || last->setting.value >= highest)) {
    return {.value = last->setting.value,
            .doubt = fmt::format("{} has several values: {}; {} was taken, the last one before the "
                                 "listeners were listed",
                                 name, all, last->setting.value)};
  }
  // It is the smaller of somaxconn and the application's own number.
  const bool is_own = is_somaxconn && highest > 0 && !std::ranges::any_of(of_name, is(highest));
  return {.doubt = fmt::format("{} has several values: {}; which of them is in force for these "
                               "listeners is not told{}",
                               name, all,
                               is_own ? fmt::format(", but none is {}, their limit: most likely "
                                                    "their program asks for that",
                                                    highest)
                                      : "")};
}

std::vector<Scene> scenes_of(const std::string& context, const std::vector<Placed>& blocks) {
  std::vector<Scene> scenes(1);
  scenes.back().context = context;
  Queues known;
  std::size_t order = 0;
  for (const Placed& placed : blocks) {
    ++order;
    if (const auto* table = std::get_if<ListenerTable>(&placed.block->piece)) {
      const Queues queues = queues_of(*table);
      const auto& earlier = scenes.back().tables;
      const bool another = !earlier.empty() && may_be_another(context, earlier.back(), placed);
      if (changed(known, queues, another)) {
        scenes.back().superseded = !another;
        scenes.push_back({.context = context});
        known.clear();
      }
      for (const auto& [socket, queue] : queues) known[socket] = queue;
      if (scenes.back().tables.empty()) scenes.back().first_table = order;
      scenes.back().tables.push_back(placed);
    } else if (std::holds_alternative<CounterSample>(placed.block->piece)) {
      scenes.back().counters.push_back(placed);
    }
  }
  for (const Placed& placed : blocks) {
    if (std::holds_alternative<ServerConfig>(placed.block->piece)) {
      for (Scene& scene : scenes) scene.configs.push_back(placed);
    }
    const auto* addresses = std::get_if<Addresses>(&placed.block->piece);
    if (addresses == nullptr) continue;
    for (Scene& scene : scenes) {
      for (const std::string& address : addresses->all) {
        constexpr std::size_t kMost = 64;
        if (scene.addresses.size() < kMost &&
            std::ranges::find(scene.addresses, address) == scene.addresses.end()) {
          scene.addresses.push_back(address);
        }
      }
    }
  }
  // A setting can be of the listeners listed before it or behind it.
  order = 0;
  for (const Placed& placed : blocks) {
    ++order;
    const auto* settings = std::get_if<Settings>(&placed.block->piece);
    if (settings == nullptr) continue;
    for (std::size_t i = 0; i < scenes.size(); ++i) {
      const std::size_t from = i == 0 ? 0 : scenes[i - 1].first_table;
      const std::size_t to = i + 1 < scenes.size() ? scenes[i + 1].first_table : blocks.size() + 1;
      if (order < from || order > to) continue;
      for (const Setting& setting : settings->values) {
        scenes[i].settings.push_back({setting, place(placed.file, placed.block->line), order});
      }
    }
  }
  return scenes;
}

}  // namespace acceptq::imports
