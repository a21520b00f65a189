// A change of a live listener's limit as acceptq's journal keeps it: one file of
// /run/acceptq/resizes for each socket, gone with a reboot, as the change is. docs/formats.md
// describes the form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "facts/author.h"
#include "facts/snapshot.h"

namespace acceptq::facts {

inline constexpr const char* kResizeSchema = "acceptq.resize/1";
// The journal's folder below /run.
inline constexpr const char* kResizeFolder = "acceptq/resizes";

// Of net.core.somaxconn, where it had to be raised.
struct RaisedSysctl {
  std::int64_t before = 0;
  std::int64_t raised_to = 0;
  bool put_back = false;  // false as well while the change is under way

  friend bool operator==(const RaisedSysctl&, const RaisedSysctl&) = default;
};

struct Resize {
  // Which socket.
  std::string boot_id;
  NetnsId netns;
  std::optional<std::uint64_t> netns_cookie;
  IpAddress address;
  std::uint16_t port = 0;
  bool mptcp = false;
  SocketCookie cookie;  // Listener's
  SocketInode inode;
  std::vector<Pid> pids;  // that held it then

  // What was changed, by whom, when and why.
  QueueLimit before;  // the server's own, however often it was resized
  QueueLimit after;
  bool done = false;  // false: begun, and never heard of again
  std::optional<RaisedSysctl> somaxconn;
  std::int64_t realtime_ns = 0;
  Author author;
  std::string why;

  friend bool operator==(const Resize&, const Resize&) = default;
};

[[nodiscard]] std::string to_json(const Resize& resize);
// kMalformed with the place, as observation_from_json().
[[nodiscard]] Result<Resize> resize_from_json(std::string_view text);

// "4026532567-bae1.json"; one for each socket of a boot.
[[nodiscard]] std::string resize_file_name(const Listener& listener);

// The change of just this socket, whatever its limit is now; null where there is none.
[[nodiscard]] const Resize* find_resize(const std::vector<Resize>& resizes, const Host& host,
                                        const Namespace* ns, const Listener& listener);

// Notes in each listener whose limit is what acceptq gave it what it was before
// (Listener::resized_from).
void mark_resized(const std::vector<Resize>& resizes, Snapshot& snapshot);

}  // namespace acceptq::facts
