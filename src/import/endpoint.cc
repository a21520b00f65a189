#include "import/endpoint.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace acceptq::imports {
namespace {

// Names of /etc/services that ss and netstat write for ports of TCP unless told not to (-n).
constexpr std::array<std::pair<std::string_view, std::uint16_t>, 61> kServices = {{
    {"ftp", 21},
    {"ssh", 22},
    {"telnet", 23},
    {"smtp", 25},
    {"domain", 53},
    {"gopher", 70},
    {"finger", 79},
    {"http", 80},
    {"www", 80},
    {"kerberos", 88},
    {"pop3", 110},
    {"sunrpc", 111},
    {"auth", 113},
    {"nntp", 119},
    {"ntp", 123},
    {"netbios-ssn", 139},
    {"imap2", 143},
    {"imap", 143},
    {"snmp", 161},
    {"bgp", 179},
    {"ldap", 389},
    {"https", 443},
    {"microsoft-ds", 445},
    {"submissions", 465},
    {"urd", 465},
    {"login", 513},
    {"shell", 514},
    {"printer", 515},
    {"submission", 587},
    {"ipp", 631},
    {"ldaps", 636},
    {"domain-s", 853},
    {"rsync", 873},
    {"imaps", 993},
    {"pop3s", 995},
    {"socks", 1080},
    {"openvpn", 1194},
    {"ms-sql-s", 1433},
    {"oracle", 1521},
    {"mqtt", 1883},
    {"nfs", 2049},
    {"docker", 2375},
    {"docker-s", 2376},
    {"etcd-client", 2379},
    {"etcd-server", 2380},
    {"mysql", 3306},
    {"ms-wbt-server", 3389},
    {"svn", 3690},
    {"epmd", 4369},
    {"postgresql", 5432},
    {"amqps", 5671},
    {"amqp", 5672},
    {"x11", 6000},
    {"redis", 6379},
    {"ircd", 6667},
    {"afs3-fileserver", 7000},
    {"http-alt", 8080},
    {"tproxy", 8081},
    {"webcache", 8080},
    {"munin", 4949},
    {"zabbix-agent", 10050},
}};

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (const auto number = parse_int<std::uint16_t>(text)) return number;
  const auto* known = std::ranges::find(kServices, text, &decltype(kServices)::value_type::first);
  if (known == kServices.end()) return std::nullopt;
  return known->second;
}

}  // namespace

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  Endpoint endpoint{.port = *port};
  std::string host(text.substr(0, colon));
  // "[fe80::1]%eth0", "[fe80::1%eth0]", "127.0.0.53%lo".
  if (const std::size_t percent = host.find('%'); percent != std::string::npos) {
    std::string device = host.substr(percent + 1);
    host.erase(percent);
    if (device.ends_with(']')) device.pop_back();
    if (host.starts_with('[') && !host.ends_with(']')) host += ']';
    if (device.empty()) return std::nullopt;
    endpoint.device = device;
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (host == "*") {
    endpoint.star = true;
  } else if (host == "localhost") {
    endpoint.address = *facts::IpAddress::parse("127.0.0.1");
  } else if (host == "ip6-localhost" || host == "localhost6") {
    endpoint.address = *facts::IpAddress::parse("::1");
  } else if (const auto address = facts::IpAddress::parse(host)) {
    endpoint.address = *address;
  } else {
    return std::nullopt;
  }
  return endpoint;
}

bool is_any_peer(std::string_view text) {
  return text == "*:*" || text == "0.0.0.0:*" || text == "[::]:*" || text == ":::*";
}

}  // namespace acceptq::imports
