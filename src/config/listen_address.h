// An address to listen on, as configurations write it, and whether a listener is at it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "facts/listener.h"

namespace acceptq::config {

struct ListenAddress {
  bool any = false;                         // no address, or '*'
  std::optional<facts::IpAddress> address;  // empty with a name that only a resolver knows
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 0;  // the same, but for a range of ports
  std::string unix_path;        // else empty

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

// "80", "*:80", ":80", "127.0.0.1:80", "[::1]:80", "::1:80" (the last colon counts), "8000-8010",
// "unix:/run/x", "/run/x", "localhost:80". A text without a port has `default_port`; one that is a
// number is a port. Nothing for any other text, and for a port that is missing or out of range.
[[nodiscard]] std::optional<ListenAddress> parse_listen_address(
    std::string_view text, std::optional<std::uint16_t> default_port = std::nullopt);

enum class Match { kNo, kMaybe, kYes };

// kMaybe: the port fits and the address is a name, which is not resolved here. `any` fits 0.0.0.0
// and ::.
[[nodiscard]] Match match(const ListenAddress& address, const facts::Listener& listener);

// "0.0.0.0:80", "unix:/run/x": the listener in an error's words.
[[nodiscard]] std::string endpoint_text(const facts::Listener& listener);

}  // namespace acceptq::config
