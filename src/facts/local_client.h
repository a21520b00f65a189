// A process of this host that is a client of a listener in trouble.
#pragma once

#include <cstdint>
#include <string>

#include "base/units.h"
#include "facts/address.h"

namespace acceptq::facts {

// Its connections to the listener at the end of the observation.
struct LocalClient {
  Pid pid;
  std::string comm;
  IpAddress address;  // by which it calls the listener; of a Unix socket 0.0.0.0
  // In SYN_SENT: nothing has answered them. Of a Unix socket: in its accept queue.
  std::uint32_t connecting = 0;
  std::uint32_t connected = 0;  // whether accept() took them, this end does not know

  friend bool operator==(const LocalClient&, const LocalClient&) = default;
};

}  // namespace acceptq::facts
