#include "support/tun_clients.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "support/require.h"
#include "support/traffic.h"

namespace acceptq::test {
namespace {

constexpr const char* kDevice = "acqtun";
constexpr std::uint32_t kServerV4 = 0x0a080001;
constexpr std::uint32_t kClientsV4 = 0x0a090000;
// Addresses and ports tell attempts apart: no two objects of one program share a port.
std::uint16_t next_first_port() {
  constexpr std::uint16_t kFirst = 10000;
  constexpr std::uint16_t kClients = 1024;
  static std::uint16_t objects = 0;
  return static_cast<std::uint16_t>(kFirst + kClients * (objects++ % 50));
}

struct in6_ifreq_ {  // struct in6_ifreq of linux/ipv6.h, whose header clashes with libc's
  in6_addr address;
  std::uint32_t prefix;
  int index;
};

in6_addr v6_address(std::uint16_t net, std::uint32_t number) {
  in6_addr address{};
  address.s6_addr[0] = static_cast<std::uint8_t>(net >> 8);
  address.s6_addr[1] = static_cast<std::uint8_t>(net);
  const std::uint32_t low = htonl(number);
  std::memcpy(&address.s6_addr[12], &low, sizeof low);
  return address;
}

in6_addr server_v6() { return v6_address(0xfd08, 1); }
in6_addr client_v6(std::uint32_t number) { return v6_address(0xfd09, number); }

void add_addresses() {
  const UniqueFd v4(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(static_cast<char*>(request.ifr_name), kDevice, IFNAMSIZ - 1);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(kServerV4);
  std::memcpy(&request.ifr_addr, &address, sizeof address);
  require(::ioctl(v4.get(), SIOCSIFADDR, &request) == 0, "SIOCSIFADDR");
  address.sin_addr.s_addr = htonl(0xff000000);  // 10.0.0.0/8 is behind the device
  std::memcpy(&request.ifr_netmask, &address, sizeof address);
  require(::ioctl(v4.get(), SIOCSIFNETMASK, &request) == 0, "SIOCSIFNETMASK");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  require(::ioctl(v4.get(), SIOCSIFFLAGS, &request) == 0, "SIOCSIFFLAGS");
  const UniqueFd v6(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  in6_ifreq_ v6_request{
      .address = server_v6(), .prefix = 8, .index = static_cast<int>(::if_nametoindex(kDevice))};
  require(::ioctl(v6.get(), SIOCSIFADDR, &v6_request) == 0, "SIOCSIFADDR, IPv6");
}

// The kernel takes an IPv6 address into use some moments after it was added: it first takes the
// mark "tentative" away, and then adds the route by which packets to it are its own
// (addrconf_dad_begin(), addrconf_dad_completed(), net/ipv6/addrconf.c).
bool v6_is_ready() {
  const Result<std::string> text = read_file("/proc/thread-self/net/ipv6_route");
  require(text.has_value(), "/proc/thread-self/net/ipv6_route");
  constexpr unsigned kLocal = 0x80000000;  // RTF_LOCAL
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::vector<std::string_view> fields = split_blank(next_line(rest));
    if (fields.size() < 10 || !fields[0].starts_with("fd08") || fields[1] != "80") continue;
    const auto flags = parse_int<unsigned>(fields[8], 16);
    if (flags && (*flags & kLocal) != 0) return true;
  }
  return false;
}

std::uint32_t sum_of(const std::uint8_t* at, std::size_t size, std::uint32_t sum) {
  for (std::size_t i = 0; i + 1 < size; i += 2) {
    sum += static_cast<std::uint32_t>(at[i] << 8 | at[i + 1]);
  }
  if (size % 2 == 1) sum += static_cast<std::uint32_t>(at[size - 1] << 8);
  return sum;
}

std::uint16_t folded(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<std::uint16_t>(~sum));
}

}  // namespace

bool has_tun() { return ::access("/dev/net/tun", R_OK | W_OK) == 0; }

TunClients::TunClients(const TestNetns& ns, std::uint16_t port, IpVersion version)
    : port_(port), version_(version), first_port_(next_first_port()) {
  ns.set("net/ipv6/conf/default/accept_dad", "0");
  ns.run([this] {
    tun_ = UniqueFd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    require(tun_.valid(), "/dev/net/tun");
    ifreq request{};
    std::strncpy(static_cast<char*>(request.ifr_name), kDevice, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    require(::ioctl(tun_.get(), TUNSETIFF, &request) == 0, "TUNSETIFF");
    add_addresses();
    require(eventually(v6_is_ready), "the IPv6 address of the TUN device");
  });
}

TunClient& TunClients::add_client() {
  const auto number = static_cast<std::uint32_t>(clients_.size() + 1);
  TunClient& client = clients_[number];
  client.number = number;
  client.port = static_cast<std::uint16_t>(first_port_ + number);
  static std::uint32_t isn = 0;  // an attempt is known by it: no two in one program
  client.isn = isn += 0x10000;
  return client;
}

TunClient& TunClients::connect(bool with_data) {
  TunClient& client = add_client();
  send(client, TH_SYN, client.isn, 0, with_data);
  return client;
}

TunClient& TunClients::send_unasked(std::uint8_t flags, bool with_data) {
  TunClient& client = add_client();
  send(client, flags, client.isn, 0, with_data);
  return client;
}

std::vector<TunClient*> TunClients::connect_many(int count) {
  std::vector<TunClient*> made;
  made.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) made.push_back(&connect());
  return made;
}

void TunClients::repeat_syn(const TunClient& client) { send(client, TH_SYN, client.isn, 0); }

void TunClients::send_ack(const TunClient& client) {
  send(client, TH_ACK, client.isn + 1, client.server_isn + 1);
}

void TunClients::send_data(const TunClient& client) {
  send(client, TH_ACK | TH_PUSH, client.isn + 1, client.server_isn + 1, true);
}

void TunClients::send_fin(const TunClient& client) {
  send(client, TH_ACK | TH_FIN, client.isn + 1, client.server_isn + 1);
}

void TunClients::send_stray_ack(const TunClient& client) {
  send(client, TH_ACK, client.isn + 1, client.server_isn + 0x5000);
}

void TunClients::send_reset(const TunClient& client) { send(client, TH_RST, client.isn + 1, 0); }

void TunClients::send_stray_reset(const TunClient& client) {
  constexpr std::uint32_t kBeyondAnyWindow = 0x100000;
  send(client, TH_RST, client.isn + 1 + kBeyondAnyWindow, 0);
}

void TunClients::send_unreachable(const TunClient& client) {
  const bool v4 = version_ == IpVersion::kV4;
  // Which errors end a request: tcp_v4_err(), icmpv6_err_convert().
  constexpr std::uint8_t kHostUnreachable = 1;
  constexpr std::uint8_t kProhibited = 1;
  std::vector<std::uint8_t> error(8);
  error[0] = v4 ? 3 : 1;  // destination unreachable
  error[1] = v4 ? kHostUnreachable : kProhibited;
  // The beginning of the SYN-ACK that it is about.
  std::vector<std::uint8_t> of = ip_header(client, IPPROTO_TCP, sizeof(tcphdr), Way::kToClient);
  tcphdr tcp{};
  tcp.th_sport = htons(port_);
  tcp.th_dport = htons(client.port);
  tcp.th_seq = htonl(client.server_isn);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&tcp);
  of.insert(of.end(), bytes, bytes + 8);
  error.insert(error.end(), of.begin(), of.end());
  deliver(client, static_cast<std::uint8_t>(v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6}),
          std::move(error), 2);
}

