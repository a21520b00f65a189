// The programs that keep ledgers, in the forms that kernels allow. All share the maps and the state
// of ledger_state.h; how they are hooked is all that differs.
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "collect/bpf/handshake_tracer.h"
#include "collect/bpf/kernel_btf.h"
#include "collect/bpf/ledger_wire.h"
#include "collect/bpf/link.h"

namespace acceptq::collect::bpf {

class LedgerPrograms {
 public:
  LedgerPrograms() = default;
  LedgerPrograms(const LedgerPrograms&) = delete;
  LedgerPrograms& operator=(const LedgerPrograms&) = delete;
  virtual ~LedgerPrograms() = default;

  [[nodiscard]] virtual bpf_object* object() const = 0;
  [[nodiscard]] virtual aq_state& state() const = 0;  // shared with the running programs
  [[nodiscard]] virtual facts::Source source() const = 0;
  // Brings the ledgers up to date where that takes more than the packets that come.
  [[nodiscard]] virtual Status look() = 0;
  // Runs that the kernel did not make since the programs were loaded: recursion_misses of struct
  // bpf_prog_info, which bpf_prog_inc_misses_counter() counts (from 5.12 on).
  [[nodiscard]] std::uint64_t missed_runs() const;
  // Takes out of a ledger what these programs do not count.
  virtual void leave_out_unknown(facts::Ledger& ledger) const = 0;

  [[nodiscard]] const std::vector<Hook>& hooks() const { return hooks_; }

 protected:
  // Attaches every program that was loaded. 0, or errno.
  [[nodiscard]] int attach_all();

  std::vector<Hook> hooks_;
  std::vector<Link> links_;
};

// Between two ticks of the kernel's clock, a jiffy.
[[nodiscard]] std::uint64_t tick_ns();

// For as many listeners as there may be. From 6.1 on (struct bpf_mem_alloc) programs may allocate
// what they need when they need it; before, room is taken beforehand, 2 KiB for each.
void make_room(const TraceOptions& options, const btf* types, bpf_map& ledgers, bpf_map& selected);

// The options that programs read, before they are loaded.
template <typename Skeleton>
void set_options(const TraceOptions& options, const btf* types, Skeleton& skeleton) {
  skeleton.rodata->events_per_second = options.events_per_second;
  skeleton.rodata->events_per_listener = options.events_per_listener;
  skeleton.rodata->only_selected = !options.selected.empty();
  skeleton.rodata->tick_ns = tick_ns();
  skeleton.rodata->syn_queue_holds_one_more = options.syn_queue_holds_one_more;
  make_room(options, types, *skeleton.maps.ledgers, *skeleton.maps.selected);
}

// Hooks on functions, by the running kernel's types (null: it does not tell them). Tries what asks
// for most first; kUnsupported, kPermission where none is to be had.
[[nodiscard]] Result<std::unique_ptr<LedgerPrograms>> load_function_hooks(
    const TraceOptions& options, const btf* types);

// Tracepoints alone. Errors as above.
[[nodiscard]] Result<std::unique_ptr<LedgerPrograms>> load_tracepoint_hooks(
    const TraceOptions& options, const btf* types);

}  // namespace acceptq::collect::bpf
