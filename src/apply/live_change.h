// A live resize with its journal: kept before the first change, so that whatever happens can be
// undone.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apply/journal.h"
#include "apply/resize.h"
#include "facts/resize.h"

namespace acceptq::apply {

struct LiveOutcome {
  ResizeOutcome resize;
  // Of the journal, after a change was made: it was begun there, and how it ended is not.
  std::vector<Error> journal_errors;
};

// Executes the plan. `earlier` is the journal as it was read; a socket in it whose limit is still
// what acceptq gave it keeps the server's own limit as the one to go back to.
[[nodiscard]] LiveOutcome change_live(const facts::Snapshot& snapshot, const ResizePlan& plan,
                                      const collect::netns::Handle& entrance,
                                      const std::vector<facts::Resize>& earlier,
                                      const Journal& journal, const std::string& why);

// One listener and what the journal says of it.
struct Undo {
  facts::Listener listener;
  facts::Resize resize;
};

struct UndoOutcome {
  LiveOutcome live;
  // Of a somaxconn that was kept raised, or left so by an acceptq that was killed.
  std::optional<SomaxconnOutcome> somaxconn;
};

// Gives listeners of one namespace the limits back that they had, in the order given, each only
// where the present limit is acceptq's and no more wait than fit; and puts somaxconn back where it
// was left raised and is still what acceptq made it.
[[nodiscard]] UndoOutcome undo_live(const facts::Snapshot& snapshot, const std::vector<Undo>& undos,
                                    const collect::netns::Handle& entrance, const Journal& journal);

}  // namespace acceptq::apply
