#include "collect/bpf/client_records.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstring>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "collect/bpf/clients_wire.h"

namespace acceptq::collect::bpf {
namespace {

Result<ClientSeen> client_of(const aq_client_record& record) {
  ClientSeen client;
  client.pid = Pid(static_cast<std::int32_t>(record.tgid));
  const std::string_view comm(static_cast<const char*>(record.comm), sizeof record.comm);
  client.comm = comm.substr(0, comm.find('\0'));
  client.netns = NetnsId(record.netns);
  if (record.addresses.family == AF_UNIX) {
    client.connecting = true;
    return client;
  }
  const std::span<const std::uint8_t, 16> peer(record.addresses.peer);
  if (record.addresses.family == AF_INET) {
    client.peer = facts::IpAddress::v4(peer.first<4>());
  } else if (record.addresses.family == AF_INET6) {
    client.peer = facts::IpAddress::v6(peer).unmapped();
  } else {
    return fail(ErrorCode::kMalformed,
                "client record: unknown address family " + std::to_string(record.addresses.family));
  }
  client.peer_port = record.addresses.peer_port;
  client.connecting = record.state == TCP_SYN_SENT;
  return client;
}

bool is_listener(const aq_client_record& record) {
  return record.addresses.family == AF_UNIX && record.state == TCP_LISTEN;
}

}  // namespace

Result<std::vector<ClientSeen>> parse_client_records(std::span<const std::byte> bytes) {
  if (bytes.size() % sizeof(aq_client_record) != 0) {
    return fail(ErrorCode::kTruncated, "the client iterator ended inside a record");
  }
  std::vector<aq_client_record> records(bytes.size() / sizeof(aq_client_record));
  if (!records.empty()) std::memcpy(records.data(), bytes.data(), bytes.size());
  std::map<std::uint64_t, SocketInode> queues;  // of Unix listeners
  for (const aq_client_record& record : records) {
    if (is_listener(record)) queues.emplace(record.queue, SocketInode(record.inode));
  }
  std::vector<ClientSeen> clients;
  std::set<std::pair<std::uint32_t, std::uint64_t>> met;
  for (const aq_client_record& record : records) {
    if (is_listener(record) || !met.emplace(record.tgid, record.inode).second) continue;
    Result<ClientSeen> client = client_of(record);
    if (!client) return fail(std::move(client.error()));
    if (record.addresses.family == AF_UNIX) {
      const auto queue = queues.find(record.queue);
      if (queue == queues.end()) continue;
      client->unix_listener = queue->second;
    }
    clients.push_back(std::move(*client));
  }
  return clients;
}

}  // namespace acceptq::collect::bpf