void TunClients::send(const TunClient& client, std::uint8_t flags, std::uint32_t seq,
                      std::uint32_t ack, bool with_data) {
  tcphdr tcp{};
  tcp.th_sport = htons(client.port);
  tcp.th_dport = htons(port_);
  tcp.th_seq = htonl(seq);
  tcp.th_ack = htonl(ack);
  tcp.th_off = sizeof tcp / 4;
  tcp.th_flags = flags;
  tcp.th_win = htons(64240);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&tcp);
  std::vector<std::uint8_t> segment(bytes, bytes + sizeof tcp);
  if (with_data) segment.push_back('x');
  deliver(client, IPPROTO_TCP, std::move(segment), offsetof(tcphdr, th_sum));
}

std::vector<std::uint8_t> TunClients::ip_header(const TunClient& client, std::uint8_t protocol,
                                                std::size_t payload, Way way) const {
  if (version_ == IpVersion::kV4) {
    iphdr ip{};
    ip.version = 4;
    ip.ihl = sizeof ip / 4;
    ip.ttl = 64;
    ip.protocol = protocol;
    ip.tot_len = htons(static_cast<std::uint16_t>(sizeof ip + payload));
    ip.saddr = htonl(kClientsV4 + client.number);
    ip.daddr = htonl(kServerV4);
    if (way == Way::kToClient) std::swap(ip.saddr, ip.daddr);
    std::vector<std::uint8_t> header(sizeof ip);
    std::memcpy(header.data(), &ip, sizeof ip);
    const std::uint16_t check = folded(sum_of(header.data(), header.size(), 0));
    std::memcpy(header.data() + offsetof(iphdr, check), &check, sizeof check);
    return header;
  }
  ip6_hdr ip{};
  ip.ip6_flow = htonl(6U << 28);
  ip.ip6_plen = htons(static_cast<std::uint16_t>(payload));
  ip.ip6_nxt = protocol;
  ip.ip6_hlim = 64;
  ip.ip6_src = client_v6(client.number);
  ip.ip6_dst = server_v6();
  if (way == Way::kToClient) std::swap(ip.ip6_src, ip.ip6_dst);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&ip);
  return {bytes, bytes + sizeof ip};
}

