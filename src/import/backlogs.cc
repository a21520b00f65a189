#include "import/backlogs.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/given_files.h"
#include "config/nginx_backlog.h"
#include "import/missing.h"

namespace acceptq::imports {
namespace {

using facts::Listener;

// False where the owners are known, and are other programs.
bool may_be_nginx(const Listener& listener, const facts::Snapshot& snapshot) {
  if (listener.owners.empty()) return true;
  return std::ranges::any_of(listener.owners, [&](const facts::OwnerRef& owner) {
    const facts::Process* process = facts::find_process(snapshot, owner.pid);
    return process != nullptr && process->comm.starts_with("nginx");
  });
}

class Backlogs {
 public:
  Backlogs(const facts::Namespace& ns, facts::Snapshot& snapshot) : ns_(ns), snapshot_(snapshot) {}

  void add(const Placed& placed) {
    const auto& server = std::get<ServerConfig>(placed.block->piece);
    const std::string at = place(placed.file, placed.block->line);
    const auto config =
        config::read_nginx_config(server.files.front().path, config::among(server.files));
    if (!config) {
      snapshot_.blind_spots.push_back(unread(at, config.error().message()));
      return;
    }
    // Each is looked for in the whole configuration.
    std::size_t looked_for = 0;
    constexpr std::size_t kMost = 1000;
    for (Listener& listener : snapshot_.listeners) {
      const bool counts = listener.netns == ns_.id && listener.limit &&
                          !listener.backlog_requested && may_be_nginx(listener, snapshot_);
      if (!counts || ++looked_for > kMost) continue;
      const auto backlog = config::nginx_backlog(*config, listener);
      if (backlog) add_to(listener, *backlog, at);
    }
  }

 private:
  void add_to(Listener& listener, const config::NginxBacklog& backlog, const std::string& at) {
    const std::uint64_t limit = listener.limit->value();
    const auto somaxconn = ns_.sysctls.find(facts::kSomaxconn);
    const bool has_somaxconn = somaxconn != ns_.sysctls.end();
    const std::uint64_t granted =
        has_somaxconn ? std::min<std::uint64_t>(backlog.value,
                                                static_cast<std::uint64_t>(somaxconn->second.value))
                      : std::min<std::uint64_t>(backlog.value, limit);
    const std::string asks =
        fmt::format("nginx asks for a backlog of {}{} at {}", backlog.value,
                    backlog.by_default ? ", its default," : "", facts::listener_endpoint(listener));
    if (granted != limit) {
      // Of another time, or of another nginx; or somaxconn is.
      snapshot_.blind_spots.push_back(
          {.id = "AQ622",
           .scope = at,
           .reason = fmt::format("by its configuration ({}) {}, and the queue's limit is {}",
                                 backlog.place, asks, limit),
           .cost = "nginx was not reloaded since one of them was changed, or they are of different "
                   "places"});
      return;
    }
    listener.backlog_requested = backlog.value;
    if (!facts::sampled_full(listener.accept_queue_len, *listener.limit)) return;
    snapshot_.blind_spots.push_back(
        {.id = "AQ622",
         .scope = at,
         .reason = fmt::format("by its configuration {}", asks),
         .cost =
             fmt::format("another number is given in {}: \"listen … backlog=N\"", backlog.place)});
  }

  const facts::Namespace& ns_;
  facts::Snapshot& snapshot_;
};

}  // namespace

void add_backlogs(const Scene& scene, const facts::Namespace& ns, facts::Snapshot& snapshot) {
  Backlogs backlogs(ns, snapshot);
  for (const Placed& placed : scene.configs) backlogs.add(placed);
}

}  // namespace acceptq::imports
