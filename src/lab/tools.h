// The numbers of `ss` and `nstat`: the lab shows what these say, not what acceptq says, so that the
// two can be compared. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace acceptq::lab {

struct QueueLine {
  std::uint32_t length = 0;  // Recv-Q; the longest where several sockets share the port
  std::uint32_t limit = 0;   // Send-Q, of the same socket
  std::string text;          // the line as printed
};

// `ss -Hlnt`: the fullest listener on `port`; nothing where none listens on it.
[[nodiscard]] std::optional<QueueLine> parse_ss(std::string_view text, std::uint16_t port);

// `nstat -asz`: "Name  value  rate" lines below a "#" header. Lines of another form are left out.
[[nodiscard]] std::map<std::string, std::uint64_t> parse_nstat(std::string_view text);

}  // namespace acceptq::lab