void TunClients::deliver(const TunClient& client, std::uint8_t protocol,
                         std::vector<std::uint8_t> payload, std::size_t checksum_at) {
  std::vector<std::uint8_t> packet = ip_header(client, protocol, payload.size(), Way::kToServer);
  std::uint32_t sum = 0;
  if (protocol != IPPROTO_ICMP) {  // the addresses belong to what is summed
    const bool v4 = version_ == IpVersion::kV4;
    const std::size_t at = v4 ? offsetof(iphdr, saddr) : offsetof(ip6_hdr, ip6_src);
    sum = sum_of(packet.data() + at, v4 ? 8 : 32,
                 protocol + static_cast<std::uint32_t>(payload.size()));
  }
  const std::uint16_t check = folded(sum_of(payload.data(), payload.size(), sum));
  std::memcpy(payload.data() + checksum_at, &check, sizeof check);
  packet.insert(packet.end(), payload.begin(), payload.end());
  require(::write(tun_.get(), packet.data(), packet.size()) == std::ssize(packet),
          "write to the TUN device");
  ++packets_sent_;
}

void TunClients::receive(std::chrono::milliseconds quiet) {
  pollfd ready{.fd = tun_.get(), .events = POLLIN, .revents = 0};
  while (::poll(&ready, 1, static_cast<int>(quiet.count())) > 0) {
    std::array<std::uint8_t, 2048> packet{};
    const ssize_t size = ::read(tun_.get(), packet.data(), packet.size());
    if (size > 0) take(packet.data(), static_cast<std::size_t>(size));
  }
}

void TunClients::receive_answers(const std::vector<TunClient*>& clients) {
  constexpr std::chrono::milliseconds kLook(20);
  static_cast<void>(eventually([&] {
    receive(kLook);
    return std::ranges::all_of(clients, [](const TunClient* each) { return each->synacks > 0; });
  }));
  receive();
}

void TunClients::take(const std::uint8_t* packet, std::size_t size) {
  const bool v6 = packet[0] >> 4 == 6;
  const std::size_t header = v6 ? sizeof(ip6_hdr) : sizeof(iphdr);
  if (size < header + sizeof(tcphdr) || packet[v6 ? 6 : 9] != IPPROTO_TCP) return;
  tcphdr tcp{};
  std::memcpy(&tcp, packet + header, sizeof tcp);
  const auto client = clients_.find(static_cast<std::uint32_t>(ntohs(tcp.th_dport) - first_port_));
  if (client == clients_.end()) return;
  if ((tcp.th_flags & TH_RST) != 0) {
    ++client->second.resets;
  } else if ((tcp.th_flags & TH_SYN) != 0) {
    ++client->second.synacks;
    client->second.server_isn = ntohl(tcp.th_seq);
  }
}

}  // namespace acceptq::test
