// What a scenario has built inside its sandbox: namespaces, storage, servers and loads, and what
// can be done to them. Lives in the sandbox's PID 1; ends with it.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "base/result.h"
#include "lab/cgroups.h"
#include "lab/load.h"
#include "lab/network.h"
#include "lab/scenario.h"
#include "lab/tools.h"

namespace acceptq::lab {

class World {
 public:
  // Makes namespaces and storage. `slowfs` is the program acceptq-slowfs,
  // for a scenario with storage.
  // `cgroups`: null where no server needs one.
  [[nodiscard]] static Result<World> create(const Scenario& scenario, const std::string& slowfs,
                                            const Cgroups* cgroups);

  [[nodiscard]] const Network& network() const { return network_; }

  // Starts a server that does not run and waits until it listens; its files are written at its
  // first start.
  [[nodiscard]] Status start(const std::string& server);
  // Ends it (SIGQUIT would wait for clients; SIGTERM, then SIGKILL) and waits for its end.
  [[nodiscard]] Status stop(const std::string& server);
  [[nodiscard]] Status signal(const SignalStep& step) const;
  // Freezes or thaws.
  [[nodiscard]] Status freeze(const FreezeStep& step) const;
  [[nodiscard]] Status edit(const EditStep& step) const;
  [[nodiscard]] Status change_storage(const StorageStep& step) const;
  // A load that does not run.
  [[nodiscard]] Status start_load(const std::string& name, double rate_per_s);
  // A load that runs.
  [[nodiscard]] Result<LoadResult> end_load(const std::string& name);
  [[nodiscard]] const std::map<std::string, Load>& loads() const { return loads_; }

  // `ss` and `nstat` in a namespace of the scenario.
  [[nodiscard]] Result<std::optional<QueueLine>> queue(const std::string& netns,
                                                       std::uint16_t port) const;
  [[nodiscard]] Result<std::map<std::string, std::uint64_t>> counters(
      const std::string& netns) const;

 private:
  World(const Scenario& scenario, Network network, const Cgroups* cgroups);
  [[nodiscard]] Status mount_storage(const StorageSpec& spec, const std::string& slowfs);
  [[nodiscard]] std::string server_dir(const std::string& name) const;

  const Scenario* scenario_;
  Network network_;
  const Cgroups* cgroups_;
  std::map<std::string, std::string> values_;  // "@storage.images@" and what it stands for
  std::map<std::string, pid_t> servers_;
  std::map<std::string, pid_t> storage_;  // their daemons
  std::map<std::string, Load> loads_;
};

}  // namespace acceptq::lab
