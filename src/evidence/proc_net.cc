#include "evidence/proc_net.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "base/text.h"

namespace acceptq::evidence {
namespace {

constexpr std::string_view kListen = "0A";   // TCP_LISTEN
constexpr std::string_view kRequest = "03";  // TCP_SYN_RECV

tl::unexpected<Error> malformed(const char* file, int line) {
  return fail(ErrorCode::kMalformed,
              fmt::format("/proc/net/{}, line {}: not understood", file, line));
}

struct Endpoint {
  facts::IpAddress address;
  std::uint16_t port = 0;
};

// "0100007F:1F90": the address as one or four 32-bit words in the machine's byte order.
std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon != 8 && colon != 32) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t word = 0; word < colon / 8; ++word) {
    const std::optional<std::uint32_t> value =
        parse_int<std::uint32_t>(text.substr(word * 8, 8), 16);
    if (!value) return std::nullopt;
    std::memcpy(bytes.data() + word * 4, &*value, sizeof *value);
  }
  const std::optional<std::uint16_t> port = parse_int<std::uint16_t>(text.substr(colon + 1), 16);
  if (!port) return std::nullopt;
  const std::span<const std::uint8_t, 16> all(bytes);
  return Endpoint{
      .address = colon == 8 ? facts::IpAddress::v4(all.first<4>()) : facts::IpAddress::v6(all),
      .port = *port};
}

struct UnixSocket {
  bool listens = false;  // a stream socket that does
  SocketInode inode;
  std::string_view name;
};

// "Num: RefCount Protocol Flags Type St Inode Path": Num, or a hash of it, in hexadecimal digits.
std::optional<UnixSocket> parse_unix_line(std::string_view line) {
  constexpr std::uint32_t kAcceptConnections = 0x10000;  // __SO_ACCEPTCON
  const std::vector<std::string_view> fields = split_blank(line);
  if (fields.size() < 7 || !fields[0].ends_with(':')) return std::nullopt;
  const auto number = parse_int<std::uint64_t>(fields[0].substr(0, fields[0].size() - 1), 16);
  const auto flags = parse_int<std::uint32_t>(fields[3], 16);
  const auto inode = parse_int<std::uint64_t>(fields[6]);
  if (!number || !flags || !inode) return std::nullopt;
  UnixSocket socket;
  socket.listens = (*flags & kAcceptConnections) != 0 && fields[4] == "0001";
  socket.inode = SocketInode(*inode);
  // The name may hold blanks: everything from the eighth field to the end of the line.
  if (fields.size() > 7) {
    socket.name = line.substr(static_cast<std::size_t>(fields[7].data() - line.data()));
  }
  return socket;
}

}  // namespace

Result<std::optional<facts::Listener>> parse_proc_net_tcp_line(std::string_view text) {
  // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …
  const auto wrong = fail(ErrorCode::kMalformed, "not understood");
  const std::vector<std::string_view> fields = split_blank(text);
  if (fields.size() < 10) return wrong;
  if (fields[3] != kListen) return std::optional<facts::Listener>();
  const std::optional<Endpoint> local = parse_endpoint(fields[1]);
  const std::vector<std::string_view> queues = split(fields[4], ':');
  const auto uid = parse_int<std::uint32_t>(fields[7]);
  const auto inode = parse_int<std::uint64_t>(fields[9]);
  if (!local || queues.size() != 2 || !uid || !inode) return wrong;
  const auto length = parse_int<std::uint32_t>(queues[1], 16);
  if (!length) return wrong;
  facts::Listener listener;
  listener.address = local->address;
  listener.port = local->port;
  listener.uid = uid;
  listener.inode = SocketInode(*inode);
  listener.accept_queue_len = QueueLength(*length);
  return std::optional(std::move(listener));
}

std::optional<std::pair<facts::IpAddress, std::uint16_t>> parse_proc_net_request(
    std::string_view text) {
  const std::vector<std::string_view> fields = split_blank(text);
  if (fields.size() < 10 || fields[3] != kRequest) return std::nullopt;
  const std::optional<Endpoint> local = parse_endpoint(fields[1]);
  if (!local) return std::nullopt;
  return std::pair(local->address, local->port);
}

Result<std::vector<facts::Listener>> parse_proc_net_tcp(std::string_view text) {
  std::vector<facts::Listener> listeners;
  int line = 0;
  while (!text.empty()) {
    const std::string_view whole = next_line(text);
    ++line;
    if (line == 1 || trim(whole).empty()) continue;  // the head line
    Result<std::optional<facts::Listener>> listener = parse_proc_net_tcp_line(whole);
    if (!listener) return malformed("tcp", line);
    if (*listener) listeners.push_back(std::move(**listener));
  }
  return listeners;
}

Result<std::vector<facts::Listener>> parse_proc_net_unix(std::string_view text) {
  std::vector<facts::Listener> listeners;
  bool in_listener = false;  // whether the last socket listens: the next line may continue its name
  static_cast<void>(next_line(text));  // the head line
  for (int line = 2; !text.empty(); ++line) {
    const std::string_view whole = next_line(text);
    const std::optional<UnixSocket> socket = parse_unix_line(whole);
    if (!socket && line == 2) return malformed("unix", line);
    if (!socket) {
      if (in_listener) listeners.back().path += '\n' + std::string(whole);
      continue;
    }
    in_listener = socket->listens;
    if (!in_listener) continue;
    facts::Listener listener;
    listener.protocol = facts::Protocol::kUnix;
    listener.inode = socket->inode;
    listener.path = std::string(socket->name);
    listeners.push_back(std::move(listener));
  }
  return listeners;
}

}  // namespace acceptq::evidence
