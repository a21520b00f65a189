// Reasons of kfree_skb for which SYNs die before they reach a listener.
#pragma once

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "collect/bpf/ledger_wire.h"

namespace acceptq::collect::bpf {

// By the numbers that the running kernel gives them: "NETFILTER_DROP" … Empty where its tracepoint
// tells no reason (before 5.17).
[[nodiscard]] std::map<std::uint32_t, std::string> dead_reasons(const btf* types);

// Tells the programs; they are not loaded where there is no reason to tell.
void choose_dead_reasons(const btf* types, __u8 (&reasons)[AQ_DROP_REASONS], bpf_program& program);

}  // namespace acceptq::collect::bpf
