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
  IpAddress address;             // by which it calls the listener
  std::uint32_t connecting = 0;  // in SYN_SENT: nothing has answered them
  std::uint32_t connected = 0;   // whether accept() took them, this end does not know

  friend bool operator==(const LocalClient&, const LocalClient&) = default;
};

}  // namespace acceptq::facts
