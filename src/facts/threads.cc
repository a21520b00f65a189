#include "facts/threads.h"

#include <algorithm>
#include <array>

namespace acceptq::facts {

std::string_view accept_link_name(AcceptLink link) {
  static constexpr std::string_view kNames[kAcceptLinks] = {"accept", "poll", "epoll", "owner"};
  return kNames[static_cast<std::size_t>(link)];
}

bool is_polling(const Wait& wait) {
  constexpr std::array<std::string_view, 4> kCalls = {"poll", "ppoll", "select", "pselect6"};
  return wait.syscall && std::ranges::find(kCalls, *wait.syscall) != kCalls.end();
}

}  // namespace acceptq::facts
