// How a change of a server's configuration takes effect: as data, to be shown or to be done.
#pragma once

#include <string>
#include <vector>

#include "base/units.h"

namespace acceptq::config {

// A program, found on PATH, and its arguments: never a line for a shell to take apart, since names
// of files and units come from whoever wrote the configuration.
using Command = std::vector<std::string>;

enum class Effect {
  kReload,            // `signal` to `process`, which goes on serving
  kReloadByCommand,   // the same by `commands`, where its master is not known
  kRestartByCommand,  // `commands`, which end what holds the socket and start it anew
  kRestart,           // the server is started anew, by whatever starts it
};

struct TakesEffect {
  Effect effect = Effect::kRestart;
  int signal = 0;                 // of kReload
  Pid process;                    // of kReload: the server's master, as Invocation::pid calls it
  std::vector<Command> commands;  // of the other two: each only where the one before succeeded

  friend bool operator==(const TakesEffect&, const TakesEffect&) = default;
};

[[nodiscard]] inline TakesEffect by_restart() { return {}; }
[[nodiscard]] TakesEffect by_signal(int signal, Pid process);
[[nodiscard]] TakesEffect by_commands(std::vector<Command> commands);

// "reload" or "restart": what becomes of its connections.
[[nodiscard]] std::string kind_of(const TakesEffect& effect);
// As a line for a shell: "kill -HUP 812", "systemctl daemon-reload && systemctl restart x.socket";
// empty where nothing but a restart is known.
[[nodiscard]] std::string shell_line(const TakesEffect& effect);
[[nodiscard]] std::string shell_line(const Command& command);

}  // namespace acceptq::config
