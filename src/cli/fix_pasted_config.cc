#include "cli/fix_pasted_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "cli/fix_edit.h"
#include "config/given_files.h"
#include "config/servers.h"

namespace acceptq::cli {
namespace {

// nginx, as far as a paste tells of it.
facts::Process nginx_of(const facts::Snapshot& snapshot, const facts::Listener& listener) {
  facts::Process nginx;
  nginx.comm = "nginx";
  const facts::Namespace* ns = facts::find_namespace(snapshot, listener.netns);
  if (ns != nullptr && ns->pasted) {
    nginx.pod = ns->pasted->pod;
    nginx.container = ns->pasted->container;
  }
  return nginx;
}

// What it was started with shows nowhere but in the first file that it names.
config::Invocation invocation_of(const imports::ServerFiles& server) {
  constexpr std::string_view kUsual = "/etc/nginx/nginx.conf";
  config::Invocation how{
      .program = "/usr/sbin/nginx", .arguments = {"nginx"}, .directory = "/", .pid = {}};
  const std::string& main = server.files.front().path;
  if (main != kUsual) how.arguments.insert(how.arguments.end(), {"-c", main});
  return how;
}

}  // namespace

void PastedConfigs::add_to(remedy::Plan& plan, const facts::Snapshot& snapshot,
                           const facts::Listener& listener) {
  // Without it the paste does not show that nginx asks for this listener's queue.
  if (!plan.target || !listener.backlog_requested) return;
  const auto server = std::ranges::find(configs_, listener.netns, &imports::ServerFiles::netns);
  if (server == configs_.end()) return;
  for (remedy::Knob& knob : plan.knobs) {
    const auto way = std::ranges::find_if(
        knob.ways, [](const remedy::Way& each) { return each.remedy.form == "application"; });
    if (way == knob.ways.end()) continue;
    const config::Wish wish{.listener = listener, .value = plan.target->limit};
    const config::Invocation how = invocation_of(*server);
    Result<config::Edit> edit = config::plan_edit(how, wish, config::among(server->files));
    if (!edit) {
      plan.notes.push_back(
          fmt::format("The configuration that was pasted: {}.", edit.error().message()));
      continue;
    }
    *edit = config::only_more(std::move(*edit), wish);
    for (const config::FileEdit& change : edit->files) {
      const auto file = std::ranges::find(server->files, change.path, &config::File::path);
      if (file != server->files.end()) file->text = change.after;
    }
    // Its master's pid is not among what nginx prints.
    if (edit->takes_effect.effect == config::Effect::kReload) {
      config::Command reload = how.arguments;
      reload.insert(reload.end(), {"-s", "reload"});
      edit->takes_effect = {.effect = config::Effect::kReloadByCommand, .commands = {reload}};
    }
    show_edit(*edit, nginx_of(snapshot, listener), *way);
    if (edit->files.empty()) continue;
    plan.notes.emplace_back(
        "The diff is of what was pasted. nginx prints a file by the name that leads to it: where "
        "that is a link, change what it leads to.");
  }
}

}  // namespace acceptq::cli
