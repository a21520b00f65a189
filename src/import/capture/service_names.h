// Ports by the names that tcpdump prints where -n does not keep it from that. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace acceptq::imports::capture {

// "80", "http". The names are those of /etc/services for what servers listen on; nothing for
// others.
[[nodiscard]] std::optional<std::uint16_t> port_of(std::string_view text);

}  // namespace acceptq::imports::capture
