// The host as it is when something is about to be changed, and what acceptq changed before.
#pragma once

#include "base/result.h"
#include "collect/resize_journal.h"
#include "collect/scan.h"
#include "facts/snapshot.h"

namespace acceptq::cli {

struct HostNow {
  collect::Scanner scanner;
  facts::Snapshot snapshot;
  collect::ResizeJournal journal;

  [[nodiscard]] const facts::Resize* resize_of(const facts::Listener& listener) const {
    return facts::find_resize(journal.resizes, snapshot.host,
                              facts::find_namespace(snapshot, listener.netns), listener);
  }

  [[nodiscard]] collect::netns::Handle entrance(NetnsId id) const {
    return scanner.entrance(id).value_or(collect::netns::Handle{.id = id});
  }
};

// What of the journal cannot be read is said on stderr.
[[nodiscard]] Result<HostNow> look_at_host();

}  // namespace acceptq::cli
