// An IPv4 or IPv6 address, in network byte order.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace acceptq::facts {

class IpAddress {
 public:
  // 0.0.0.0.
  IpAddress() = default;
  [[nodiscard]] static IpAddress v4(std::span<const std::uint8_t, 4> bytes);
  [[nodiscard]] static IpAddress v6(std::span<const std::uint8_t, 16> bytes);
  // Dotted quad or RFC 5952 text, without brackets or zone; nothing where it is neither.
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);

  [[nodiscard]] bool is_v6() const { return is_v6_; }
  [[nodiscard]] bool is_unspecified() const;
  [[nodiscard]] bool is_loopback() const;  // 127.0.0.0/8, ::1
  // The IPv4 address that an IPv6 socket shows as ::ffff:a.b.c.d; any other as it is.
  [[nodiscard]] IpAddress unmapped() const;
  // Its 4 or 16 bytes.
  [[nodiscard]] std::span<const std::uint8_t> bytes() const;
  [[nodiscard]] std::string to_string() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  bool is_v6_ = false;
  std::array<std::uint8_t, 16> bytes_{};
};

// "10.0.0.5:80", "[::1]:443".
[[nodiscard]] std::string host_and_port(const IpAddress& address, std::uint16_t port);

}  // namespace acceptq::facts
