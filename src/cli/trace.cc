// acceptq trace: each refused handshake as it happens, and the books of every listener at the end.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <set>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/selection.h"
#include "cli/terminal.h"
#include "cli/tracing.h"
#include "collect/bpf/handshake_tracer.h"
#include "collect/dead_syns.h"
#include "collect/local_addresses.h"
#include "diagnose/books.h"
#include "facts/socket_index.h"
#include "render/trace.h"

namespace acceptq::cli {
namespace {

using collect::bpf::HandshakeTracer;
using collect::bpf::RefusalRecord;

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::uint32_t kLinesPerSecond = 500;

collect::bpf::TraceOptions options_for(const TraceCommand& command, const facts::Snapshot& snapshot,
                                       const select::Selection& selected) {
  collect::bpf::TraceOptions options = trace_options(command.level);
  options.events_per_second = command.summary ? 0 : kLinesPerSecond;
  if (command.selectors.empty()) return options;
  for (const facts::Listener& listener : snapshot.listeners) {
    if (listener.protocol == facts::Protocol::kTcp && selected.holds(listener)) {
      options.selected.push_back({.netns = listener.netns, .port = listener.port});
    }
  }
  return options;
}

class Trace {
 public:
  Trace(const TraceCommand& command, HandshakeTracer tracer, collect::Scanner scanner,
        facts::Snapshot before, select::Selection selected)
      : command_(command),
        tracer_(std::move(tracer)),
        scanner_(std::move(scanner)),
        before_(std::move(before)),
        now_(before_),
        selected_(std::move(selected)),
        style_(style_of_stdout(command.color)),
        to_realtime_ns_(realtime_ns() - monotonic_ns()) {}

  int run() {
    const std::int64_t begin = monotonic_ns();
    const auto end = begin + static_cast<std::int64_t>(command_.seconds * kNsPerSecond);
    tracer_.start();
    while (!interrupted() && !is_enough() && !output_closed_ &&
           (command_.seconds <= 0 || monotonic_ns() < end)) {
      constexpr std::chrono::milliseconds kPatience(50);
      const Status polled =
          tracer_.poll(kPatience, [this](const RefusalRecord& record) { show(record.refusal); });
      if (!polled) {
        print_error(polled.error());
        return kExitBlind;
      }
    }
    if (output_closed_) return kExitNothingWrong;
    return summarize(static_cast<double>(monotonic_ns() - begin) / kNsPerSecond);
  }

 private:
  [[nodiscard]] bool is_enough() const { return command_.count > 0 && shown_ >= command_.count; }

  // Listeners come and go while they are traced, and a socket stays while the processes that hold
  // it change: a service is restarted behind its socket unit, a master ends and leaves its workers.
  const facts::Listener* listener_of(const facts::Refusal& refusal) {
    const facts::Listener* known = facts::find_listener(now_, refusal);
    if (!has_dead_owner(known)) {
      const bool recent = known != nullptr && monotonic_ns() < scanned_at_ns_ + kNsPerSecond;
      if (recent || monotonic_ns() < next_scan_ns_) return known;
    }
    // No more than a twentieth of one core for those that cannot be found.
    constexpr std::int64_t kRestFactor = 20;
    constexpr std::int64_t kShortestRestNs = kNsPerSecond / 5;
    const std::int64_t begin = monotonic_ns();
    if (auto snapshot = scanner_.scan(collect::ScanDepth::kFast)) now_ = std::move(*snapshot);
    scanned_at_ns_ = monotonic_ns();
    next_scan_ns_ =
        scanned_at_ns_ + std::max(kShortestRestNs, kRestFactor * (scanned_at_ns_ - begin));
    return facts::find_listener(now_, refusal);
  }

  static bool has_dead_owner(const facts::Listener* listener) {
    return listener != nullptr &&
           std::ranges::any_of(listener->owners, [](const facts::OwnerRef& owner) {
             return ::kill(owner.pid.value(), 0) != 0 && errno == ESRCH;
           });
  }

