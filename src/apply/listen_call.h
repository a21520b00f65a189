// listen() on a socket of another process, by a duplicate of its descriptor that a child holds for
// just that long.
//
// The child takes the duplicate (pidfd_getfd(2), Linux 5.6: the same open socket, so that the
// server notices nothing), makes sure that it is the socket meant, calls listen(), makes sure
// again, and ends. Of a socket that listens already, listen() changes sk_max_ack_backlog and
// nothing else (net/ipv4/af_inet.c, __inet_listen_sk; inet_listen before that was split off): what
// is queued stays. An MPTCP socket passes it on to the TCP socket below (net/mptcp/protocol.c,
// mptcp_listen), and counts itself once more among the MPTCP sockets of /proc/net/protocols, as
// after any second listen().
//
// A Unix socket is never touched: unix_listen() (net/unix/af_unix.c) makes the caller's credentials
// those that clients see as their peer's.
#pragma once

#include <chrono>
#include <cstdint>

#include "apply/socket_identity.h"
#include "base/result.h"
#include "base/units.h"

namespace acceptq::apply {

// One way to the socket.
struct Holder {
  Pid pid;
  std::int32_t fd = -1;
  std::uint64_t start_ticks = 0;  // 0: not known
};

// What the child was about to do when it ended.
enum class Step {
  kStart,
  kOpenProcess,     // pidfd_open()
  kKnowProcess,     // that it is the one that was seen
  kTakeDescriptor,  // pidfd_getfd()
  kVerify,
  kListen,
  kVerifyAgain,
  kDone,
};

struct ListenOutcome {
  Step step = Step::kStart;  // kDone: listen() was called on the socket meant
  int sys_errno = 0;         // of the call that failed; 0: none did
  Difference difference = Difference::kNone;
  bool hung = false;  // the child did not answer and was killed

  // Whether the socket's limit may have been changed.
  [[nodiscard]] bool may_have_changed() const { return step >= Step::kListen; }
};

// More than anything here takes on a machine that is not stuck.
inline constexpr std::chrono::milliseconds kListenDeadline{5000};

// Returns at the latest a second after the deadline. The child is killed by the kernel if the
// calling thread ends before it.
[[nodiscard]] ListenOutcome listen_on(const SocketMeant& meant, const Holder& holder, int backlog,
                                      std::chrono::milliseconds deadline = kListenDeadline);

// What is known of why pidfd_getfd() can be refused here.
struct Privileges {
  bool ptrace_capability = false;  // CAP_SYS_PTRACE is effective
  int yama_scope = 0;              // kernel.yama.ptrace_scope; 0 without Yama
  std::string kernel;              // uname's release
};
[[nodiscard]] Privileges own_privileges();

// What was tried, what failed, and what to do instead. For an outcome other than kDone. Pure.
[[nodiscard]] Error to_error(const ListenOutcome& outcome, const Holder& holder,
                             const Privileges& privileges);

}  // namespace acceptq::apply
