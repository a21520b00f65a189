#include "cli/observation.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "bundle/bundle.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "cli/tracing.h"
#include "collect/observe.h"
#include "facts/joined.h"
#include "facts/json.h"
#include "select/selection.h"

namespace acceptq::cli {
namespace {

// The recording of a bundle, or the one that was compressed.
Result<std::string> unpacked(std::string_view bytes, const std::string& name) {
  Result<std::vector<bundle::Entry>> entries =
      bundle::unpack(bytes, name, {.bytes = 4 * facts::kLargestRecording});
  if (!entries) {
    return fail(entries.error().code, fmt::format("cannot read {}", entries.error().message()));
  }
  const auto recording = std::ranges::find(*entries, bundle::kRecordingName, &bundle::Entry::name);
  if (recording != entries->end()) return std::move(recording->bytes);
  if (entries->size() == 1) return std::move(entries->front().bytes);
  return fail(ErrorCode::kMalformed, fmt::format("cannot read {}: it is an archive without {}",
                                                 name, bundle::kRecordingName));
}

Result<facts::Observation> read_observation(const std::string& path, std::string_view option) {
  if (path.empty()) {
    return fail(ErrorCode::kMalformed, fmt::format("{} needs a file, or - for stdin", option));
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return fail(ErrorCode::kMalformed, "cannot read " + path + ": it is a directory");
  }
  Result<std::string> text =
      path == "-" ? read_descriptor(STDIN_FILENO, "standard input", facts::kLargestRecording)
                  : read_file(path, facts::kLargestRecording);
  if (!text && text.error().code == ErrorCode::kTruncated) {
    return fail(ErrorCode::kTruncated,
                fmt::format("cannot read {}: it is larger than {} MiB, the most that acceptq takes",
                            path, facts::kLargestRecording >> 20U));
  }
  if (!text) {
    // errno's text comes last in a message; what to do, before it.
    return fail({text.error().code, text.error().sys_errno,
                 fmt::format("{} needs a file that `acceptq check --save` wrote; {}", option,
                             text.error().context)});
  }
  const std::string name = path == "-" ? "standard input" : path;
  if (bundle::is_packed(*text)) {
    text = unpacked(*text, name);
    if (!text) return fail(text.error());
  }
  Result<facts::Observation> observation = facts::observation_from_json(*text);
  if (!observation) {
    return fail(observation.error().code,
                fmt::format("cannot read {}: {} (it should be a file that `acceptq check --save` "
                            "wrote)",
                            name, observation.error().message()));
  }
  return observation;
}

}  // namespace

Result<facts::Observation> observe_host(const WatchOptions& options,
                                        const std::vector<select::Selector>& selectors) {
  Progress progress;
  bool cut_short = false;
  collect::ObserveOptions observe;
  observe.seconds = options.seconds;
  observe.scan.method = options.scan;
  observe.trace = trace_options(options.tracing);
  if (options.packets) {
    observe.trace.level = collect::bpf::TraceLevel::kNone;
    observe.tapped = select::selected_by(selectors);
  }
  observe.progress = [&](double elapsed) {
    progress.show(fmt::format("watching this host, {:.0f} of {:.0f} s", elapsed, options.seconds));
    cut_short = interrupted().load();
    return !cut_short;
  };
  Result<facts::Observation> observation = collect::observe(observe);
  progress.clear();
  if (observation && cut_short) {
    observation->after.blind_spots.push_back(
        {.id = "AQ607",
         .scope = "host",
         .reason = fmt::format("interrupted after {:.1f} of {:.1f} s", observation->seconds,
                               options.seconds),
         .cost = "what would have happened in the rest of the time is not in the report"});
  }
  return observation;
}

Result<facts::Observation> read_observations(const std::vector<std::string>& paths,
                                             std::string_view option) {
  std::vector<facts::Recording> recordings;
  for (const std::string& path : paths) {
    Result<facts::Observation> recording = read_observation(path, option);
    if (!recording) return recording;
    recordings.push_back({.name = path, .observation = std::move(*recording)});
  }
  return facts::joined(recordings);
}

}  // namespace acceptq::cli