  void show(const facts::Refusal& refusal) {
    if (is_enough()) return;
    const facts::Listener* listener = listener_of(refusal);
    // Ports were chosen in the kernel; of several listeners on one, not all may be meant.
    if (!command_.selectors.empty() && listener != nullptr && !selected_.holds(*listener)) {
      return;
    }
    ++shown_;
    const std::int64_t at = refusal.at_ns + to_realtime_ns_;
    output_closed_ = !print_out(
        command_.json ? render::refusal_json(refusal, now_, listener, at)
                      : render::for_terminal(
                            style_, render::refusal_text(style_, refusal, now_, listener, at)));
  }

  int summarize(double seconds) {
    // In this order no ledger holds more than its namespace's counters grew by.
    auto ledgers = tracer_.books();
    auto dead_syns = tracer_.dead_syns();
    auto after = scanner_.scan(collect::ScanDepth::kFast);
    if (!after || !ledgers) {
      print_error(after ? ledgers.error() : after.error());
      return kExitBlind;
    }
    render::TraceSummary summary{.seconds = seconds, .hooks = hooks_text()};
    summary.books = books(*ledgers, *after);
    if (dead_syns && *dead_syns) {
      summary.dead_syns = silent(
          *collect::dead_syns_between({}, {.ledgers = {}, .dead_syns = std::move(*dead_syns)},
                                      [this](const std::set<NetnsId>& namespaces) {
                                        return collect::local_addresses(scanner_, namespaces);
                                      }));
    }
    for (facts::Ledger& ledger : *ledgers) {
      facts::keep_most_refused(ledger);
      if (command_.selectors.empty() || is_selected(ledger, *after)) {
        summary.ledgers.push_back(std::move(ledger));
      }
    }
    std::ranges::sort(summary.ledgers, [](const facts::Ledger& a, const facts::Ledger& b) {
      const std::uint64_t of_a = facts::refused_packets(a);
      const std::uint64_t of_b = facts::refused_packets(b);
      return of_a != of_b ? of_a > of_b : std::tie(a.netns, a.port) < std::tie(b.netns, b.port);
    });
    const collect::bpf::TraceLosses lost = tracer_.losses();
    summary.losses = {
        {"refusals not shown, more than were asked for", lost.suppressed},
        {"refusals not shown, as acceptq was too slow", lost.events},
        {"packets of listeners for which there was no room", lost.listeners},
        {"refused attempts forgotten, and counted again if they come back", lost.attempts},
        {"connections whose time in the queue was not measured", lost.waiting},
        {"accept() calls whose listener could not be told", lost.accepts},
        {"SYNs whose listener could not be told", lost.packets},
        {"kinds of SYNs dropped before a listener that were forgotten", lost.dead_syns},
        {"of these remainders, refused packets that were not seen", lost.refusals},
        {"events not looked at, as they interrupted the look at another", lost.runs}};
    const facts::Snapshot known = with_the_gone(std::move(*after));
    return finish(command_.json ? render::trace_summary_json(summary, known)
                                : render::trace_summary_text(style_, summary, known),
                  kExitNothingWrong);
  }

  [[nodiscard]] std::set<NetnsId> selected_namespaces(const facts::Snapshot& snapshot) const {
    std::set<NetnsId> namespaces;
    for (const facts::Listener& listener : snapshot.listeners) {
      if (selected_.holds(listener)) namespaces.insert(listener.netns);
    }
    return namespaces;
  }

  // Those that got no answer at all; of a selection, in its listeners' namespaces.
  [[nodiscard]] std::vector<facts::DeadSyn> silent(std::vector<facts::DeadSyn> syns) const {
    const std::set<NetnsId> meant = selected_namespaces(before_);
    std::erase_if(syns, [&](const facts::DeadSyn& syn) {
      return syn.after_syn || syn.reason == facts::kNoSocket ||
             (!command_.selectors.empty() && !meant.contains(syn.netns));
    });
    return syns;
  }

  // Also the listeners that were closed meanwhile, and whose they were.
  facts::Snapshot with_the_gone(facts::Snapshot after) const {
    std::vector<facts::Listener> gone;
    const facts::SocketIndex there(after.listeners);
    for (const facts::Listener& listener : before_.listeners) {
      if (there.find(listener) == nullptr) gone.push_back(listener);
    }
    std::ranges::move(gone, std::back_inserter(after.listeners));
    for (const facts::Process& process : before_.processes) {
      if (facts::find_process(after, process.pid) == nullptr) after.processes.push_back(process);
    }
    facts::normalize(after);
    return after;
  }

