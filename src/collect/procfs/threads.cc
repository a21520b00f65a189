#include "collect/procfs/threads.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/numbered_entries.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "collect/attended.h"
#include "collect/procfs/file_target.h"
#include "collect/procfs/labelled_line.h"
#include "collect/procfs/process.h"
#include "collect/procfs/thread_files.h"
#include "collect/syscalls.h"

namespace acceptq::collect::procfs {
namespace {

constexpr std::size_t kMaxFile = std::size_t{64} << 10;

std::string read_of(const std::string& dir, const char* name) {
  return read_file(dir + "/" + name, kMaxFile).value_or(std::string());
}

std::vector<Pid> list_threads(const std::string& process_dir) {
  std::vector<Pid> tids;
  std::vector<std::byte> buffer;
  const UniqueFd dir(::open((process_dir + "/task").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir.valid()) return tids;
  // What was listed before an error is good.
  (void)for_each_number(dir.get(), buffer, [&](std::int32_t tid, const char*) {
    tids.emplace_back(tid);
    return 0;
  });
  return tids;
}

// What never waits for the process.
void read_patient_files(const std::string& dir, facts::ThreadTimes& times) {
  const std::string status = read_of(dir, "status");
  times.voluntary = labelled_number<std::uint64_t>(status, "voluntary_ctxt_switches:");
  times.involuntary = labelled_number<std::uint64_t>(status, "nonvoluntary_ctxt_switches:");
  times.delay_ns = parse_run_delay(read_of(dir, "schedstat"));
}

void take_call(const std::string& syscall, FileTargets& targets, ThreadLook& look) {
  facts::Wait& wait = look.wait;
  const std::optional<SyscallLine> line = parse_syscall(syscall);
  const auto name = line ? syscall_name(line->number) : std::nullopt;
  if (!name) return;
  wait.syscall = *name;
  if (const auto descriptor = descriptor_argument(line->number)) {
    const std::size_t at = wait.state == "D" ? descriptor->in_state_d : descriptor->otherwise;
    wait.fd = static_cast<std::int32_t>(line->entry.arguments.at(at));
    wait.target = targets.of(*wait.fd);
  }
  look.entry = line->entry;
  take_entry(look.entry, wait);
}

std::vector<std::string> read_stack(const std::string& dir) {
  const Result<std::string> stack = read_file(dir + "/stack", kMaxFile);
  if (stack) return parse_stack(*stack);
  const std::string wchan = read_of(dir, "wchan");
  if (wchan.empty() || wchan == "0") return {};
  return {wchan};
}

void read_wait(const std::string& dir, char state, FileTargets& targets, ThreadLook& look) {
  facts::Wait& wait = look.wait;
  wait = {.state = std::string(1, state), .looks = 1};
  constexpr std::string_view kHaveNoPlace = "RZX";
  if (kHaveNoPlace.find(state) != std::string_view::npos) return;
  const std::string before = read_of(dir, "syscall");
  take_call(before, targets, look);
  wait.stack = read_stack(dir);
  if (!wait.syscall) wait.syscall = syscall_of(wait.stack);
  const bool moved = is_running(before) || read_of(dir, "syscall") != before;
  if (moved) wait = {.state = "R", .looks = 1};
}

std::uint64_t nanoseconds(std::uint64_t ticks) {
  constexpr std::uint64_t kNsPerS = 1'000'000'000;
  static const auto ticks_per_s = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_CLK_TCK)));
  return ticks * (kNsPerS / ticks_per_s);
}

std::optional<ThreadLook> read_thread(const std::string& dir, Pid pid, FileTargets& targets) {
  const auto stat = parse_stat(read_of(dir, "stat"));
  if (!stat) return std::nullopt;
  ThreadLook look{.pid = pid, .tid = stat->pid, .comm = stat->comm};
  read_wait(dir, stat->state, targets, look);
  read_patient_files(dir, look.times);
  look.times.user_ns = nanoseconds(stat->user_ticks);
  look.times.system_ns = nanoseconds(stat->system_ticks);
  look.times.major_faults = stat->major_faults;
  return look;
}

