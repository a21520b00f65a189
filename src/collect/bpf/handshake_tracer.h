// Traces the listen path by hooks on its functions, or by tracepoints, and keeps a ledger for every
// listener.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "collect/bpf/ledger_records.h"
#include "collect/bpf/trace_options.h"
#include "facts/snapshot.h"

namespace acceptq::collect::bpf {

// What could not be counted.
struct TraceLosses {
  // Packets of listeners for which there was no room, and ledgers of closed ones that were let go.
  std::uint64_t listeners = 0;
  std::uint64_t attempts = 0;    // refused attempts that were forgotten, or not kept
  std::uint64_t waiting = 0;     // connections whose time in queue was not measured
  std::uint64_t events = 0;      // refusals not sent, the reader being too slow
  std::uint64_t suppressed = 0;  // refusals not sent, by the rate that was asked for
  std::uint64_t accepts = 0;     // accept() calls whose listener could not be told
  std::uint64_t packets = 0;     // packets whose listener could not be told
  std::uint64_t dead_syns = 0;   // kinds of SYNs (port, reason) that were forgotten
  std::uint64_t refusals = 0;    // refusals of which only the kernel's counters tell
  // Runs that did not happen: a program is not run while it runs on the same CPU already. What they
  // would have seen, perhaps nothing of interest, is in no ledger. Told from Linux 5.12 on.
  std::uint64_t runs = 0;
};

// How one function is hooked, or one tracepoint.
struct Hook {
  enum class Kind { kTrampoline, kKprobe, kTracepoint, kMissing };
  std::string function;
  Kind kind = Kind::kMissing;
};

// A refused attempt that has not entered the accept queue since.
struct OpenAttempt {
  std::uint64_t sk = 0;
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
  std::uint32_t refused_syns = 0;
  std::uint32_t refused_acks = 0;
};

struct ClientCount {
  std::uint64_t sk = 0;
  facts::IpAddress address;
  std::uint64_t packets = 0;
  std::uint64_t attempts = 0;
};

// SYNs that died before a listener saw them. Not is_routed: before the kernel knew whether they
// were for this host, so that the address may be another's.
struct DeadSynCount {
  facts::DeadSyn syn;
  bool is_routed = false;
};

// Not thread-safe; two objects are independent, each with its own programs and maps.
class HandshakeTracer {
 public:
  // Puts the hooks in place; nothing is counted before start(). kUnsupported, kPermission: why
  // function tracing is not to be had here, and what to do.
  [[nodiscard]] static Result<HandshakeTracer> Create(const TraceOptions& options);
  HandshakeTracer(HandshakeTracer&&) noexcept;
  HandshakeTracer& operator=(HandshakeTracer&&) noexcept;
  ~HandshakeTracer();

  void start();

  [[nodiscard]] const std::vector<Hook>& hooks() const;
  [[nodiscard]] facts::Source source() const;  // kFunctions or kTracepoints
  // Why it is not functions; empty where it is.
  [[nodiscard]] const std::string& shortfall() const;

  // How often, at most, queues are looked at while it is polled, where hooks do not see what leaves
  // them (tracepoints): 50 ms, until told otherwise. Never for more than a twentieth of one core.
  void look_every(std::chrono::nanoseconds period);

  // Readable when there is something to poll for.
  [[nodiscard]] int event_fd() const;

  // Waits for refusals and hands them over, oldest first, until `patience` has passed; less where
  // something came. Without a ring buffer (before 5.8) it only waits.
  [[nodiscard]] Status poll(std::chrono::milliseconds patience,
                            const std::function<void(const RefusalRecord&)>& take);

  // Every ledger as it is now, with those of closed listeners whose place another took. Refusals
  // that are met meanwhile are handed over by the next poll().
  [[nodiscard]] Result<std::vector<LedgerRecord>> ledgers();
  // The same with all clients and those that gave up, without those that nothing reached.
  [[nodiscard]] Result<std::vector<facts::Ledger>> books();
  // Empty where the kernel does not tell.
  [[nodiscard]] Result<std::optional<std::vector<DeadSynCount>>> dead_syns();
  [[nodiscard]] TraceLosses losses();

 private:
  class Impl;
  explicit HandshakeTracer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace acceptq::collect::bpf
