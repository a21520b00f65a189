#include "collect/procfs/process.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/file.h"
#include "base/numbered_entries.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "collect/cgroup/workload.h"
#include "collect/procfs/labelled_line.h"

namespace acceptq::collect::procfs {
namespace {

// Far above what the kernel prints; a recorded tree could hold anything.
constexpr std::size_t kMaxFile = std::size_t{64} << 10;
// A process that calls execve() while it is read is read again, this often.
constexpr int kAttempts = 3;

// Whether a release ("6.1.0-56-amd64") is MAJOR.MINOR or later; false where it is not understood.
bool is_at_least(std::string_view release, int wanted_major, int wanted_minor) {
  int major = 0;
  int minor = 0;
  const char* const end = release.data() + release.size();
  const std::from_chars_result first = std::from_chars(release.data(), end, major);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return false;
  if (std::from_chars(first.ptr + 1, end, minor).ec != std::errc{}) return false;
  return major > wanted_major || (major == wanted_major && minor >= wanted_minor);
}

// Names the process in errors, which otherwise only say "stat".
tl::unexpected<Error> in_dir(const std::string& dir, Error error) {
  error.context = dir + ": " + error.context;
  return fail(std::move(error));
}

// Fills in what `status` and `cgroup` tell.
Status read_patient_files(int dir_fd, facts::Process& process) {
  if (const Result<std::string> text = read_file_at(dir_fd, "status", kMaxFile)) {
    const Result<StatusFields> status = parse_status(*text);
    if (!status) return fail(status.error());
    process.uid = status->uid;
    if (status->parent) process.parent = *status->parent;
  }
  if (const Result<std::string> text = read_file_at(dir_fd, "cgroup", kMaxFile)) {
    const auto memberships = cgroup::parse_cgroup(*text);
    if (!memberships) return fail(memberships.error());
    process.cgroup = cgroup::placing_path(*memberships);
    cgroup::place(process);
  }
  return {};
}

Result<facts::Process> read_once(int dir_fd, const std::string& dir, ExeLink exe) {
  const Result<std::string> stat_text = read_file_at(dir_fd, "stat", kMaxFile);
  if (!stat_text) return in_dir(dir, stat_text.error());
  const Result<StatFields> stat = parse_stat(*stat_text);
  if (!stat) return in_dir(dir, stat.error());

  facts::Process process;
  process.pid = stat->pid;
  process.parent = stat->parent;
  process.start_ticks = stat->start_ticks;
  process.comm = stat->comm;
  if (const Status rest = read_patient_files(dir_fd, process); !rest) {
    return in_dir(dir, rest.error());
  }
  if (exe == ExeLink::kRead) {
    if (Result<std::string> target = read_link_at(dir_fd, "exe")) process.exe = std::move(*target);
  }
  if (const Result<std::string> target = read_link_at(dir_fd, "ns/net")) {
    process.netns = parse_netns_link(*target);
  }

  const Result<std::string> again_text = read_file_at(dir_fd, "stat", kMaxFile);
  if (!again_text) return in_dir(dir, again_text.error());
  const Result<StatFields> again = parse_stat(*again_text);
  if (!again) return in_dir(dir, again.error());
  if (again->start_ticks != stat->start_ticks || again->comm != stat->comm) {
    return in_dir(dir, Error{ErrorCode::kInterrupted, 0, "changed while it was read"});
  }
  return process;
}

}  // namespace

Result<StatFields> parse_stat(std::string_view text) {
  const auto cut_short = [](std::string_view what) {
    return fail(ErrorCode::kTruncated, "stat: " + std::string(what) + " is missing");
  };
  // The name is the only field that can hold blanks and parentheses, and nothing behind it has any:
  // the last ')' ends it.
  const std::size_t open = text.find(" (");
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2) {
    return cut_short("the name in parentheses");
  }
  StatFields fields;
  const std::optional<std::int32_t> pid = parse_int<std::int32_t>(text.substr(0, open));
  if (!pid || *pid <= 0) return fail(ErrorCode::kMalformed, "stat: the PID is not a number");
  fields.pid = Pid(*pid);
  fields.comm = text.substr(open + 2, close - open - 2);

