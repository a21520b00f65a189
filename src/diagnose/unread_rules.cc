// AQ407: connections that a program closes while they hold data that nobody has read.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "diagnose/catalogue.h"
#include "diagnose/rules.h"

namespace acceptq::diagnose {
namespace {

// tcp_close() with unread data, and data for a connection that its program has closed: the client
// is told by a reset (__tcp_close and tcp_rcv_state_process, net/ipv4/tcp.c and tcp_input.c).
constexpr const char* kClosedUnread = "TcpExtTCPAbortOnClose";
constexpr const char* kClosedBeforeData = "TcpExtTCPAbortOnData";

// The one listener of the namespace from which connections were taken; null where that is not known
// of each.
const ListenerState* only_one_taken_from(const std::vector<ListenerState>& all, NetnsId id) {
  const ListenerState* one = nullptr;
  for (const ListenerState& state : all) {
    if (state.listener->netns != id || state.listener->protocol != facts::Protocol::kTcp) continue;
    if (!state.report.left_queue) return nullptr;
    if (*state.report.left_queue == 0) continue;
    if (one != nullptr) return nullptr;
    one = &state;
  }
  return one;
}

}  // namespace

void add_unread_findings(const std::vector<ListenerState>& all, NetnsId id,
                         std::vector<Finding>& findings) {
  constexpr std::uint64_t kFewest = 5;
  constexpr std::uint64_t kOneIn = 2;
  const ListenerState* state = only_one_taken_from(all, id);
  if (state == nullptr || !state->seconds) return;
  const std::uint64_t ended = state->ns.grew(kClosedUnread) + state->ns.grew(kClosedBeforeData);
  // Clients in this namespace close unread as well: those that read no more than the first bytes of
  // an answer, or hang up by a reset, as proxies do that only look whether a server is there.
  const std::uint64_t closed = ended - std::min(ended, state->ns.grew("TcpActiveOpens"));
  const std::uint64_t taken = *state->report.left_queue;
  if (closed < kFewest || static_cast<double>(closed) < *state->seconds ||
      closed * kOneIn < taken) {
    return;
  }
  Finding finding = finding_about("AQ407", *state);
  finding.explanation = fmt::format(
      "In {:.1f} s {} {} taken from {}, and {} of its network namespace {} closed by the program "
      "before it had read what the client had sent: such a client gets a reset (\"connection reset "
      "by peer\") or an empty answer. The listener's queues have no part in it.",
      *state->seconds, counted(taken, "connection", "connections"), taken == 1 ? "was" : "were",
      facts::listener_endpoint(*state->listener), closed, closed == 1 ? "was" : "were");
  finding.evidence.push_back(counter_evidence(state->ns, kClosedUnread));
  finding.evidence.push_back(counter_evidence(state->ns, kClosedBeforeData));
  findings.push_back(std::move(finding));
}

}  // namespace acceptq::diagnose
