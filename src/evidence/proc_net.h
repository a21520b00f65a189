// Listeners from /proc/net/tcp, tcp6 and unix: the fallback where sock_diag has no handler for the
// family. They show the length of the accept queue but no limit (`ss` prints 0 then), no drops and
// no cookie (net/ipv4/tcp_ipv4.c, get_tcp4_sock; net/unix/af_unix.c, unix_seq_show). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "facts/listener.h"

namespace acceptq::evidence {

// One of the files: its name below /proc/PID/net, what it lists, what it leaves out, and its
// parser. Lines of sockets that do not listen are passed over; kMalformed, with the line's number,
// for a line that is none of the file's. Namespace and owners are left empty.
struct ProcNetFile {
  const char* name;
  const char* what;
  const char* lacks;
  Result<std::vector<facts::Listener>> (*parse)(std::string_view text);
};

[[nodiscard]] Result<std::vector<facts::Listener>> parse_proc_net_tcp(std::string_view text);
// One line of it, below the head; empty for a socket that does not listen.
[[nodiscard]] Result<std::optional<facts::Listener>> parse_proc_net_tcp_line(std::string_view text);
// The local address and port of a handshake that is not complete; nothing for any other line. Those
// of IPv4 are in `tcp`, also where a listener of IPv6 has them (net/ipv4/tcp_ipv4.c, get_openreq4;
// from 4.4 on such requests are among the sockets).
[[nodiscard]] std::optional<std::pair<facts::IpAddress, std::uint16_t>> parse_proc_net_request(
    std::string_view text);
[[nodiscard]] Result<std::vector<facts::Listener>> parse_proc_net_unix(std::string_view text);

inline constexpr ProcNetFile kProcNetTcp{"tcp", "TCP listeners", "limits and drops",
                                         parse_proc_net_tcp};
inline constexpr ProcNetFile kProcNetTcp6{"tcp6", "TCP listeners", "limits and drops",
                                          parse_proc_net_tcp};
// Of Unix queues not even the length is shown: the limit is null and the length 0. A name may hold
// newlines; a line that is none of the file's is taken for the rest of the name before it.
inline constexpr ProcNetFile kProcNetUnix{"unix", "Unix listeners", "lengths and limits",
                                          parse_proc_net_unix};

}  // namespace acceptq::evidence
