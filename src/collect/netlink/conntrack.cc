#include "collect/netlink/conntrack.h"

#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <netlink/addr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netfilter/ct.h>
#include <netlink/netfilter/nfnl.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "collect/netlink/nl_socket.h"

namespace acceptq::collect::netlink {
namespace {

using facts::IpAddress;
using facts::Translation;
using Visit = std::function<void(const Translation&)>;

struct FreeConnection {
  void operator()(nfnl_ct* connection) const { nfnl_ct_put(connection); }
};

std::optional<IpAddress> address_of(const nl_addr* address) {
  if (address == nullptr) return std::nullopt;
  std::array<std::uint8_t, sizeof(in6_addr)> bytes{};
  const std::size_t length = nl_addr_get_len(address);
  if (length == bytes.size()) {
    std::memcpy(bytes.data(), nl_addr_get_binary_addr(address), length);
    return IpAddress::v6(bytes);
  }
  std::array<std::uint8_t, sizeof(in_addr)> v4{};
  if (length != v4.size()) return std::nullopt;
  std::memcpy(v4.data(), nl_addr_get_binary_addr(address), length);
  return IpAddress::v4(v4);
}

// Of a TCP connection that goes elsewhere than its client sent it.
std::optional<Translation> translation_of(const nfnl_ct* connection) {
  constexpr int kOriginal = 0;
  constexpr int kReply = 1;
  if (nfnl_ct_get_proto(connection) != IPPROTO_TCP) return std::nullopt;
  const auto address = address_of(nfnl_ct_get_dst(connection, kOriginal));
  const auto to_address = address_of(nfnl_ct_get_src(connection, kReply));
  if (!address || !to_address) return std::nullopt;
  Translation translation{.address = *address,
                          .port = nfnl_ct_get_dst_port(connection, kOriginal),
                          .to_address = *to_address,
                          .to_port = nfnl_ct_get_src_port(connection, kReply)};
  if (translation.address == translation.to_address && translation.port == translation.to_port) {
    return std::nullopt;
  }
  return translation;
}

int on_valid(nl_msg* message, void* context) {
  nfnl_ct* parsed = nullptr;
  if (nfnlmsg_ct_parse(nlmsg_hdr(message), &parsed) < 0) return NL_SKIP;
  const std::unique_ptr<nfnl_ct, FreeConnection> connection(parsed);
  if (const auto translation = translation_of(connection.get())) {
    (*static_cast<const Visit*>(context))(*translation);
  }
  return NL_OK;
}

tl::unexpected<Error> failed(int code) {
  return fail(ErrorCode::kIo,
              std::string("cannot read connection tracking's table: ") + nl_geterror(code));
}

}  // namespace

Status for_each_translated(int family, const Visit& visit) {
  const NlSocket socket(nl_socket_alloc());
  if (!socket) return fail(ErrorCode::kIo, "no memory for a netlink socket");
  if (const int code = nfnl_connect(socket.get()); code < 0) return failed(code);
  nl_socket_modify_cb(socket.get(), NL_CB_VALID, NL_CB_CUSTOM, on_valid,
                      const_cast<Visit*>(&visit));  // NOLINT(*-const-cast): only ever read
  int code = nfnl_send_simple(socket.get(), NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, NLM_F_DUMP,
                              static_cast<std::uint8_t>(family), 0);
  if (code >= 0) code = nl_recvmsgs_default(socket.get());
  if (code < 0) return failed(code);
  return {};
}

}  // namespace acceptq::collect::netlink