// From the files that never wait.
std::optional<ThreadLook> read_stuck_thread(const std::string& dir, Pid pid) {
  const std::string status = read_of(dir, "status");
  const auto state = labelled_line(status, "State:");
  const std::string comm = read_of(dir, "comm");
  if (!state || trim(*state).empty() || comm.empty()) return std::nullopt;
  ThreadLook look{.pid = pid, .tid = pid, .comm = comm.substr(0, comm.find_last_not_of('\n') + 1)};
  look.wait = {.state = std::string(1, trim(*state).front()), .looks = 1};
  read_patient_files(dir, look.times);
  return look;
}

// Of the first thread.
std::optional<std::uint64_t> switches_of(const std::string& process_dir) {
  facts::ThreadTimes times;
  read_patient_files(process_dir, times);
  if (!times.voluntary || !times.involuntary) return std::nullopt;
  return *times.voluntary + *times.involuntary;
}

struct Work {
  std::string dir;
  Pid pid;
  std::vector<Pid> tids;
};

std::vector<ThreadLook> read_threads(const Work& work) {
  std::vector<ThreadLook> looks;
  FileTargets targets(work.dir);
  for (const Pid tid : work.tids) {
    still_at_work();
    const std::string dir = work.dir + "/task/" + std::to_string(tid.value());
    if (auto look = read_thread(dir, work.pid, targets)) looks.push_back(std::move(*look));
  }
  return looks;
}

// Shortens the lists so that there are at most `most` threads; returns how many were left out.
std::uint32_t share_out(std::size_t most, std::vector<Work>& all) {
  std::vector<Work*> smallest_first;
  smallest_first.reserve(all.size());
  for (Work& work : all) smallest_first.push_back(&work);
  std::ranges::sort(smallest_first, {}, [](const Work* work) { return work->tids.size(); });
  std::size_t left_out = 0;
  std::size_t processes = all.size();
  for (Work* work : smallest_first) {
    const std::size_t part = most / processes--;
    const std::size_t taken = std::min(part, work->tids.size());
    left_out += work->tids.size() - taken;
    work->tids.resize(taken);
    most -= taken;
  }
  return static_cast<std::uint32_t>(left_out);
}

}  // namespace

ThreadsSeen ThreadReader::look(std::span<const WatchedProcess> watched, std::size_t most_threads) {
  ThreadsSeen seen;
  std::vector<Work> works;
  std::vector<Work> stuck;
  for (const WatchedProcess& process : watched) {
    Work work{.dir = proc_root_ + "/" + std::to_string(process.pid.value()), .pid = process.pid};
    const auto known = stuck_.find(process.pid);
    const bool is_stuck = known != stuck_.end() && known->second == switches_of(work.dir);
    (is_stuck ? stuck : works).push_back(std::move(work));
  }
  stuck_.clear();
  // One after the other: a look is to cost little at any moment, and many cores help no more.
  constexpr unsigned kThreads = 1;
  const auto asked = std::make_shared<std::vector<Work>>(std::move(works));
  const auto listed = attended_map<std::vector<Pid>>(
      asked->size(), kThreads, [asked](std::size_t i) { return list_threads((*asked)[i].dir); });
  std::vector<Work> answering;
  for (std::size_t i = 0; i < asked->size(); ++i) {
    const Work& work = (*asked)[i];
    if (!listed[i]) {
      stuck.push_back(work);
    } else {
      answering.push_back({.dir = work.dir, .pid = work.pid, .tids = *listed[i]});
    }
  }
  seen.left_out = share_out(most_threads, answering);
  const auto chosen = std::make_shared<const std::vector<Work>>(std::move(answering));
  const auto looks = attended_map<std::vector<ThreadLook>>(
      chosen->size(), kThreads, [chosen](std::size_t i) { return read_threads((*chosen)[i]); });
  for (std::size_t i = 0; i < chosen->size(); ++i) {
    if (looks[i]) {
      seen.threads.insert(seen.threads.end(), looks[i]->begin(), looks[i]->end());
    } else {
      stuck.push_back((*chosen)[i]);
    }
  }
  for (const Work& work : stuck) {
    stuck_.emplace(work.pid, switches_of(work.dir));
    if (auto look = read_stuck_thread(work.dir, work.pid)) seen.threads.push_back(std::move(*look));
  }
  std::ranges::sort(seen.threads, {},
                    [](const ThreadLook& look) { return std::pair(look.pid, look.tid); });
  return seen;
}

}  // namespace acceptq::collect::procfs