  bool is_selected(const facts::Ledger& ledger, const facts::Snapshot& after) const {
    const facts::Listener* listener = facts::find_listener(after, ledger);
    if (listener == nullptr) listener = facts::find_listener(before_, ledger);
    return listener != nullptr && selected_.holds(*listener);
  }

  std::vector<diagnose::NamespaceBook> books(const std::vector<facts::Ledger>& ledgers,
                                             const facts::Snapshot& after) const {
    std::vector<diagnose::NamespaceBook> books = diagnose::balance_books(ledgers, before_, after);
    diagnose::add_unattributed(before_, after, books);
    if (command_.selectors.empty()) return books;
    std::set<NetnsId> meant = selected_namespaces(before_);
    meant.merge(selected_namespaces(after));
    std::erase_if(books,
                  [&](const diagnose::NamespaceBook& book) { return !meant.contains(book.netns); });
    return books;
  }

  std::string hooks_text() const {
    const auto count = [this](collect::bpf::Hook::Kind kind) {
      return std::ranges::count(tracer_.hooks(), kind, &collect::bpf::Hook::kind);
    };
    using Kind = collect::bpf::Hook::Kind;
    std::string text = fmt::format("{} functions by fentry", count(Kind::kTrampoline));
    if (tracer_.source() == facts::Source::kTracepoints) {
      return fmt::format("{} tracepoints", count(Kind::kTracepoint));
    }
    if (const auto kprobes = count(Kind::kKprobe)) text += fmt::format(", {} by kprobe", kprobes);
    if (const auto missing = count(Kind::kMissing)) {
      text += fmt::format(", {} not in this kernel", missing);
    }
    return text;
  }

  const TraceCommand& command_;
  HandshakeTracer tracer_;
  collect::Scanner scanner_;
  facts::Snapshot before_;
  facts::Snapshot now_;
  select::Selection selected_;
  render::TermStyle style_;
  std::int64_t to_realtime_ns_;
  std::int64_t scanned_at_ns_ = 0;
  std::int64_t next_scan_ns_ = 0;
  std::uint64_t shown_ = 0;
  bool output_closed_ = false;
};

}  // namespace

int run_trace(const TraceCommand& command) {
  static_cast<void>(interrupted());  // Ctrl-C is ours from here on
  std::vector<select::Selector> selectors = command.selectors;
  if (const Status resolved = resolve(selectors); !resolved) {
    print_error(resolved.error());
    return code_of_selection(resolved.error());
  }
  if (const Status tcp = expect_tcp(selectors, "acceptq trace"); !tcp) {
    print_error(tcp.error());
    return kExitUsage;
  }
  collect::Scanner scanner({});
  // A visit to every namespace also gives each listener its cookie, by which tracing knows it.
  Result<facts::Snapshot> snapshot = scanner.scan(collect::ScanDepth::kComplete);
  if (!snapshot) {
    print_error(snapshot.error());
    return kExitBlind;
  }
  Result<select::Selection> selected = select::select(selectors, *snapshot, is_process);
  if (!selected) {
    print_error(selected.error());
    return code_of_selection(selected.error());
  }
  for (const std::string& warning : selected->warnings) {
    print_error({ErrorCode::kNotFound, 0, warning});
  }
  if (!selectors.empty() && selected->keys.empty()) return kExitBlind;  // what is meant is hidden
  Result<HandshakeTracer> tracer =
      HandshakeTracer::Create(options_for(command, *snapshot, *selected));
  if (!tracer) {
    print_error({tracer.error().code, tracer.error().sys_errno,
                 "cannot trace handshakes here (`acceptq check` works without tracing): " +
                     tracer.error().context});
    return kExitBlind;
  }
  // The hooks took a while: counters as they are now, right before the first refusal counts.
  Result<facts::Snapshot> before = scanner.scan(collect::ScanDepth::kFast);
  if (!before) {
    print_error(before.error());
    return kExitBlind;
  }
  return Trace(command, std::move(*tracer), std::move(scanner), std::move(*before),
               std::move(*selected))
      .run();
}

}  // namespace acceptq::cli
