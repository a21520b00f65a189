// Addresses and ports as ss and netstat write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "facts/address.h"

namespace acceptq::imports {

struct Endpoint {
  facts::IpAddress address;
  std::uint16_t port = 0;
  std::optional<std::string> device;
  bool star = false;  // "*": any address, of IPv4 or of both families, as the version of ss has it
};

// "0.0.0.0:80", "*:http", ":::80", "[::]:443", "127.0.0.53%lo:53", "*%eth0:68". Nothing where the
// address is a host's name other than localhost, or the port a name that is not well known.
[[nodiscard]] std::optional<Endpoint> parse_endpoint(std::string_view text);

// Whether it is what a listener has for its peer: "*:*", "0.0.0.0:*", "[::]:*", ":::*".
[[nodiscard]] bool is_any_peer(std::string_view text);

}  // namespace acceptq::imports
