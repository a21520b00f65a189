#include "collect/pipe_readers.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <tuple>

#include "base/file.h"
#include "base/numbered_entries.h"
#include "base/text.h"
#include "collect/attended.h"
#include "collect/parallel.h"
#include "collect/procfs/labelled_line.h"
#include "collect/procfs/process.h"

namespace acceptq::collect {
namespace {

constexpr std::size_t kMaxFile = std::size_t{64} << 10;

// Linux 6.1 and before call it pipe_write; from 6.15 on it is anon_pipe_write or fifo_pipe_write.
bool waits_for_room(const facts::Wait& wait) {
  return wait.target && std::ranges::any_of(wait.stack, [](const std::string& function) {
           return function.ends_with("pipe_write");
         });
}

std::string link_of(const facts::FileTarget& pipe) {
  if (pipe.type == "pipefs") return fmt::format("pipe:[{}]", pipe.inode);
  return pipe.path.value_or("");
}

// Of one process; each pipe once.
std::vector<facts::PipeReader> readers_in(const std::string& proc_root, Pid pid,
                                          const std::vector<facts::FileTarget>& pipes) {
  constexpr std::uint64_t kOften = 1024;
  const std::string dir = fmt::format("{}/{}", proc_root, pid.value());
  thread_local std::vector<std::byte> buffer;
  std::vector<facts::PipeReader> found;
  std::uint64_t count = 0;
  (void)for_each_numbered_link(
      (dir + "/fd").c_str(), buffer, [&](std::int32_t fd, std::string_view link) {
        if (++count % kOften == 0) still_at_work();
        const auto pipe = std::ranges::find_if(
            pipes, [&](const facts::FileTarget& each) { return link_of(each) == link; });
        if (pipe == pipes.end()) return;
        if (std::ranges::any_of(found, [&](const auto& each) { return each.reads_from(*pipe); })) {
          return;
        }
        const auto fdinfo = read_file(fmt::format("{}/fdinfo/{}", dir, fd), kMaxFile);
        if (fdinfo && is_open_to_read(*fdinfo)) {
          found.push_back({.inode = pipe->inode, .device = pipe->device, .pid = pid});
        }
      });
  if (found.empty()) return found;
  const auto stat = read_file(dir + "/stat", kMaxFile);
  const auto fields = stat ? procfs::parse_stat(*stat) : fail(stat.error());
  for (facts::PipeReader& reader : found) {
    if (!fields) break;
    reader.comm = fields->comm;
    reader.state = std::string(1, fields->state);
  }
  return found;
}

}  // namespace

bool is_open_to_read(std::string_view fdinfo) {
  constexpr int kOctal = 8;
  const auto line = procfs::labelled_line(fdinfo, "flags:");
  const auto flags = line ? parse_int<unsigned>(trim(*line), kOctal) : std::nullopt;
  return flags && (*flags & O_ACCMODE) != O_WRONLY;
}

std::vector<facts::FileTarget> full_pipes(
    const std::map<std::string, facts::Acceptors>& acceptors) {
  std::vector<facts::FileTarget> pipes;
  for (const auto& [key, each] : acceptors) {
    for (const facts::ThreadWatch& thread : each.threads) {
      for (const facts::Wait& wait : thread.waits) {
        if (!waits_for_room(wait) || link_of(*wait.target).empty()) continue;
        const bool is_known = std::ranges::any_of(pipes, [&](const facts::FileTarget& pipe) {
          return pipe.inode == wait.target->inode && pipe.device == wait.target->device;
        });
        if (!is_known) pipes.push_back(*wait.target);
      }
    }
  }
  return pipes;
}

std::vector<facts::PipeReader> find_pipe_readers(const std::string& proc_root,
                                                 std::span<const facts::FileTarget> pipes) {
  if (pipes.empty()) return {};
  const auto pids = std::make_shared<const std::vector<Pid>>(procfs::list_processes(proc_root));
  const auto wanted =
      std::make_shared<const std::vector<facts::FileTarget>>(pipes.begin(), pipes.end());
  const auto found = attended_map<std::vector<facts::PipeReader>>(
      pids->size(), thread_count(0), [pids, wanted, proc_root](std::size_t i) {
        return readers_in(proc_root, (*pids)[i], *wanted);
      });
  std::vector<facts::PipeReader> readers;
  for (const auto& of_process : found) {
    if (of_process) readers.insert(readers.end(), of_process->begin(), of_process->end());
  }
  std::ranges::sort(readers, {}, [](const facts::PipeReader& reader) {
    return std::tuple(reader.inode, reader.device, reader.pid);
  });
  return readers;
}

}  // namespace acceptq::collect
