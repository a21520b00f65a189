// A process of the test's own as one to be reloaded.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>

#include "base/file.h"
#include "collect/procfs/process.h"
#include "facts/change.h"
#include "support/require.h"

namespace acceptq::apply {

inline facts::ReloadStep reload_of(pid_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/stat");
  const auto stat = text ? collect::procfs::parse_stat(*text) : fail(text.error());
  test::require(stat.has_value(), "stat");
  return {.pid = Pid(pid), .start_ticks = stat->start_ticks, .name = "server", .signal = SIGHUP};
}

}  // namespace acceptq::apply
