// acceptq fix: the server's own configuration, as a diff of the files that it reads.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/units.h"
#include "config/edit.h"
#include "facts/change.h"
#include "facts/snapshot.h"
#include "remedy/plan.h"

namespace acceptq::cli {

// What one run shows: each diff begins where those before it end, so that all of them can be
// applied in their order, as two listens of one file need.
class ServerConfigs {
 public:
  // Reads what the server that holds the listener reads, on this host, through its master or the
  // manager of its socket unit, and has the knob of its own backlog say how its files are edited:
  // as `server.config` in place of `application`, or within `systemd.socket`. Where that fails, a
  // note says why. Where descriptors have run out, the server's own bound on them is edited,
  // too, or that of its unit of systemd; at its own bound on connections or workers, that one.
  void add_to(remedy::Plan& plan, const facts::Snapshot& snapshot, const facts::Listener& listener);

 private:
  void add_descriptors(remedy::Way& way, const facts::Snapshot& snapshot,
                       const facts::Listener& listener);
  void add_connections(remedy::Way& way, const facts::Snapshot& snapshot,
                       const facts::Listener& listener);
  [[nodiscard]] Result<config::Edit> edit_of(const facts::Process& process,
                                             const config::Wish& wish);
  [[nodiscard]] facts::Change change_of(const config::Edit& edit,
                                        const facts::Process& process) const;
  [[nodiscard]] Result<config::Edit> edit_if_known(const facts::Process& process,
                                                   const config::Wish& wish);
  [[nodiscard]] static Result<config::Edit> edit_of_unit(const facts::Process& process,
                                                         std::uint32_t descriptors);

  using ProcessAndPath = std::pair<Pid, std::string>;
  std::map<ProcessAndPath, std::string> edited_;  // the new text
  std::map<ProcessAndPath, std::optional<facts::FileIdentity>> identities_;
};

}  // namespace acceptq::cli
