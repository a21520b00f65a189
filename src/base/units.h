// Numbers that must not be mixed: a queue's length is not its limit, a namespace's inode is not a
// socket's. Each is an explicit type around the bare number; arithmetic goes through value().
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace acceptq {

template <typename Tag, typename Rep>
class Strong {
 public:
  using rep = Rep;
  constexpr Strong() = default;
  constexpr explicit Strong(Rep value) : value_(value) {}
  [[nodiscard]] constexpr Rep value() const { return value_; }
  friend constexpr auto operator<=>(const Strong&, const Strong&) = default;

 private:
  Rep value_{};
};

// Inode of a network namespace (the number in net:[4026531840]).
using NetnsId = Strong<struct NetnsIdTag, std::uint64_t>;
// Inode of a socket, as in /proc/PID/fd's socket:[48213].
using SocketInode = Strong<struct SocketInodeTag, std::uint64_t>;
// The kernel's 64-bit socket cookie: unique from boot to boot, 0 where it is not known.
using SocketCookie = Strong<struct SocketCookieTag, std::uint64_t>;
// Process id (thread group id), as seen from the PID namespace that acceptq runs in.
using Pid = Strong<struct PidTag, std::int32_t>;
// Entries waiting in a queue now.
using QueueLength = Strong<struct QueueLengthTag, std::uint32_t>;
// The bound that the kernel compares a queue's length with (sk_max_ack_backlog).
using QueueLimit = Strong<struct QueueLimitTag, std::uint32_t>;

}  // namespace acceptq

template <typename Tag, typename Rep>
struct std::hash<acceptq::Strong<Tag, Rep>> {
  std::size_t operator()(const acceptq::Strong<Tag, Rep>& strong) const noexcept {
    return std::hash<Rep>{}(strong.value());
  }
};
