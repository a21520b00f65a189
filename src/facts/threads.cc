#include "facts/threads.h"

#include <algorithm>
#include <array>
#include <utility>

namespace acceptq::facts {

std::string_view accept_link_name(AcceptLink link) {
  static constexpr std::string_view kNames[kAcceptLinks] = {"accept", "poll", "epoll", "owner"};
  return kNames[static_cast<std::size_t>(link)];
}

std::string_view polled_name(Polled polled) {
  static constexpr std::string_view kNames[kPolledKinds] = {"nothing", "pipes", "connections",
                                                            "clients"};
  return kNames[static_cast<std::size_t>(polled)];
}

bool has_names(std::string_view filesystem_type) {
  return filesystem_type != "sockfs" && filesystem_type != "pipefs" &&
         filesystem_type != "anon_inodefs";
}

void add_when(std::size_t part, std::uint32_t looks, std::vector<std::uint32_t>& when) {
  if (when.size() <= part) when.resize(part + 1);
  when[part] += looks;
}

void coarsen(std::vector<std::uint32_t>& when) {
  for (std::size_t i = 0; i < when.size(); ++i) {
    if (i % 2 == 0) {
      when[i / 2] = when[i];
    } else {
      when[i / 2] += when[i];
    }
  }
  when.resize((when.size() + 1) / 2);
}

bool is_polling(const Wait& wait) {
  constexpr std::array<std::string_view, 4> kCalls = {"poll", "ppoll", "select", "pselect6"};
  return wait.syscall && std::ranges::find(kCalls, *wait.syscall) != kCalls.end();
}

bool waits_by_epoll(const Wait& wait) {
  return wait.syscall && wait.syscall->starts_with("epoll_");
}

bool is_about_socket(const Wait& wait) { return wait.target && wait.target->type == "sockfs"; }

void add_blocked(BlockedTime more, ExactTime& time) {
  const auto known = std::ranges::find_if(time.blocked, [&](const BlockedTime& each) {
    return each.state == more.state && each.syscall == more.syscall && each.stack == more.stack;
  });
  if (known == time.blocked.end()) {
    time.blocked.push_back(std::move(more));
  } else {
    known->ns += more.ns;
    known->times += more.times;
    if (more.woken) known->woken = known->woken.value_or(0) + *more.woken;
  }
}

}  // namespace acceptq::facts
