// Where what a command judges comes from: this host, watched for a while, or recordings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "collect/bpf/trace_options.h"
#include "collect/scan.h"
#include "facts/snapshot.h"
#include "import/import.h"
#include "select/selector.h"

namespace acceptq::cli {

struct WatchOptions {
  double seconds = 2.0;
  collect::ScanMethod scan = collect::ScanMethod::kAuto;
  collect::bpf::TraceLevel tracing = collect::bpf::TraceLevel::kBest;
  bool packets = false;  // look at packets rather than trace
};

// Shows its progress, and ends early at Ctrl-C, which is then a blind spot.
[[nodiscard]] Result<facts::Observation> observe_host(
    const WatchOptions& options, const std::vector<select::Selector>& selectors);

// Recordings of one host, joined; "-" is standard input. `option` named them, for errors.
[[nodiscard]] Result<facts::Observation> read_observations(const std::vector<std::string>& paths,
                                                           std::string_view option = "--from");

// The same, and the files of servers that were pasted.
[[nodiscard]] Result<imports::Imported> read_with_configs(const std::vector<std::string>& paths,
                                                          std::string_view option = "--from");

// What the agent that serves at this Unix socket observes next.
[[nodiscard]] Result<facts::Observation> ask_agent(const std::string& socket);

}  // namespace acceptq::cli
