#include "config/listen_address.h"

#include "base/text.h"

namespace acceptq::config {
namespace {

struct Ports {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};

std::optional<Ports> parse_ports(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = parse_int<std::uint16_t>(text.substr(0, dash));
  const auto last =
      dash == std::string_view::npos ? first : parse_int<std::uint16_t>(text.substr(dash + 1));
  if (!first || !last || *first == 0 || *last < *first) return std::nullopt;
  return Ports{*first, *last};
}

// Where the host ends: at a colon behind brackets, else at the last one, unless all of the text is
// an IPv6 address.
std::size_t host_end(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    return bracket == std::string_view::npos ? bracket : text.find(':', bracket);
  }
  return text.rfind(':');
}

}  // namespace

std::optional<ListenAddress> parse_listen_address(std::string_view text,
                                                  std::optional<std::uint16_t> default_port) {
  ListenAddress listen;
  constexpr std::string_view kUnix = "unix:";
  if (text.starts_with(kUnix)) text.remove_prefix(kUnix.size());
  if (text.starts_with('/')) {
    listen.unix_path = text;
    return listen;
  }
  std::string_view host = text;
  std::optional<Ports> ports = parse_ports(text);
  if (ports) {
    host = {};
  } else if (const std::size_t end = host_end(text); end != std::string_view::npos) {
    host = text.substr(0, end);
    ports = parse_ports(text.substr(end + 1));
    if (!ports) return std::nullopt;
  } else if (default_port) {
    ports = Ports{*default_port, *default_port};
  }
  if (!ports) return std::nullopt;
  listen.first_port = ports->first;
  listen.last_port = ports->last;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  listen.any = host.empty() || host == "*";
  if (!listen.any) listen.address = facts::IpAddress::parse(host);
  return listen;
}

Match match(const ListenAddress& address, const facts::Listener& listener) {
  const bool is_unix = listener.protocol == facts::Protocol::kUnix;
  if (is_unix || !address.unix_path.empty()) {
    return is_unix && address.unix_path == listener.path ? Match::kYes : Match::kNo;
  }
  if (listener.port < address.first_port || listener.port > address.last_port) return Match::kNo;
  if (address.any) return listener.address.is_unspecified() ? Match::kYes : Match::kNo;
  if (!address.address) return Match::kMaybe;
  const bool same = address.address->unmapped() == listener.address.unmapped();
  return same ? Match::kYes : Match::kNo;
}

std::string endpoint_text(const facts::Listener& listener) {
  return listener.protocol == facts::Protocol::kUnix
             ? "unix:" + listener.path
             : facts::host_and_port(listener.address, listener.port);
}

}  // namespace acceptq::config
