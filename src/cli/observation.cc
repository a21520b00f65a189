#include "cli/observation.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/clock.h"
#include "base/text.h"
#include "bundle/bundle.h"
#include "bundle/packet_file.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/sos_folder.h"
#include "cli/terminal.h"
#include "cli/tracing.h"
#include "collect/containers/unix_http.h"
#include "collect/observe.h"
#include "facts/joined.h"
#include "facts/json.h"
#include "import/capture/tcpdump_text.h"
#include "import/import.h"
#include "select/selection.h"

namespace acceptq::cli {
namespace {

// A file, or one of a bundle: text, or a capture of packets.
struct Evidence {
  imports::Text text;
  std::optional<facts::Observation> capture;  // then of the text the name alone
  // What a bundle has beside its recording.
  std::vector<std::pair<NetnsId, facts::Observation>> own_captures;
};

bool is_folder(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// What a bundle or a compressed file holds: its recording, or else all its files.
Result<std::vector<Evidence>> unpacked(std::string_view bytes, const std::string& name) {
  Result<std::vector<bundle::Entry>> entries =
      bundle::unpack(bytes, name, {.bytes = 4 * facts::kLargestRecording});
  if (!entries) {
    return fail(entries.error().code, fmt::format("cannot read {}", entries.error().message()));
  }
  std::vector<Evidence> evidence;
  const auto recording = std::ranges::find(*entries, bundle::kRecordingName, &bundle::Entry::name);
  if (recording != entries->end()) {
    Evidence& one = evidence.emplace_back();
    one.text = {.name = name, .bytes = std::move(recording->bytes)};
    for (const bundle::Entry& entry : *entries) {
      const auto netns = bundle::netns_of_packet_file(entry.name);
      if (!netns) continue;
      Result<facts::Observation> capture = read_capture(entry.bytes, name + ":" + entry.name);
      if (!capture) return fail(std::move(capture.error()));
      one.own_captures.emplace_back(*netns, std::move(*capture));
    }
    return evidence;
  }
  for (bundle::Entry& entry : *entries) {
    const bool is_whole = entries->size() == 1;
    const std::string own_name = is_whole ? name : name + ":" + entry.name;
    if (is_capture(entry.bytes)) {
      Result<facts::Observation> capture = read_capture(entry.bytes, own_name);
      if (!capture) return fail(std::move(capture.error()));
      evidence.push_back({.text = {.name = own_name, .bytes = {}},
                          .capture = std::move(*capture),
                          .own_captures = {}});
      continue;
    }
    evidence.push_back({.text = {.name = own_name, .bytes = std::move(entry.bytes)},
                        .capture = {},
                        .own_captures = {}});
  }
  return evidence;
}

std::vector<Evidence> only(Evidence evidence) {
  std::vector<Evidence> one;
  one.push_back(std::move(evidence));
  return one;
}

Result<std::vector<Evidence>> read_evidence(const std::string& path, std::string_view option) {
  if (path.empty()) {
    return fail(ErrorCode::kMalformed, fmt::format("{} needs a file, or - for stdin", option));
  }
  if (is_folder(path)) {
    Result<std::vector<imports::Text>> texts = read_sos_folder(path);
    if (!texts) return fail(std::move(texts.error()));
    std::vector<Evidence> evidence;
    for (imports::Text& text : *texts) {
      evidence.push_back({.text = std::move(text), .capture = {}, .own_captures = {}});
    }
    return evidence;
  }
  const Result<Input> input = open_input(path);
  if (input && is_capture(*input)) {
    Result<facts::Observation> capture = read_capture(*input);
    if (!capture) return fail(std::move(capture.error()));
    return only({.text = {.name = input->name, .bytes = {}},
                 .capture = std::move(*capture),
                 .own_captures = {}});
  }
  Result<std::string> text =
      input ? read_whole(*input, facts::kLargestRecording) : fail(input.error());
  if (!text && text.error().code == ErrorCode::kTruncated) {
    return fail(ErrorCode::kTruncated,
                fmt::format("cannot read {}: it is larger than {} MiB, the most that acceptq takes",
                            path, facts::kLargestRecording >> 20U));
  }
  if (!text) {
    return fail({text.error().code, text.error().sys_errno,
                 fmt::format("{} needs a file; {}", option, text.error().context)});
  }
  if (bundle::is_packed(*text)) return unpacked(*text, input->name);
  return only({.text = {.name = input->name, .bytes = std::move(*text)},
               .capture = {},
               .own_captures = {}});
}

bool is_json(std::string_view text) {
  const std::string_view beginning = trim(text.substr(0, 4096));
  return beginning.starts_with('{') || beginning.starts_with("[[");
}

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

// What several files come to.
class Together {
 public:
  Status add(Evidence evidence) {
    std::optional<facts::Observation> packets = std::move(evidence.capture);
    const bool only_packets = packets.has_value();
    const bool recording = !only_packets && is_recording(evidence.text.bytes);
    if (!only_packets && !recording) {
      packets = imports::capture::read_tcpdump_text(evidence.text.bytes, evidence.text.name);
    }
    if (packets && capture_) {
      return fail(ErrorCode::kMalformed,
                  "two captures cannot be read together: the same handshake may be in both; give "
                  "one at a time");
    }
    if (packets) capture_ = std::move(packets);
    if (only_packets) return {};
    if (!recording) {
      texts_.push_back(std::move(evidence.text));
      return {};
    }
    Result<facts::Observation> observation =
        read_recording(evidence.text.name, evidence.text.bytes);
    if (!observation) return fail(std::move(observation.error()));
    // Where several recordings are joined, ledgers are left out, and these with them.
    for (auto& [netns, capture] : evidence.own_captures) {
      facts::add_own_capture(std::move(capture), netns, *observation);
    }
    recordings_.push_back({.name = evidence.text.name, .observation = std::move(*observation)});
    return {};
  }

  Result<imports::Imported> all() && {
    Result<imports::Imported> all = without_capture();
    if (!capture_) return all;
    // Text of nothing but packets.
    if (!all && recordings_.empty()) return imports::Imported{std::move(*capture_), {}};
    if (all) facts::add_capture(std::move(*capture_), all->observation);
    return all;
  }

 private:
  static imports::Imported alone(facts::Observation observation) {
    return {std::move(observation), {}};
  }

  Result<imports::Imported> without_capture() {
    if (texts_.empty() && recordings_.empty()) return fail(ErrorCode::kNotFound, "nothing to read");
    if (texts_.empty()) return facts::joined(recordings_).transform(alone);
    Result<imports::Imported> pasted = imports::import_texts(texts_);
    // JSON of no form that is known is taken for a recording that is broken.
    const bool is_one = texts_.size() == 1 && recordings_.empty();
    if (!pasted && is_one && is_json(texts_.front().bytes)) {
      return read_recording(texts_.front().name, texts_.front().bytes).transform(alone);
    }
    if (!pasted || recordings_.empty()) return pasted;
    Result<facts::Observation> recorded = facts::joined(recordings_);
    if (!recorded) return fail(std::move(recorded.error()));
    facts::add_pasted(std::move(pasted->observation), *recorded);
    pasted->observation = std::move(*recorded);
    return pasted;
  }

  std::vector<facts::Recording> recordings_;
  std::vector<imports::Text> texts_;
  std::optional<facts::Observation> capture_;
};

}  // namespace

Result<facts::Observation> observe_host(const WatchOptions& options,
                                        const std::vector<select::Selector>& selectors) {
  Progress progress;
  bool cut_short = false;
  collect::ObserveOptions observe;
  observe.seconds = options.seconds;
  observe.scan.method = options.scan;
  observe.trace = trace_options(options.tracing);
  observe.asked_ports = select::ports_of(selectors);
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

Result<imports::Imported> read_with_configs(const std::vector<std::string>& paths,
                                            std::string_view option) {
  Together together;
  for (const std::string& path : paths) {
    Result<std::vector<Evidence>> evidence = read_evidence(path, option);
    if (!evidence) return fail(std::move(evidence.error()));
    for (Evidence& each : *evidence) {
      if (const Status added = together.add(std::move(each)); !added) return fail(added.error());
    }
  }
  return std::move(together).all();
}

Result<facts::Observation> read_observations(const std::vector<std::string>& paths,
                                             std::string_view option) {
  Result<imports::Imported> all = read_with_configs(paths, option);
  if (!all) return fail(std::move(all.error()));
  return std::move(all->observation);
}

Result<facts::Observation> ask_agent(const std::string& socket) {
  constexpr std::int64_t kPatienceNs = 10'000'000'000;
  const Result<collect::containers::HttpReply> reply = collect::containers::unix_http_get(
      socket, "/observation", monotonic_ns() + kPatienceNs, facts::kLargestRecording);
  if (!reply) {
    return fail(reply.error().code,
                fmt::format("no agent answers at {} ({}); start one (acceptq agent), or leave out "
                            "--agent",
                            socket, reply.error().message()));
  }
  if (reply->status == 503) {
    return fail(
        ErrorCode::kInterrupted,
        fmt::format("the agent at {} did not see the host within 8 s; its log says why", socket));
  }
  if (reply->status != 200) {
    return fail(ErrorCode::kMalformed,
                fmt::format("{} answers with {}: it is no agent's socket", socket, reply->status));
  }
  return read_recording(socket, reply->body);
}

}  // namespace acceptq::cli
