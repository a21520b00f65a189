// Clients made by hand: every packet that reaches the listener is one that the test has sent, so
// the test knows to the last packet what the kernel should have counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "base/unique_fd.h"
#include "support/netns.h"

namespace acceptq::test {

enum class IpVersion { kV4, kV6 };

// One client: an address and a port of its own, and how far its handshake has come.
struct TunClient {
  std::uint32_t number = 0;  // 10.9.0.0 + number, or fd09:: with it at the end; port 1024 + number
  std::uint16_t port = 0;
  std::uint32_t isn = 0;
  std::uint32_t server_isn = 0;  // of the last SYN-ACK
  int synacks = 0;
  int resets = 0;
};

// The clients behind a TUN device of the namespace, whose listeners they reach as 10.8.0.1 and
// fd08::1. Packets pass through the kernel's own receive path; nobody answers for the clients.
class TunClients {
 public:
  // Aborts where there is no /dev/net/tun; see has_tun().
  TunClients(const TestNetns& ns, std::uint16_t port, IpVersion version = IpVersion::kV4);

  // A new client's SYN, with one byte of data if that is wanted (TCP Fast Open).
  TunClient& connect(bool with_data = false);
  [[nodiscard]] std::vector<TunClient*> connect_many(int count);
  void repeat_syn(const TunClient& client);
  void send_ack(const TunClient& client);        // the final ACK
  void send_data(const TunClient& client);       // … with one byte
  void send_fin(const TunClient& client);        // … of a client that hangs up
  void send_stray_ack(const TunClient& client);  // one with a wrong number
  void send_reset(const TunClient& client);
  void send_stray_reset(const TunClient& client);  // out of the window of its request
  void send_unreachable(const TunClient& client);  // an ICMP error for the last SYN-ACK
  // A new client's packet that begins no connection: TH_RST, TH_FIN, 0 …
  TunClient& send_unasked(std::uint8_t flags, bool with_data = false);

  // Takes in what the kernel has sent until nothing came for `quiet`.
  void receive(std::chrono::milliseconds quiet = std::chrono::milliseconds(50));
  // The same, once each of these has its SYN-ACK; a busy kernel handles a packet when it gets to
  // it.
  void receive_answers(const std::vector<TunClient*>& clients);

  [[nodiscard]] std::uint64_t packets_sent() const { return packets_sent_; }

 private:
  enum class Way { kToServer, kToClient };
  TunClient& add_client();
  [[nodiscard]] std::vector<std::uint8_t> ip_header(const TunClient& client, std::uint8_t protocol,
                                                    std::size_t payload, Way way) const;
  void deliver(const TunClient& client, std::uint8_t protocol, std::vector<std::uint8_t> payload,
               std::size_t checksum_at);
  void send(const TunClient& client, std::uint8_t flags, std::uint32_t seq, std::uint32_t ack,
            bool with_data = false);
  void take(const std::uint8_t* packet, std::size_t size);

  UniqueFd tun_;
  std::uint16_t port_;
  IpVersion version_;
  std::uint16_t first_port_;
  std::map<std::uint32_t, TunClient> clients_;
  std::uint64_t packets_sent_ = 0;
};

[[nodiscard]] bool has_tun();

}  // namespace acceptq::test
