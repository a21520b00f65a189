#include "cli/host_now.h"

#include <utility>

#include "apply/journal.h"
#include "cli/terminal.h"

namespace acceptq::cli {

Result<HostNow> look_at_host() {
  HostNow now{.scanner = collect::Scanner({}), .snapshot = {}, .journal = {}};
  Result<facts::Snapshot> snapshot = now.scanner.scan(collect::ScanDepth::kComplete);
  if (!snapshot) return fail(std::move(snapshot.error()));
  now.snapshot = std::move(*snapshot);
  now.journal = collect::read_resize_journal(apply::kRunRoot);
  for (const Error& error : now.journal.errors) print_error(error);
  return now;
}

}  // namespace acceptq::cli
