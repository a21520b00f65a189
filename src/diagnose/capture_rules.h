// What a capture of packets says of a server, and what it cannot say.
#pragma once

#include <vector>

#include "diagnose/listener_state.h"
#include "diagnose/report.h"
#include "facts/ledger.h"

namespace acceptq::diagnose {

// Puts what the capture proves into the state: at the server's side, a SYN-ACK that is repeated
// although the final ACK and data behind it had come.
void take_capture(const facts::Ledger& ledger, ListenerState& state);

// Handshakes of a capture that got no answer, or were reset as soon as they were complete.
[[nodiscard]] bool fails_in_capture(const ListenerState& state);
// SYNs of a capture that were answered by resets.
[[nodiscard]] bool is_turned_away(const ListenerState& state);
// Answers in a capture that nobody acknowledges, far more than others.
[[nodiscard]] bool is_flooded_in_capture(const ListenerState& state);

// AQ402, AQ403, AQ404, and AQ202 and AQ203 of a capture.
void add_capture_findings(const ListenerState& state, std::vector<Finding>& findings);
// Many ports of one address that were tried a few times each, and turned everybody away, are a
// scan: a notice.
void quiet_scans(const std::vector<ListenerState>& states, std::vector<Finding>& findings);
// AQ101 of a capture: the accept queue was full at final ACKs.
void add_overflowing_in_capture(const ListenerState& state, std::vector<Finding>& findings);

}  // namespace acceptq::diagnose
