#include "lab/cgroups.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "lab/process.h"

namespace acceptq::lab {
namespace {

constexpr int kPeriodUs = 100'000;  // the kernel's default
constexpr double kRemoveWithinS = 10;

int quota_us(double cores) {
  constexpr double kLeastUs = 1000;  // less is EINVAL
  return static_cast<int>(std::lround(std::max(kLeastUs, cores * kPeriodUs)));
}

bool has_word(std::string_view words, std::string_view word) {
  return std::ranges::count(split_blank(words), word) > 0;
}

struct Usable {
  Hierarchy hierarchy;
  bool enabled_here = false;  // v2: the controller was off for groups below the mount
};

Result<Usable> usable_for_cpu(const Hierarchy& hierarchy) {
  if (!hierarchy.v2) return Usable{.hierarchy = hierarchy};
  const Result<std::string> available = read_file(hierarchy.mount + "/cgroup.controllers");
  if (!available) return fail(available.error());
  if (!has_word(*available, "cpu")) {
    return fail(ErrorCode::kUnsupported, hierarchy.mount + " has no controller cpu");
  }
  const std::string control = hierarchy.mount + "/cgroup.subtree_control";
  const Result<std::string> enabled = read_file(control);
  if (!enabled) return fail(enabled.error());
  if (has_word(*enabled, "cpu")) return Usable{.hierarchy = hierarchy};
  // EBUSY in a container, whose root of cgroups holds processes.
  if (const Status done = write_setting(control, "+cpu"); !done) return fail(done.error());
  return Usable{.hierarchy = hierarchy, .enabled_here = true};
}

Result<Usable> find_usable(std::string_view controller) {
  const Result<std::string> mountinfo = read_file("/proc/self/mountinfo");
  if (!mountinfo) return fail(mountinfo.error());
  std::string reasons;
  for (const Hierarchy& hierarchy : parse_hierarchies(*mountinfo, controller)) {
    // Freezing is no controller of v2: every group but the topmost has cgroup.freeze (since 5.2).
    Result<Usable> found =
        controller == "cpu" ? usable_for_cpu(hierarchy) : Usable{.hierarchy = hierarchy};
    if (found) return found;
    reasons += (reasons.empty() ? "" : "; ") + found.error().message();
  }
  return fail(
      ErrorCode::kUnsupported,
      reasons.empty()
          ? fmt::format("no cgroup file system with the controller {} is mounted", controller)
          : reasons);
}

// Folders of `parent` whose names begin with `prefix`.
std::vector<std::string> groups_of(const std::string& parent, std::string_view prefix) {
  std::vector<std::string> paths;
  DIR* const folder = ::opendir(parent.c_str());
  if (folder == nullptr) return paths;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name.starts_with(prefix) && !name.starts_with('.')) {
      paths.push_back(fmt::format("{}/{}", parent, name));
    }
  }
  ::closedir(folder);
  return paths;
}

// The lab's groups in a mount, those within others before these.
std::vector<std::string> groups_to_remove(const std::string& mount, const std::string& prefix) {
  std::vector<std::string> paths;
  for (const std::string& outer : groups_of(mount, prefix)) {
    for (const std::string& inner : groups_of(outer, "")) paths.push_back(inner);
    paths.push_back(outer);
  }
  return paths;
}

Status write_frozen(const Hierarchy& hierarchy, const std::string& group, bool frozen) {
  return hierarchy.v2 ? write_setting(group + "/cgroup.freeze", frozen ? "1" : "0")
                      : write_setting(group + "/freezer.state", frozen ? "FROZEN" : "THAWED");
}

bool is_frozen(const Hierarchy& hierarchy, const std::string& group) {
  const Result<std::string> state =
      read_file(group + (hierarchy.v2 ? "/cgroup.events" : "/freezer.state"));
  // v1 says FREEZING until the last process is.
  return state && state->find(hierarchy.v2 ? "frozen 1" : "FROZEN") != std::string::npos;
}

// A group is busy until the kernel has ended the last process in it.
bool remove_groups(const Hierarchy& hierarchy, const std::string& prefix, bool thaw) {
  return eventually(
      [&] {
        const std::vector<std::string> paths = groups_to_remove(hierarchy.mount, prefix);
        // All before the first is removed: one stays frozen while the one around it is.
        for (const std::string& path : paths) {
          if (thaw) static_cast<void>(write_frozen(hierarchy, path, false));
        }
        for (const std::string& path : paths) {
          if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return false;
        }
        return true;
      },
      kRemoveWithinS);
}

