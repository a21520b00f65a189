// How much is traced, and of whom.
#pragma once

#include <cstdint>
#include <vector>

#include "base/units.h"

namespace acceptq::collect::bpf {

enum class TraceLevel {
  kBest,         // functions, or else tracepoints
  kFunctions,    // fentry and fexit, or else kprobes
  kKprobes,      // as on kernels without fentry
  kTracepoints,  // as on kernels that refuse both
  kNone,         // not at all: for those who ask whether to trace
};

struct TraceOptions {
  // Ports whose refusals are sent one by one, in these namespaces; empty: every listener's.
  struct Choice {
    NetnsId netns;
    std::uint16_t port = 0;
  };
  std::vector<Choice> selected;
  std::uint32_t events_per_second = 0;  // refusals sent one by one, at most; 0: counted only
  // Of these, at most so many of one listener, so that none takes the room of another; 0: all.
  std::uint32_t events_per_listener = 0;
  // Ledgers are kept for; 0: as many as this kernel has room for.
  std::uint32_t most_listeners = 0;
  // The SYN queue is full at qlen > limit rather than qlen >= limit (listenpath::SynQueueRule).
  bool syn_queue_holds_one_more = true;
  TraceLevel level = TraceLevel::kBest;
};

}  // namespace acceptq::collect::bpf
