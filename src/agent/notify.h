// What a service tells its manager: the protocol of sd_notify(3), one datagram a message, in a few
// lines of our own rather than by libsystemd, which would be a dependency of the whole binary.
// Without a manager ($NOTIFY_SOCKET is unset) every call does nothing and succeeds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace acceptq::agent {

class Notifier {
 public:
  // From $NOTIFY_SOCKET: a path, "@NAME" in the abstract namespace, or empty for none.
  explicit Notifier(std::string socket);
  [[nodiscard]] static Notifier from_environment();

  // Serves from now on; also ends reloading().
  [[nodiscard]] Status ready() const;
  // `now_ns` is monotonic_ns(): the manager tells by it which ready() is the answer (systemd 253,
  // Type=notify-reload; earlier ones ignore it).
  [[nodiscard]] Status reloading(std::int64_t now_ns) const;
  [[nodiscard]] Status stopping() const;
  [[nodiscard]] Status watchdog() const;  // is alive
  // One line for `systemctl status`; newlines become blanks.
  [[nodiscard]] Status status(std::string_view text) const;

 private:
  [[nodiscard]] Status send(std::string_view message) const;
  std::string socket_;
};

}  // namespace acceptq::agent