struct Found {
  std::optional<Usable> cpu;
  std::optional<Usable> freezer;
};

// Outlives whoever forked it: Ctrl-C and the end of a terminal do not reach it, and it keeps
// nobody's output open.
[[noreturn]] void run_janitor(int alive, const Found& found, const std::string& prefix) {
  ::prctl(PR_SET_NAME, "acceptq-janitor");
  ::setsid();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
  constexpr int kAlive = 3;
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(null, 1) < 0 || ::dup2(null, 2) < 0) ::_exit(1);
  if (alive != kAlive && ::dup2(alive, kAlive) < 0) ::_exit(1);
  ::closefrom(kAlive + 1);
  char byte = 0;
  while (::read(kAlive, &byte, 1) < 0 && errno == EINTR) {
  }
  // First what may be frozen: nothing of the sandbox ends before.
  bool removed = true;
  if (found.freezer) removed = remove_groups(found.freezer->hierarchy, prefix, true);
  if (found.cpu) removed = remove_groups(found.cpu->hierarchy, prefix, false) && removed;
  // Another that has come to need it meanwhile makes this fail, rightly.
  if (found.cpu && found.cpu->enabled_here) {
    static_cast<void>(
        write_setting(found.cpu->hierarchy.mount + "/cgroup.subtree_control", "-cpu"));
  }
  ::_exit(removed ? 0 : 1);
}

Status make_group(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return fail_errno(errno, "cannot make the cgroup " + path);
}

Status set_quota(const Hierarchy& hierarchy, const std::string& group,
                 const std::optional<double>& cores) {
  if (!cores) return {};
  return hierarchy.v2
             ? write_setting(group + "/cpu.max", cpu_max(*cores))
             : write_setting(group + "/cpu.cfs_quota_us", std::to_string(quota_us(*cores)));
}

// Names of servers have no dot: no group is taken for a server.
std::string group_folder(const std::string& name) { return name + ".group"; }

std::string server_folder(const ServerSpec& server) {
  return server.group.empty() ? server.name : group_folder(server.group) + "/" + server.name;
}

}  // namespace

std::vector<Hierarchy> parse_hierarchies(std::string_view mountinfo,
                                         std::string_view v1_controller) {
  std::vector<Hierarchy> v1;
  std::vector<Hierarchy> v2;
  while (!mountinfo.empty()) {
    const std::vector<std::string_view> fields = split_blank(next_line(mountinfo));
    const auto dash = std::ranges::find(fields, "-");
    if (dash - fields.begin() < 6 || fields.end() - dash < 4) continue;
    const std::string_view mount = fields[4];
    if (mount.find('\\') != std::string_view::npos) continue;
    if (dash[1] == "cgroup2") v2.push_back({.mount = std::string(mount), .v2 = true});
    if (dash[1] == "cgroup" && std::ranges::count(split(dash[3], ','), v1_controller) > 0) {
      v1.push_back({.mount = std::string(mount), .v2 = false});
    }
  }
  v1.insert(v1.end(), v2.begin(), v2.end());
  return v1;
}

std::string cpu_max(double cores) { return fmt::format("{} {}", quota_us(cores), kPeriodUs); }

Cgroups::Cgroups(std::optional<Hierarchy> cpu, std::optional<Hierarchy> freezer, std::string prefix,
                 UniqueFd alive, pid_t janitor)
    : cpu_(std::move(cpu)),
      freezer_(std::move(freezer)),
      prefix_(std::move(prefix)),
      alive_(std::move(alive)),
      janitor_(janitor) {}