  const std::vector<std::string_view> rest = split_blank(text.substr(close + 1));
  constexpr std::size_t kFirstField = 3;
  constexpr std::size_t kState = 3 - kFirstField;
  constexpr std::size_t kParent = 4 - kFirstField;
  constexpr std::size_t kStartTicks = 22 - kFirstField;
  // A number is whole only where something follows it; stat has had more fields since 2.6.
  if (rest.size() <= kStartTicks + 1) return cut_short("field 22 or what follows it");
  if (rest[kState].size() != 1) return fail(ErrorCode::kMalformed, "stat: the state is no letter");
  fields.state = rest[kState].front();
  const std::optional<std::int32_t> parent = parse_int<std::int32_t>(rest[kParent]);
  if (!parent) return fail(ErrorCode::kMalformed, "stat: field 4 is not a number");
  fields.parent = Pid(*parent);
  struct Number {
    std::size_t field;
    std::uint64_t& value;
  };
  for (const Number& number : {Number{12, fields.major_faults}, Number{14, fields.user_ticks},
                               Number{15, fields.system_ticks}, Number{22, fields.start_ticks}}) {
    const auto value = parse_int<std::uint64_t>(rest[number.field - kFirstField]);
    if (!value) {
      return fail(ErrorCode::kMalformed,
                  "stat: field " + std::to_string(number.field) + " is not a number");
    }
    number.value = *value;
  }
  return fields;
}

Result<StatusFields> parse_status(std::string_view text) {
  StatusFields fields;
  if (const auto line = labelled_line(text, "PPid:")) {
    const std::optional<std::int32_t> parent = parse_int<std::int32_t>(trim(*line));
    if (!parent) return fail(ErrorCode::kMalformed, "status: PPid is not a number");
    fields.parent = Pid(*parent);
  }
  if (const auto line = labelled_line(text, "Uid:")) {
    const std::vector<std::string_view> uids = split_blank(*line);  // real, effective, saved, fs
    const std::optional<std::uint32_t> uid =
        uids.size() == 4 ? parse_int<std::uint32_t>(uids[1]) : std::nullopt;
    if (!uid) return fail(ErrorCode::kMalformed, "status: Uid is not four numbers");
    fields.uid = uid;
  }
  if (const auto line = labelled_line(text, "TracerPid:")) {
    const std::optional<std::int32_t> tracer = parse_int<std::int32_t>(trim(*line));
    if (!tracer) return fail(ErrorCode::kMalformed, "status: TracerPid is not a number");
    if (*tracer != 0) fields.tracer = Pid(*tracer);
  }
  if (const auto line = labelled_line(text, "CoreDumping:"))
    fields.dumping_core = trim(*line) == "1";
  return fields;
}

std::optional<NetnsId> parse_netns_link(std::string_view target) {
  const std::optional<std::uint64_t> inode = parse_inode_link(target, "net");
  if (!inode) return std::nullopt;
  return NetnsId(*inode);
}

std::optional<SocketInode> parse_socket_link(std::string_view target) {
  const std::optional<std::uint64_t> inode = parse_inode_link(target, "socket");
  if (!inode) return std::nullopt;
  return SocketInode(*inode);
}

std::vector<Pid> list_processes(const std::string& proc_root) {
  std::vector<Pid> pids;
  const UniqueFd proc(::open(proc_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<std::byte> buffer;
  if (!proc.valid()) return pids;
  // What was listed before an error is good.
  (void)for_each_number(proc.get(), buffer, [&](std::int32_t pid, const char*) {
    pids.emplace_back(pid);
    return 0;
  });
  std::ranges::sort(pids);
  return pids;
}

ExeLink exe_link_for(std::string_view release) {
  return is_at_least(release, 4, 1) ? ExeLink::kRead : ExeLink::kLeaveOut;
}

CommandLine command_line_for(std::string_view release) {
  return is_at_least(release, 5, 3) ? CommandLine::kRead : CommandLine::kLeaveOut;
}

Result<facts::Process> read_process(const std::string& proc_root, Pid pid, ExeLink exe) {
  const std::string dir = proc_root + "/" + std::to_string(pid.value());
  const UniqueFd dir_fd(::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir_fd.valid()) return fail_errno(errno, "cannot open " + dir);
  Result<facts::Process> process = read_once(dir_fd.get(), dir, exe);
  for (int attempt = 1; attempt < kAttempts && !process; ++attempt) {
    if (process.error().code != ErrorCode::kInterrupted) break;
    process = read_once(dir_fd.get(), dir, exe);
  }
  if (process && process->pid != pid) {
    return fail(ErrorCode::kMalformed, dir + "/stat is of another PID");
  }
  return process;
}

Result<facts::Process> read_stuck_process(const std::string& proc_root, Pid pid) {
  const std::string dir = proc_root + "/" + std::to_string(pid.value());
  const UniqueFd dir_fd(::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir_fd.valid()) return fail_errno(errno, "cannot open " + dir);
  const Result<std::string> comm = read_file_at(dir_fd.get(), "comm", kMaxFile);
  if (!comm) return in_dir(dir, comm.error());
  facts::Process process;
  process.pid = pid;
  process.comm = comm->substr(0, comm->find_last_not_of('\n') + 1);
  if (const Status rest = read_patient_files(dir_fd.get(), process); !rest) {
    return in_dir(dir, rest.error());
  }
  return process;
}

}  // namespace acceptq::collect::procfs
