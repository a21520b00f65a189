#include "cli/observation.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "base/file.h"
#include "base/text.h"
#include "bundle/bundle.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "cli/tracing.h"
#include "collect/observe.h"
#include "facts/joined.h"
#include "facts/json.h"
#include "import/import.h"
#include "select/selection.h"

namespace acceptq::cli {
namespace {

// What it is called in messages and places.
std::string name_of(const std::string& path) { return path == "-" ? "standard input" : path; }

// What a bundle or a compressed file holds: its recording, or else all its texts.
Result<std::vector<imports::Text>> unpacked(std::string_view bytes, const std::string& name) {
  Result<std::vector<bundle::Entry>> entries =
      bundle::unpack(bytes, name, {.bytes = 4 * facts::kLargestRecording});
  if (!entries) {
    return fail(entries.error().code, fmt::format("cannot read {}", entries.error().message()));
  }
  const auto recording = std::ranges::find(*entries, bundle::kRecordingName, &bundle::Entry::name);
  if (recording != entries->end()) {
    return std::vector<imports::Text>{{.name = name, .bytes = std::move(recording->bytes)}};
  }
  std::vector<imports::Text> texts;
  for (bundle::Entry& entry : *entries) {
    const bool is_whole = entries->size() == 1;
    texts.push_back(
        {.name = is_whole ? name : name + ":" + entry.name, .bytes = std::move(entry.bytes)});
  }
  return texts;
}

Result<std::vector<imports::Text>> read_evidence(const std::string& path, std::string_view option) {
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
  if (bundle::is_packed(*text)) return unpacked(*text, name_of(path));
  return std::vector<imports::Text>{{.name = name_of(path), .bytes = std::move(*text)}};
}

bool is_json(std::string_view text) { return trim(text.substr(0, 4096)).starts_with('{'); }

// A recording says so at its beginning.
bool is_recording(std::string_view text) {
  constexpr std::size_t kBeginning = 200;
  return is_json(text) && text.substr(0, kBeginning).find("\"schema\"") != std::string_view::npos;
}

Result<facts::Observation> read_recording(const std::string& name, std::string_view text) {
  Result<facts::Observation> observation = facts::observation_from_json(text);
  if (observation) return observation;
  return fail(observation.error().code,
              fmt::format("cannot read {}: {} (it should be a file that `acceptq check --save` "
                          "wrote)",
                          name, observation.error().message()));
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
  std::vector<imports::Text> texts;
  for (const std::string& path : paths) {
    Result<std::vector<imports::Text>> evidence = read_evidence(path, option);
    if (!evidence) return fail(std::move(evidence.error()));
    for (imports::Text& text : *evidence) {
      if (!is_recording(text.bytes)) {
        texts.push_back(std::move(text));
        continue;
      }
      Result<facts::Observation> observation = read_recording(text.name, text.bytes);
      if (!observation) return observation;
      recordings.push_back({.name = text.name, .observation = std::move(*observation)});
    }
  }
  if (texts.empty()) return facts::joined(recordings);
  Result<facts::Observation> pasted = imports::import_texts(texts);
  // JSON of no form that is known is taken for a recording that is broken.
  if (!pasted && texts.size() == 1 && recordings.empty() && is_json(texts.front().bytes)) {
    return read_recording(texts.front().name, texts.front().bytes);
  }
  if (!pasted || recordings.empty()) return pasted;
  Result<facts::Observation> recorded = facts::joined(recordings);
  if (recorded) facts::add_pasted(std::move(*pasted), *recorded);
  return recorded;
}

}  // namespace acceptq::cli
