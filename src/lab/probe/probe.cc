#include "lab/probe/probe.h"

#include <sched.h>
#include <sys/resource.h>

#include <cerrno>
#include <cmath>
#include <optional>
#include <thread>

#include "lab/probe/engine.h"

namespace acceptq::lab::probe {
namespace {

Status check_options(const ProbeOptions& options) {
  if (options.port == 0) return fail(ErrorCode::kMalformed, "probe: port 0 cannot be connected to");
  if (!std::isfinite(options.rate_per_s) || options.rate_per_s < 0) {
    return fail(ErrorCode::kMalformed, "probe: the rate must be a number that is not negative");
  }
  if (options.concurrency == 0) {
    return fail(ErrorCode::kMalformed, "probe: a concurrency of 0 opens no connection");
  }
  if (options.timeout.count() <= 0) {
    return fail(ErrorCode::kMalformed, "probe: the time-out must be longer than 0");
  }
  for (const facts::IpAddress& source : options.source_addresses) {
    if (source.is_v6() != options.address.is_v6()) {
      return fail(ErrorCode::kMalformed, "probe: source address " + source.to_string() +
                                             " is not of the target's address family");
    }
  }
  return {};
}

// Best effort: where it stays too low, attempts end as local failures (EMFILE), and are reported.
void raise_descriptor_limit(std::uint32_t concurrency) {
  constexpr rlim_t kOthers = 64;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  if (limit.rlim_cur >= concurrency + kOthers || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Result<ProbeResult> probe(const ProbeOptions& options, const std::atomic<bool>* stop,
                          const ProgressCallback& progress) {
  if (Status checked = check_options(options); !checked) return fail(checked.error());
  raise_descriptor_limit(options.concurrency);
  if (options.netns_fd < 0) return Engine(options, stop, progress).run();

  std::optional<Result<ProbeResult>> result;
  std::thread runner([&] {
    if (::setns(options.netns_fd, CLONE_NEWNET) != 0) {
      result = fail_errno(errno, "probe: entering the network namespace");
      return;
    }
    result = Engine(options, stop, progress).run();
  });
  runner.join();
  return *std::move(result);
}

}  // namespace acceptq::lab::probe
