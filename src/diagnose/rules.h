// The rules: each looks at one listener or one namespace and adds the findings that hold.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "diagnose/deltas.h"
#include "diagnose/listener_state.h"
#include "diagnose/report.h"
#include "facts/snapshot.h"
#include "listenpath/kernel.h"

namespace acceptq::diagnose {

// "In 2.0 s", or "Between the two samples" where the time between them is not known.
[[nodiscard]] std::string in_that_time(std::optional<double> seconds);

// Sets the verdict of each state's report, and what refused its handshakes.
void judge_listeners(const listenpath::KernelRules& rules, std::vector<ListenerState>& states);

// Of the accept queue: seen full at any moment, and at the last one.
[[nodiscard]] bool was_full(const ListenerState& state);
[[nodiscard]] bool is_full_now(const ListenerState& state);
[[nodiscard]] bool is_close_to_limit(const ListenerState& state);
// Ten connections or more waited for over a second and none was taken.
[[nodiscard]] bool is_stuck(const ListenerState& state);
// A queue of that length is a quarter of what fits at most.
[[nodiscard]] bool has_much_room(const facts::Listener& listener, QueueLength length);
// Nothing arrived, nothing left, and nothing was refused.
[[nodiscard]] bool is_at_rest(const ListenerState& state);
// Stuck; or of ten connections or more that were taken, half had waited for over a second; or,
// where fewer were taken or they could not be measured, length and rate say so.
[[nodiscard]] bool is_slow(const ListenerState& state);
// Overflows of before that can only have been its own: it is alone in its namespace.
[[nodiscard]] bool refused_before(const ListenerState& state);
// Its SYN queue was full, and SYN cookies stood in.
[[nodiscard]] bool answers_by_cookies(const ListenerState& state);

// AQ101 … AQ113 for one TCP or Unix listener, AQ201 and AQ205 where its own SYN queue refused.
void add_accept_queue_findings(const facts::Observation& observation,
                               const listenpath::KernelRules& rules, const ListenerState& state,
                               const std::vector<ListenerState>& all,
                               std::vector<Finding>& findings);

// Of the above, those of a listener that refused packets; and of one whose clients wait.
void add_refusal_findings(const ListenerState& state, const listenpath::KernelRules& rules,
                          std::vector<Finding>& findings);
void add_slow(const ListenerState& state, std::vector<Finding>& findings);

// AQ301 … AQ314: why accept() is slow, where that is what a listener suffers from. As bad as what
// it explains, so after the findings above.
void add_cause_findings(const facts::Observation& observation, const ListenerState& state,
                        std::vector<Finding>& findings);

// AQ315: of listeners whose process waits for another one, which refuses it.
void add_waiting_client_findings(const facts::Observation& observation,
                                 const std::vector<ListenerState>& states,
                                 std::vector<Finding>& findings);

// Puts SYNs that died before a listener saw them to the listener that they were for, or to the
// first of those that have its port and not its address.
void attribute_dead_syns(const facts::Observation& observation, std::vector<ListenerState>& states);
// More of them than a stray client sends.
[[nodiscard]] bool dies_elsewhere(const ListenerState& state);
[[nodiscard]] std::uint64_t packets_of(const std::map<std::string, std::uint64_t>& by_reason);
// "12 by the packet filter or by connection tracking (NETFILTER_DROP)": packets that this host
// dropped, by the kernel's reason, which also become evidence.
[[nodiscard]] std::string add_drop_reasons(const std::map<std::string, std::uint64_t>& by_reason,
                                           Finding& finding);
// AQ401 and AQ406.
void add_elsewhere_findings(const ListenerState& state, std::vector<Finding>& findings);

// AQ407, of one namespace.
void add_unread_findings(const std::vector<ListenerState>& all, NetnsId id,
                         std::vector<Finding>& findings);

// AQ102, AQ107, AQ20x, what is not known, and refusals that no open listener explains, for one
// namespace.
void add_namespace_findings(const facts::Observation& observation,
                            const listenpath::KernelRules& rules, NetnsId id,
                            const std::vector<ListenerState>& all, std::vector<Finding>& findings);

// A finding with its listener.
[[nodiscard]] Finding finding_about(const char* id, const ListenerState& state);

// A counter as evidence.
[[nodiscard]] Evidence counter_evidence(const NamespaceDelta& ns, const char* counter);
// A sysctl as evidence; its total is empty where it could not be read.
[[nodiscard]] Evidence sysctl_evidence(const facts::Namespace* ns, const char* name);
// Length and limit of the accept queue; the counters of refusals and the socket's own.
void add_queue_evidence(const ListenerState& state, Finding& finding);
void add_counter_evidence(const ListenerState& state, Finding& finding);

// "1 connection", "129 connections".
[[nodiscard]] std::string connections(std::uint64_t count);
// " 878 of the 1025 that wait have hung up …"; empty where none has, or it is not known.
[[nodiscard]] std::string hung_up(const ListenerState& state);
// " It was full in 40 % of the samples."; empty where it was not sampled.
[[nodiscard]] std::string fullness(const ListenerState& state);

}  // namespace acceptq::diagnose
