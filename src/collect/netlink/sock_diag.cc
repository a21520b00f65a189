#include "collect/netlink/sock_diag.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "collect/netlink/attributes.h"
#include "collect/netlink/inet_diag.h"
#include "collect/netlink/unix_diag.h"

namespace acceptq::collect::netlink {
namespace {

constexpr int kAttempts = 5;
constexpr const char* kRefused = "sock_diag refused the dump";
constexpr std::size_t kReceiveBuffer = std::size_t{64} << 10;

struct FreeSocket {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};
using Socket = std::unique_ptr<nl_sock, FreeSocket>;

using ParseMessage =
    std::function<Result<std::optional<facts::Listener>>(std::span<const std::byte>)>;

// What the callbacks of one dump share.
struct DumpState {
  const ParseMessage* parse = nullptr;
  Dump dump;
  std::optional<Error> error;
};

int on_valid(nl_msg* message, void* context) {
  DumpState& state = *static_cast<DumpState*>(context);
  const nlmsghdr* header = nlmsg_hdr(message);
  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return NL_SKIP;
  const std::span<const std::byte> payload(static_cast<const std::byte*>(nlmsg_data(header)),
                                           static_cast<std::size_t>(nlmsg_datalen(header)));
  Result<std::optional<facts::Listener>> listener = (*state.parse)(payload);
  if (!listener) {
    state.error = std::move(listener.error());
    return NL_STOP;
  }
  if (*listener) state.dump.listeners.push_back(std::move(**listener));
  return NL_OK;
}

// A dump that fails after it began says so in what NLMSG_DONE carries (net/netlink/af_netlink.c,
// netlink_dump_done): a negative errno. With inet_diag loaded but tcp_diag absent that is how
// ENOENT arrives (net/ipv4/inet_diag.c, __inet_diag_dump).
int on_done(nl_msg* message, void* context) {
  DumpState& state = *static_cast<DumpState*>(context);
  const nlmsghdr* header = nlmsg_hdr(message);
  const std::span<const std::byte> payload(static_cast<const std::byte*>(nlmsg_data(header)),
                                           static_cast<std::size_t>(nlmsg_datalen(header)));
  const std::optional<int> status = read_as<int>(payload);
  if (status && *status < 0) state.error = errno_error(-*status, kRefused);
  return NL_STOP;
}

int on_error(sockaddr_nl*, nlmsgerr* error, void* context) {
  DumpState& state = *static_cast<DumpState*>(context);
  state.error = errno_error(-error->error, kRefused);
  return NL_STOP;
}

Error libnl_error(int code, const char* what) {
  return Error{ErrorCode::kIo, 0, std::string(what) + ": " + nl_geterror(code)};
}

// One dump; `interrupted` in its result where the kernel said NLM_F_DUMP_INTR.
template <typename Request>
Result<Dump> dump_once(const Request& request, const ParseMessage& parse) {
  const Socket socket(nl_socket_alloc());
  if (!socket) return fail(ErrorCode::kIo, "no memory for a netlink socket");
  if (const int code = nl_connect(socket.get(), NETLINK_SOCK_DIAG); code < 0) {
    return fail(libnl_error(code, "cannot open a NETLINK_SOCK_DIAG socket"));
  }
  nl_socket_set_msg_buf_size(socket.get(), kReceiveBuffer);
  DumpState state;
  state.parse = &parse;
  nl_socket_modify_cb(socket.get(), NL_CB_VALID, NL_CB_CUSTOM, on_valid, &state);
  nl_socket_modify_cb(socket.get(), NL_CB_FINISH, NL_CB_CUSTOM, on_done, &state);
  nl_socket_modify_err_cb(socket.get(), NL_CB_CUSTOM, on_error, &state);
  Request copy = request;  // libnl takes a mutable buffer
  if (const int code =
          nl_send_simple(socket.get(), SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &copy, sizeof copy);
      code < 0) {
    return fail(libnl_error(code, "cannot ask sock_diag"));
  }
  const int code = nl_recvmsgs_default(socket.get());
  if (state.error) return fail(std::move(*state.error));
  state.dump.interrupted = code == -NLE_DUMP_INTR;
  if (code < 0 && !state.dump.interrupted) {
    return fail(libnl_error(code, "cannot read sock_diag's answer"));
  }
  return std::move(state.dump);
}

// Repeats a dump that the kernel says was interrupted.
template <typename Request>
Result<Dump> dump(const Request& request, const ParseMessage& parse, const char* module) {
  Result<Dump> result;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    result = dump_once(request, parse);
    if (!result || !result->interrupted) break;
  }
  // The handler of a family that is not there: sock_diag answers ENOENT (net/core/sock_diag.c,
  // __sock_diag_cmd; net/ipv4/inet_diag.c, inet_diag_lock_handler).
  if (!result && result.error().sys_errno == ENOENT) {
    return fail(ErrorCode::kUnsupported, std::string("the kernel module ") + module +
                                             " is not loaded (try: modprobe " + module + ")");
  }
  return result;
}

}  // namespace

Result<Dump> dump_tcp_listeners(int family) {
  inet_diag_req_v2 request{};
  request.sdiag_family = static_cast<__u8>(family);
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = 1U << TCP_LISTEN;
  request.idiag_ext = 1U << (INET_DIAG_SKMEMINFO - 1) | 1U << (INET_DIAG_INFO - 1);
  return dump(
      request,
      [](std::span<const std::byte> payload) -> Result<std::optional<facts::Listener>> {
        return parse_inet_diag(payload).map(
            [](facts::Listener&& listener) { return std::optional(std::move(listener)); });
      },
      "tcp_diag");
}

Result<Dump> dump_unix_listeners() {
  unix_diag_req request{};
  request.sdiag_family = AF_UNIX;
  request.udiag_states = 1U << TCP_LISTEN;
  request.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_RQLEN | 0x40 /* UDIAG_SHOW_UID, Linux 5.3 */;
  return dump(request, parse_unix_diag, "unix_diag");
}

}  // namespace acceptq::collect::netlink
