#include "lab/world.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>

#include "base/file.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "lab/process.h"
#include "lab/sandbox.h"

namespace acceptq::lab {
namespace {

std::string folder_of(const char* kind, const std::string& name) {
  return fmt::format("{}/{}-{}", kSandboxFolder, kind, name);
}

Status write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return fail(ErrorCode::kIo, "cannot write " + path);
  return {};
}

Status make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0) return fail_errno(errno, "cannot make " + path);
  return {};
}

// The end of what a program wrote, to go behind an error.
std::string last_words(const std::string& output_path) {
  constexpr std::size_t kMost = 2000;
  const Result<std::string> read = read_file(output_path);
  std::string_view text = read ? trim(*read) : std::string_view();
  if (text.empty()) return ", and wrote nothing";
  if (text.size() > kMost) text.remove_prefix(text.size() - kMost);
  return fmt::format("; it wrote: {}", text);
}

template <typename Spec>
const Spec& spec_of(const std::vector<Spec>& specs, const std::string& name) {
  return *std::ranges::find(specs, name, &Spec::name);  // the reader checked every name
}

}  // namespace

World::World(const Scenario& scenario, Network network, const Cgroups* cgroups)
    : scenario_(&scenario), network_(std::move(network)), cgroups_(cgroups) {}

Result<World> World::create(const Scenario& scenario, const std::string& slowfs,
                            const Cgroups* cgroups) {
  Result<Network> network = Network::create(scenario.namespaces);
  if (!network) return fail(network.error());
  World world(scenario, std::move(*network), cgroups);
  for (const StorageSpec& spec : scenario.storage) {
    if (const Status mounted = world.mount_storage(spec, slowfs); !mounted) {
      return fail(mounted.error());
    }
  }
  return world;
}

std::string World::server_dir(const std::string& name) const { return folder_of("server", name); }

Status World::mount_storage(const StorageSpec& spec, const std::string& slowfs) {
  const std::string backing = folder_of("files", spec.name);
  const std::string mountpoint = folder_of("storage", spec.name);
  const std::string control = folder_of("control", spec.name);
  if (const Status made = make_folder(backing); !made) return made;
  if (const Status made = make_folder(mountpoint); !made) return made;
  for (const auto& [name, size] : spec.files) {
    if (const Status wrote =
            write_text(fmt::format("{}/{}", backing, name), std::string(size, 'x'));
        !wrote) {
      return wrote;
    }
  }
  if (::mkfifo(control.c_str(), 0600) != 0) return fail_errno(errno, "cannot make " + control);
  SpawnOptions options;
  options.command = {slowfs,      mountpoint,
                     "--backing", backing,
                     "--open-ms", std::to_string(spec.open_ms),
                     "--read-ms", std::to_string(spec.read_ms),
                     "--control", control};
  if (spec.direct_io) options.command.emplace_back("--direct-io");
  options.output_path = folder_of("log", spec.name);
  const Result<pid_t> pid = spawn(options);
  if (!pid) return fail(pid.error());
  storage_[spec.name] = *pid;
  const bool ready = eventually(
      [&] {
        const Result<std::string> log = read_file(options.output_path);
        return log && log->find("ready") != std::string::npos;
      },
      5);
  if (!ready) {
    return fail(ErrorCode::kIo,
                "storage " + spec.name + " does not mount" + last_words(options.output_path));
  }
  values_["storage." + spec.name] = mountpoint;
  return {};
}

Status World::start(const std::string& name) {
  const ServerSpec& spec = spec_of(scenario_->servers, name);
  // It would be lost: nothing could stop or signal it any more.
  if (const auto running = servers_.find(name);
      running != servers_.end() && group_runs(running->second)) {
    return fail(ErrorCode::kMalformed,
                "server " + name + " runs already; stop it first, or restart it");
  }
  std::map<std::string, std::string> values = values_;
  values["dir"] = server_dir(name);
  if (::access(server_dir(name).c_str(), F_OK) != 0) {
    if (const Status made = make_folder(server_dir(name)); !made) return made;
    for (const auto& [file, text] : spec.files) {
      const Status wrote = write_text(server_dir(name) + "/" + file, substitute(text, values));
      if (!wrote) return wrote;
    }
  }
  SpawnOptions options;
  for (const std::string& word : spec.command) options.command.push_back(substitute(word, values));
  options.netns_fd = network_.fd(spec.netns);
  options.directory = server_dir(name);
  options.environment = spec.environment;
  options.output_path = server_dir(name) + "/output.log";
  options.open_files = spec.open_files;
  if (cgroups_ != nullptr) {
    Result<std::vector<std::string>> procs = cgroups_->make(*scenario_, spec);
    if (!procs) return fail(procs.error());
    options.cgroup_procs = *std::move(procs);
  }
  const Result<pid_t> pid = spawn(options);
  if (!pid) return fail(pid.error());
  servers_[name] = *pid;
  if (spec.ready_port == 0) return {};
  bool listens = false;
  bool runs = true;
  static_cast<void>(eventually(
      [&] {
        runs = group_runs(*pid);
        const auto line = queue(spec.netns, spec.ready_port);
        listens = line && line->has_value();
        return listens || !runs;
      },
      spec.ready_within_s));
  if (listens) return {};
  return fail(ErrorCode::kIo, fmt::format("server {} {} on port {}{}", name,
                                          runs ? "does not listen" : "ended before it listened",
                                          spec.ready_port, last_words(options.output_path)));
}

