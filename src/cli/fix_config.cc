#include "cli/fix_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "cli/fix_edit.h"
#include "collect/config_files.h"
#include "collect/procfs/process.h"
#include "config/servers.h"
#include "config/systemd_service.h"
#include "facts/holders.h"

namespace acceptq::cli {
namespace {

// Whoever called listen(): the manager of the socket unit, where that did.
const facts::Process* process_to_ask(const facts::Snapshot& snapshot,
                                     const facts::Listener& listener, bool by_unit) {
  const facts::Holders holders = facts::holders_of(snapshot, listener);
  if (by_unit) return holders.manager;
  return holders.master();
}

// A new file lies where the process looks for it only if both see the same mounts; of one that is
// there, the identity tells.
bool sees_our_mounts(const facts::Process& process) {
  const Result<std::string> own = read_link("/proc/self/ns/mnt");
  return own && read_link(fmt::format("/proc/{}/ns/mnt", process.pid.value())) == own;
}

}  // namespace

facts::Change ServerConfigs::change_of(const config::Edit& edit,
                                       const facts::Process& process) const {
  const bool is_new = std::ranges::any_of(
      edit.files, [](const config::FileEdit& file) { return !file.before.has_value(); });
  // The files of a container are its image's, or made from what it was started with.
  if (edit.files.empty() || process.pod || process.container) return {};
  if (is_new && !sees_our_mounts(process)) return {};
  facts::Change change;
  for (const config::FileEdit& file : edit.files) {
    const auto found = identities_.find({process.pid, file.path});
    change.files.push_back({.path = file.path,
                            .before = file.before,
                            .identity = found != identities_.end() ? found->second : std::nullopt,
                            .after = file.after});
  }
  const bool is_told = edit.takes_effect.effect == config::Effect::kReload;
  if (is_told || !edit.check.empty()) {
    change.reloads.push_back({.pid = process.pid,
                              .start_ticks = process.start_ticks,
                              .name = process.comm,
                              .signal = is_told ? edit.takes_effect.signal : 0,
                              .check = edit.check});
  }
  return change;
}

Result<config::Edit> ServerConfigs::edit_of(const facts::Process& process,
                                            const config::Wish& wish) {
  Result<collect::ConfigFiles> files = collect::ConfigFiles::of(process.pid, process.start_ticks);
  if (!files) return fail(files.error());
  const Result<config::Invocation> how = files->invocation();
  if (!how) return fail(how.error());
  const config::ReadFiles read = [&](const std::string& name) {
    Result<std::vector<config::File>> found = files->read(name);
    if (!found) return found;
    for (config::File& file : *found) {
      identities_[{process.pid, file.path}] = file.identity;
      const auto edited = edited_.find({process.pid, file.path});
      if (edited != edited_.end()) file.text = edited->second;
    }
    return found;
  };
  Result<config::Edit> edit = config::plan_edit(*how, wish, read);
  if (!edit) return edit;
  *edit = config::only_more(std::move(*edit), wish);
  for (const config::FileEdit& file : edit->files) {
    edited_[{process.pid, file.path}] = file.after;
  }
  return edit;
}

// Its own setting, else its unit's, behind the command that helps at once; nothing where it has
// neither.
void ServerConfigs::add_descriptors(remedy::Way& way, const facts::Snapshot& snapshot,
                                    const facts::Listener& listener) {
  const facts::Process* process = process_to_ask(snapshot, listener, false);
  if (process == nullptr) return;
  Result<config::Edit> edit = edit_if_known(
      *process,
      {.listener = listener, .setting = config::Setting::kOpenFiles, .value = *way.descriptors});
  if (!edit || edit->files.empty()) edit = edit_of_unit(*process, *way.descriptors);
  if (!edit || edit->files.empty()) return;
  way.pieces = {{.where = "at once", .text = way.remedy.content}};
  std::ranges::move(pieces_of(*edit, *process), std::back_inserter(way.pieces));
}

// Its own bound on connections or workers, where a number is advised or was given.
void ServerConfigs::add_connections(remedy::Way& way, const facts::Snapshot& snapshot,
                                    const facts::Listener& listener) {
  const facts::Process* process = process_to_ask(snapshot, listener, false);
  if (process == nullptr) return;
  const Result<config::Edit> edit = edit_if_known(
      *process,
      {.listener = listener, .setting = config::Setting::kConnections, .value = *way.connections});
  if (!edit) return;
  const bool changes = !edit->files.empty() || !edit->option.empty();
  if (!changes) {
    if (!edit->note.empty()) way.remedy.summary += " " + edit->note + ".";
    return;
  }
  way.remedy.summary += " " + summary_of(*edit, *process);
  way.remedy.takes_effect = takes_effect(*edit, *process);
  way.pieces = pieces_of(*edit, *process);
}

Result<config::Edit> ServerConfigs::edit_if_known(const facts::Process& process,
                                                  const config::Wish& wish) {
  if (!process.exe || !config::knows_server(*process.exe)) {
    return fail(ErrorCode::kUnsupported, "its configuration is not known here");
  }
  return edit_of(process, wish);
}

// The system's manager reads its units itself; where another program is the first, no unit of its
// is meant by the names of control groups.
Result<config::Edit> ServerConfigs::edit_of_unit(const facts::Process& process,
                                                 std::uint32_t descriptors) {
  const auto unit = process.cgroup && !process.pod && !process.container
                        ? config::service_of_cgroup(*process.cgroup)
                        : std::nullopt;
  const Result<facts::Process> manager =
      collect::procfs::read_process("/proc", Pid(1), collect::procfs::ExeLink::kLeaveOut);
  if (!unit || !manager || !facts::is_socket_manager(*manager)) {
    return fail(ErrorCode::kNotFound, "no unit of systemd");
  }
  Result<collect::ConfigFiles> files = collect::ConfigFiles::of(manager->pid, manager->start_ticks);
  if (!files) return fail(files.error());
  return config::edit_limit_nofile(*unit, descriptors,
                                   [&](const std::string& name) { return files->read(name); });
}

void ServerConfigs::add_to(remedy::Plan& plan, const facts::Snapshot& snapshot,
                           const facts::Listener& listener) {
  for (remedy::Way& way : plan.first) {
    if (way.descriptors) add_descriptors(way, snapshot, listener);
    if (way.connections) add_connections(way, snapshot, listener);
  }
  if (!plan.target) return;
  for (remedy::Knob& knob : plan.knobs) {
    const auto way = std::ranges::find_if(knob.ways, [](const remedy::Way& each) {
      return each.remedy.form == "application" || each.remedy.form == "systemd.socket";
    });
    if (way == knob.ways.end()) continue;
    const facts::Process* process =
        process_to_ask(snapshot, listener, way->remedy.form == "systemd.socket");
    if (process == nullptr || !process->exe || !config::knows_server(*process->exe)) continue;
    const Result<config::Edit> edit =
        edit_of(*process, {.listener = listener, .value = plan.target->limit});
    if (!edit) {
      plan.notes.push_back(
          fmt::format("The server's own configuration: {}.", edit.error().message()));
      continue;
    }
    show_edit(*edit, *process, *way);
    way->change = change_of(*edit, *process);
  }
}

}  // namespace acceptq::cli
