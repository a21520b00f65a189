#include "collect/netlink/route.h"

#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>

#include "collect/netlink/attributes.h"
#include "collect/netlink/nl_socket.h"

namespace acceptq::collect::netlink {
namespace {

using facts::IpAddress;
using facts::RouteBack;

struct FreeMessage {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};

// What the callbacks of one lookup share: the route, or else an error.
struct Answer {
  std::optional<RouteBack> route;
  int error = 0;  // an errno
};

std::optional<RouteBack> route_by_type(unsigned char type) {
  switch (type) {
    case RTN_UNREACHABLE:
      return RouteBack::kUnreachable;
    case RTN_BLACKHOLE:
      return RouteBack::kBlackhole;
    case RTN_PROHIBIT:
      return RouteBack::kProhibit;
    default:
      return RouteBack::kFound;
  }
}

// IPv6 may answer with a route that refuses: its error tells a missing one, for which the kernel
// has a route of type "unreachable", too (ip6_null_entry).
int on_valid(nl_msg* message, void* context) {
  Answer& answer = *static_cast<Answer*>(context);
  const nlmsghdr* header = nlmsg_hdr(message);
  const std::span<const std::byte> payload(static_cast<const std::byte*>(nlmsg_data(header)),
                                           static_cast<std::size_t>(nlmsg_datalen(header)));
  const std::optional<rtmsg> route = read_as<rtmsg>(payload);
  if (header->nlmsg_type != RTM_NEWROUTE || !route) return NL_SKIP;
  answer.route = route_by_type(route->rtm_type);
  const Status read =
      for_each_attribute(payload.subspan(NLMSG_ALIGN(sizeof(rtmsg))),
                         [&](std::uint16_t type, std::span<const std::byte> value) {
                           const auto cache = read_as<rta_cacheinfo>(value);
                           if (type != RTA_CACHEINFO || !cache || cache->rta_error == 0) return;
                           answer.error = std::abs(static_cast<int>(cache->rta_error));
                           answer.route = route_by_error(answer.error);
                         });
  if (!read) answer = {.route = std::nullopt, .error = EBADMSG};
  return NL_OK;
}

int on_error(sockaddr_nl*, nlmsgerr* error, void* context) {
  Answer& answer = *static_cast<Answer*>(context);
  answer.error = -error->error;
  answer.route = route_by_error(answer.error);
  return NL_STOP;
}

bool put(nl_msg* message, int type, const IpAddress& address) {
  const auto bytes = address.bytes();
  return nla_put(message, type, static_cast<int>(bytes.size()), bytes.data()) == 0;
}

// Rules may be for one protocol and port (fib_rules, Linux 4.17); earlier kernels ignore these.
bool put_flow(nl_msg* message, std::uint16_t from_port) {
  constexpr std::uint8_t kTcp = IPPROTO_TCP;
  const std::uint16_t port = htons(from_port);
  return nla_put(message, RTA_IP_PROTO, sizeof kTcp, &kTcp) == 0 &&
         nla_put(message, RTA_SPORT, sizeof port, &port) == 0;
}

Result<RouteBack> ask(const IpAddress& to, const IpAddress& from, std::uint16_t from_port,
                      std::uint32_t ifindex) {
  const NlSocket socket(nl_socket_alloc());
  const std::unique_ptr<nl_msg, FreeMessage> message(nlmsg_alloc_simple(RTM_GETROUTE, 0));
  if (!socket || !message) return fail(ErrorCode::kIo, "no memory for a lookup of a route");
  if (const int code = nl_connect(socket.get(), NETLINK_ROUTE); code < 0) {
    return fail(ErrorCode::kIo,
                std::string("cannot open a NETLINK_ROUTE socket: ") + nl_geterror(code));
  }
  constexpr int kBitsOfByte = 8;
  rtmsg request{};
  request.rtm_family = static_cast<unsigned char>(to.is_v6() ? AF_INET6 : AF_INET);
  request.rtm_dst_len = static_cast<unsigned char>(to.bytes().size() * kBitsOfByte);
  const bool has_from = !from.is_unspecified();
  if (has_from) request.rtm_src_len = request.rtm_dst_len;
  if (nlmsg_append(message.get(), &request, sizeof request, NLMSG_ALIGNTO) < 0 ||
      !put(message.get(), RTA_DST, to) || (has_from && !put(message.get(), RTA_SRC, from)) ||
      !put_flow(message.get(), from_port) ||
      (ifindex != 0 && nla_put(message.get(), RTA_OIF, sizeof ifindex, &ifindex) != 0)) {
    return fail(ErrorCode::kIo, "no memory for a lookup of a route");
  }
  Answer answer;
  nl_socket_disable_auto_ack(socket.get());  // one answer, which is the route or an error
  nl_socket_modify_cb(socket.get(), NL_CB_VALID, NL_CB_CUSTOM, on_valid, &answer);
  nl_socket_modify_err_cb(socket.get(), NL_CB_CUSTOM, on_error, &answer);
  int code = nl_send_auto(socket.get(), message.get());
  if (code >= 0) code = nl_recvmsgs_default(socket.get());
  if (answer.route) return *answer.route;
  if (answer.error != 0) return fail_errno(answer.error, "cannot look up a route");
  return fail(ErrorCode::kIo, std::string("cannot look up a route: ") + nl_geterror(code));
}

}  // namespace

std::optional<RouteBack> route_by_error(int error) {
  switch (error) {
    case ENETUNREACH:
    case EAGAIN:  // "throw": no other table had one
      return RouteBack::kNone;
    case EHOSTUNREACH:
      return RouteBack::kUnreachable;
    case EINVAL:
      return RouteBack::kBlackhole;
    case EACCES:
      return RouteBack::kProhibit;
    default:
      return std::nullopt;
  }
}

Result<RouteBack> look_up_route(const IpAddress& to, const IpAddress& from, std::uint16_t from_port,
                                std::uint32_t ifindex) {
  const IpAddress nowhere;
  Result<RouteBack> route =
      ask(to, from.is_v6() == to.is_v6() ? from : nowhere, from_port, ifindex);
  if (!route || *route != RouteBack::kBlackhole || from.is_unspecified()) return route;
  // EINVAL is also the answer where `from` is no address of this host's (a listener with
  // IP_TRANSPARENT or IP_FREEBIND; ip_route_output_key_hash_rcu): then nothing is known.
  const Result<RouteBack> without = ask(to, nowhere, from_port, ifindex);
  if (without && *without == RouteBack::kBlackhole) return route;
  return fail(ErrorCode::kUnsupported, "the listener's address is none of the host's");
}

}  // namespace acceptq::collect::netlink