Status World::stop(const std::string& name) {
  const auto it = servers_.find(name);
  if (it == servers_.end()) return fail(ErrorCode::kNotFound, "server " + name + " does not run");
  const pid_t leader = it->second;
  const ServerSpec& spec = spec_of(scenario_->servers, name);
  if (cgroups_ != nullptr) {
    if (Status thawed = cgroups_->thaw(*scenario_, spec); !thawed) return thawed;
  }
  servers_.erase(it);
  if (!end_group(leader, SIGTERM, 2)) static_cast<void>(end_group(leader, SIGKILL, 2));
  ::kill(-leader, SIGKILL);  // workers that outlived it
  if (spec.ready_port == 0) return {};
  // Its socket lives until the last worker is gone, which may still wait for storage.
  const bool gone = eventually(
      [&] {
        const auto line = queue(spec.netns, spec.ready_port);
        return line && !line->has_value();
      },
      10);
  if (!gone) return fail(ErrorCode::kIo, "server " + name + " does not end");
  return {};
}

Status World::signal(const SignalStep& step) const {
  if (!step.storage.empty()) {
    if (::kill(storage_.at(step.storage), step.signal) == 0) return {};
    return fail_errno(errno, "cannot signal storage " + step.storage);
  }
  const auto it = servers_.find(step.server);
  if (it == servers_.end()) {
    return fail(ErrorCode::kNotFound, "server " + step.server + " does not run");
  }
  if (::kill(step.whole_group ? -it->second : it->second, step.signal) != 0) {
    return fail_errno(errno, "cannot signal server " + step.server);
  }
  return {};
}

Status World::freeze(const FreezeStep& step) const {
  const bool started = std::ranges::any_of(scenario_->servers, [&](const ServerSpec& spec) {
    return servers_.count(spec.name) != 0 &&
           (step.group.empty() ? spec.name == step.server : spec.group == step.group);
  });
  if (!started || cgroups_ == nullptr) {
    return fail(ErrorCode::kNotFound, step.group.empty()
                                          ? "server " + step.server + " does not run"
                                          : "no server of group " + step.group + " runs");
  }
  return cgroups_->freeze(*scenario_, step);
}

Status World::edit(const EditStep& step) const {
  const std::string path = server_dir(step.server) + "/" + step.file;
  Result<std::string> text = read_file(path);
  if (!text) return fail(text.error());
  const std::size_t at = text->find(step.replace);
  if (at == std::string::npos) {
    return fail(ErrorCode::kNotFound, fmt::format("\"{}\" is not in {}", step.replace, path));
  }
  text->replace(at, step.replace.size(), step.with);
  return write_text(path, *text);
}

Status World::change_storage(const StorageStep& step) const {
  const std::string control = folder_of("control", step.storage);
  const UniqueFd fifo(::open(control.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fifo.valid()) return fail_errno(errno, "storage " + step.storage + " does not listen");
  std::string lines;
  if (step.open_ms) lines += fmt::format("open-ms {}\n", *step.open_ms);
  if (step.read_ms) lines += fmt::format("read-ms {}\n", *step.read_ms);
  if (step.stalled) lines += *step.stalled ? "stall\n" : "resume\n";
  if (::write(fifo.get(), lines.data(), lines.size()) != static_cast<ssize_t>(lines.size())) {
    return fail_errno(errno, "cannot change storage " + step.storage);
  }
  return {};
}

Status World::start_load(const std::string& name, double rate_per_s) {
  const LoadSpec& spec = spec_of(scenario_->loads, name);
  Result<Load> load =
      Load::start(spec, rate_per_s, network_.fd(spec.netns), folder_of("load", name));
  if (!load) return fail(load.error());
  loads_.emplace(name, *std::move(load));
  return {};
}

Result<LoadResult> World::end_load(const std::string& name) {
  auto load = loads_.extract(name);
  if (load.empty()) return fail(ErrorCode::kNotFound, "load " + name + " does not run");
  return load.mapped().end();
}

Result<std::optional<QueueLine>> World::queue(const std::string& netns, std::uint16_t port) const {
  const Result<std::string> text = run_command({"ss", "-Hlnt"}, network_.fd(netns));
  if (!text) return fail(text.error());
  return parse_ss(*text, port);
}

Result<std::map<std::string, std::uint64_t>> World::counters(const std::string& netns) const {
  const Result<std::string> text = run_command({"nstat", "-asz"}, network_.fd(netns));
  if (!text) return fail(text.error());
  return parse_nstat(*text);
}

}  // namespace acceptq::lab
