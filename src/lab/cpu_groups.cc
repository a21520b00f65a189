#include "lab/cpu_groups.h"

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
  CpuHierarchy hierarchy;
  bool enabled_here = false;  // v2: the controller was off for groups below the mount
};

Result<Usable> usable(const CpuHierarchy& hierarchy) {
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

Result<Usable> find_usable() {
  const Result<std::string> mountinfo = read_file("/proc/self/mountinfo");
  if (!mountinfo) return fail(mountinfo.error());
  std::string reasons;
  for (const CpuHierarchy& hierarchy : parse_cpu_hierarchies(*mountinfo)) {
    Result<Usable> found = usable(hierarchy);
    if (found) return found;
    reasons += (reasons.empty() ? "" : "; ") + found.error().message();
  }
  return fail(ErrorCode::kUnsupported, reasons.empty()
                                           ? "no cgroup file system with the controller "
                                             "cpu is mounted"
                                           : reasons);
}

std::vector<std::string> groups_of(const std::string& mount, const std::string& prefix) {
  std::vector<std::string> paths;
  DIR* const folder = ::opendir(mount.c_str());
  if (folder == nullptr) return paths;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name.starts_with(prefix)) paths.push_back(fmt::format("{}/{}", mount, name));
  }
  ::closedir(folder);
  return paths;
}

// A group is busy until the kernel has ended the last process in it.
bool remove_groups(const std::string& mount, const std::string& prefix) {
  return eventually(
      [&] {
        for (const std::string& path : groups_of(mount, prefix)) {
          if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return false;
        }
        return true;
      },
      kRemoveWithinS);
}

// Outlives whoever forked it: Ctrl-C and the end of a terminal do not reach it, and it keeps
// nobody's output open.
[[noreturn]] void run_janitor(int alive, const Usable& usable, const std::string& prefix) {
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
  const bool removed = remove_groups(usable.hierarchy.mount, prefix);
  // Another that has come to need it meanwhile makes this fail, rightly.
  if (usable.enabled_here) {
    static_cast<void>(write_setting(usable.hierarchy.mount + "/cgroup.subtree_control", "-cpu"));
  }
  ::_exit(removed ? 0 : 1);
}

}  // namespace

std::vector<CpuHierarchy> parse_cpu_hierarchies(std::string_view mountinfo) {
  std::vector<CpuHierarchy> v1;
  std::vector<CpuHierarchy> v2;
  while (!mountinfo.empty()) {
    const std::vector<std::string_view> fields = split_blank(next_line(mountinfo));
    const auto dash = std::ranges::find(fields, "-");
    if (dash - fields.begin() < 6 || fields.end() - dash < 4) continue;
    const std::string_view mount = fields[4];
    if (mount.find('\\') != std::string_view::npos) continue;
    if (dash[1] == "cgroup2") v2.push_back({.mount = std::string(mount), .v2 = true});
    if (dash[1] == "cgroup" && std::ranges::count(split(dash[3], ','), "cpu") > 0) {
      v1.push_back({.mount = std::string(mount), .v2 = false});
    }
  }
  v1.insert(v1.end(), v2.begin(), v2.end());
  return v1;
}

std::string cpu_max(double cores) { return fmt::format("{} {}", quota_us(cores), kPeriodUs); }

Result<CpuGroups> CpuGroups::create() {
  const Result<Usable> found = find_usable();
  if (!found) return fail(found.error());
  std::string prefix = fmt::format("acceptq-lab-{}-", ::getpid());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe2");
  const UniqueFd read_end(ends[0]);
  UniqueFd alive(ends[1]);
  const pid_t janitor = ::fork();
  if (janitor < 0) return fail_errno(errno, "fork");
  if (janitor == 0) run_janitor(read_end.get(), *found, prefix);
  return CpuGroups(found->hierarchy, std::move(prefix), std::move(alive), janitor);
}

CpuGroups::CpuGroups(CpuGroups&& other) noexcept
    : hierarchy_(std::move(other.hierarchy_)),
      prefix_(std::move(other.prefix_)),
      alive_(std::move(other.alive_)),
      janitor_(std::exchange(other.janitor_, 0)) {}

CpuGroups::~CpuGroups() { static_cast<void>(remove()); }

Result<std::string> CpuGroups::make(const std::string& server, double cores) const {
  const std::string group = fmt::format("{}/{}{}", hierarchy_.mount, prefix_, server);
  if (::mkdir(group.c_str(), 0755) != 0 && errno != EEXIST) {
    return fail_errno(errno, "cannot make the cgroup " + group);
  }
  const Status set =
      hierarchy_.v2 ? write_setting(group + "/cpu.max", cpu_max(cores))
                    : write_setting(group + "/cpu.cfs_quota_us", std::to_string(quota_us(cores)));
  if (!set) return fail(set.error());
  return group + "/cgroup.procs";
}

Status CpuGroups::remove() {
  if (janitor_ == 0) return {};
  alive_.reset();
  int status = 0;
  while (::waitpid(janitor_, &status, 0) < 0 && errno == EINTR) {
  }
  janitor_ = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(ErrorCode::kIo,
              fmt::format("the cgroups {}/{}* could not be removed", hierarchy_.mount, prefix_));
}

}  // namespace acceptq::lab