Result<Cgroups> Cgroups::create(CgroupNeed need) {
  Found found;
  std::optional<Hierarchy> cpu;
  std::optional<Hierarchy> freezer;
  if (need.freezer) {
    const Result<Usable> usable = find_usable("freezer");
    if (!usable) return fail(usable.error());
    found.freezer = *usable;
    freezer = usable->hierarchy;
  }
  // Last, since it may switch a controller on, which the janitor switches off.
  if (need.cpu) {
    const Result<Usable> usable = find_usable("cpu");
    if (!usable) return fail(usable.error());
    found.cpu = *usable;
    cpu = usable->hierarchy;
  }
  std::string prefix = fmt::format("acceptq-lab-{}-", ::getpid());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe2");
  const UniqueFd read_end(ends[0]);
  UniqueFd alive(ends[1]);
  const pid_t janitor = ::fork();
  if (janitor < 0) return fail_errno(errno, "fork");
  if (janitor == 0) run_janitor(read_end.get(), found, prefix);
  return Cgroups(std::move(cpu), std::move(freezer), std::move(prefix), std::move(alive), janitor);
}

Cgroups::Cgroups(Cgroups&& other) noexcept
    : cpu_(std::move(other.cpu_)),
      freezer_(std::move(other.freezer_)),
      prefix_(std::move(other.prefix_)),
      alive_(std::move(other.alive_)),
      janitor_(std::exchange(other.janitor_, 0)) {}

Cgroups::~Cgroups() { static_cast<void>(remove()); }

Result<std::vector<std::string>> Cgroups::make(const Scenario& scenario,
                                               const ServerSpec& server) const {
  const CgroupNeed need = cgroup_need(scenario, server);
  std::set<std::string> joins;  // on v2 both are one group
  const auto make_in = [&](const Hierarchy& hierarchy, bool with_quota) -> Status {
    const std::string top = fmt::format("{}/{}", hierarchy.mount, prefix_);
    if (const GroupSpec* group = group_of(scenario, server); group != nullptr) {
      const std::string path = top + group_folder(group->name);
      if (Status made = make_group(path); !made) return made;
      if (with_quota) {
        if (Status set = set_quota(hierarchy, path, group->cpu_quota); !set) return set;
        // As in a pod: the groups within have a cpu.max and a full cpu.stat, too.
        if (hierarchy.v2) {
          if (Status set = write_setting(path + "/cgroup.subtree_control", "+cpu"); !set)
            return set;
        }
      }
    }
    const std::string path = top + server_folder(server);
    if (Status made = make_group(path); !made) return made;
    joins.insert(path + "/cgroup.procs");
    return with_quota ? set_quota(hierarchy, path, server.cpu_quota) : Status{};
  };
  if (need.cpu && cpu_) {
    if (const Status made = make_in(*cpu_, true); !made) return fail(made.error());
  }
  if (need.freezer && freezer_) {
    if (const Status made = make_in(*freezer_, false); !made) return fail(made.error());
  }
  return std::vector<std::string>(joins.begin(), joins.end());
}

Status Cgroups::set_frozen(const std::string& folder, bool frozen) const {
  if (!freezer_) return {};
  const std::string path = fmt::format("{}/{}{}", freezer_->mount, prefix_, folder);
  // v1 tells each process once, and has been seen to stay FREEZING for 5 s: it is told again, as
  // container runtimes do.
  constexpr double kWithinS = 30;
  Status wrote;
  const bool done = eventually(
      [&] {
        wrote = write_frozen(*freezer_, path, frozen);
        return !wrote || is_frozen(*freezer_, path) == frozen;
      },
      kWithinS);
  if (!wrote) return wrote;
  if (done) return {};
  return fail(ErrorCode::kIo, fmt::format("{} does not {}", path, frozen ? "freeze" : "thaw"));
}

Status Cgroups::freeze(const Scenario& scenario, const FreezeStep& step) const {
  if (!step.group.empty()) return set_frozen(group_folder(step.group), step.freeze);
  return set_frozen(
      server_folder(*std::ranges::find(scenario.servers, step.server, &ServerSpec::name)),
      step.freeze);
}

Status Cgroups::thaw(const Scenario& scenario, const ServerSpec& server) const {
  if (!cgroup_need(scenario, server).freezer) return {};
  if (!server.group.empty()) {
    if (Status thawed = set_frozen(group_folder(server.group), false); !thawed) return thawed;
  }
  return set_frozen(server_folder(server), false);
}

Status Cgroups::remove() {
  if (janitor_ == 0) return {};
  alive_.reset();
  int status = 0;
  while (::waitpid(janitor_, &status, 0) < 0 && errno == EINTR) {
  }
  janitor_ = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(ErrorCode::kIo, fmt::format("the cgroups {}* could not be removed", prefix_));
}

}  // namespace acceptq::lab
