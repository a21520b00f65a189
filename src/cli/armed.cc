#include "cli/armed.h"

#include <fmt/format.h>

#include <optional>

#include "base/bytes.h"
#include "cli/incident_command.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "cli/tracing.h"
#include "collect/await_overflow.h"
#include "select/selection.h"

namespace acceptq::cli {
namespace {

// Refusals come by the thousand; what is needed of each listener's is that there is one, and the
// last.
constexpr std::uint32_t kRefusalsPerSecond = 2000;
constexpr std::uint32_t kRefusalsPerListener = 20;

std::string waiting_text(double elapsed, bool overflowed) {
  const auto seconds = static_cast<long>(elapsed);
  return fmt::format("{}, {}:{:02}:{:02}",
                     overflowed ? "overflow, watching on" : "armed, nothing refused yet",
                     seconds / 3600, seconds / 60 % 60, seconds % 60);
}

}  // namespace

Result<facts::Observation> await_on_host(const CheckOptions& options,
                                         const std::vector<select::Selector>& selectors) {
  Progress progress;
  std::optional<IncidentCommand> command;
  bool overflowed = false;
  collect::AwaitOptions await;
  await.seconds = options.seconds;
  await.scan.method = options.scan;
  await.trace = trace_options(options.tracing);
  await.trace.events_per_second = kRefusalsPerSecond;
  await.trace.events_per_listener = kRefusalsPerListener;
  if (!selectors.empty()) await.concerns = select::selected_by(selectors);
  await.progress = [&](double elapsed) {
    progress.show(waiting_text(elapsed, overflowed));
    return !interrupted().load();
  };
  await.on_overflow = [&](const facts::Snapshot&, const facts::Listener* listener) {
    overflowed = true;
    if (options.exec.empty()) return;
    auto started = IncidentCommand::Start(options.exec, listener);
    if (started) {
      command = *started;
    } else {
      print_error(started.error());
    }
  };
  Result<facts::Observation> observation = collect::await_overflow(await);
  progress.clear();
  if (command) {
    if (const auto bad_end = command->wait()) {
      print_error({ErrorCode::kIo, 0, "the command of --exec: " + *bad_end});
    }
  }
  return observation;
}

}  // namespace acceptq::cli
