#include "lab/load.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/output_file.h"
#include "lab/probe/probe.h"
#include "lab/process.h"

namespace acceptq::lab {
namespace {

using Json = nlohmann::json;

std::atomic<bool> stop_load{false};

// In the child: runs until it is told to stop, then leaves its result in the file.
[[noreturn]] void run(const LoadSpec& spec, double rate, int netns_fd, const std::string& path) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGTERM, [](int) { stop_load.store(true); });
  const probe::ProbeOptions options{.address = spec.address,
                                    .port = spec.port,
                                    .rate_per_s = rate,
                                    .concurrency = spec.concurrency,
                                    .timeout = spec.timeout,
                                    .duration = std::chrono::hours(1),
                                    .hold = spec.hold,
                                    .send = spec.send,
                                    .expect_reply = spec.expect_reply,
                                    .source_addresses = spec.sources,
                                    .netns_fd = netns_fd};
  const Result<probe::ProbeResult> result = probe::probe(options, &stop_load);
  const Json left =
      result ? Json{{"summary", probe::to_line(*result)}, {"probe", probe::to_json(*result)}}
             : Json{{"error", result.error().message()}};
  const Result<OutputFile> file = OutputFile::Open(path);
  ::_exit(file && file->write(left.dump()) ? 0 : 1);
}

}  // namespace

Result<Load> Load::start(const LoadSpec& spec, double rate_per_s, int netns_fd,
                         std::string result_path) {
  ::unlink(result_path.c_str());  // of the run before
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno(errno, "cannot start load " + spec.name);
  if (pid == 0) run(spec, rate_per_s, netns_fd, result_path);
  ::setpgid(pid, pid);
  return Load(spec.name, rate_per_s, std::move(result_path), pid);
}

Result<LoadResult> Load::end() {
  if (!end_group(pid_, SIGTERM, 2)) static_cast<void>(end_group(pid_, SIGKILL, 2));
  const Result<std::string> text = read_file(result_path_);
  const Json left = text ? Json::parse(*text, nullptr, false) : Json();
  if (!left.is_object()) {
    return fail(ErrorCode::kIo, "load " + name_ + " ended without a result");
  }
  if (left.contains("error")) {
    return fail(ErrorCode::kIo, "load " + name_ + ": " + left.value("error", ""));
  }
  return LoadResult{.load = name_,
                    .rate_per_s = rate_per_s_,
                    .summary = left.value("summary", ""),
                    .json = left.value("probe", "")};
}

}  // namespace acceptq::lab
