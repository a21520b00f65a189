// Who holds a listener open, and who of them can be taken for its server. A descriptor is no proof
// that its process ever calls accept(): a service manager keeps one for the service that it starts,
// and a helper may have inherited one that it knows nothing of.
#pragma once

#include <vector>

#include "facts/snapshot.h"

namespace acceptq::facts {

// Whether the process is systemd, the system's or a user's, which makes the listeners of its socket
// units (systemd.socket(5)) and keeps them open beside the service.
[[nodiscard]] bool is_socket_manager(const Process& process);

// Whether two processes run the same program: master and workers of one server.
[[nodiscard]] bool same_program(const Process& one, const Process& other);

struct Holders {
  std::vector<const Process*> servers;  // by pid; all but the manager
  const Process* manager = nullptr;

  // The first of the servers where all of them run one program; else null.
  [[nodiscard]] const Process* one_program() const;
  // Where all of them run one program, the one that started the others and knows how it was started
  // itself: the first whose parent is none of them.
  [[nodiscard]] const Process* master() const;
  // The first by pid of the servers, or the manager where there are none; null where no process is
  // known.
  [[nodiscard]] const Process* first() const;
};

// Pointers go into the snapshot.
[[nodiscard]] Holders holders_of(const Snapshot& snapshot, const Listener& listener);

}  // namespace acceptq::facts
