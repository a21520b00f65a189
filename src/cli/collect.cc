// acceptq collect: what was observed, in one file for somebody who has no shell here.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "answer/answer.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/output_file.h"
#include "base/text.h"
#include "bundle/bundle.h"
#include "bundle/packet_file.h"
#include "bundle/redact.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/observation.h"
#include "cli/selection.h"
#include "cli/terminal.h"
#include "collect/packet_sampler.h"
#include "collect/packets/packet_recorder.h"
#include "collect/scan.h"
#include "facts/json.h"
#include "render/report_text.h"

namespace acceptq::cli {
namespace {

std::string name_now() {
  const auto seconds = static_cast<std::time_t>(realtime_ns() / 1'000'000'000);
  return fmt::format("acceptq-{:%Y%m%dT%H%M%SZ}", fmt::gmtime(seconds));
}

std::string manifest(bool is_redacted) {
  const nlohmann::ordered_json json = {
      {"schema", "acceptq.bundle/1"}, {"acceptq", ACCEPTQ_VERSION}, {"redacted", is_redacted}};
  return printable_json(json.dump(1)) + "\n";
}

// As a person reads it, without acceptq.
std::string readable(const facts::Observation& observation) {
  const answer::Answer answer = answer::answer(observation);
  return render::report_text(
      answer.report, answer.observation,
      {.style = {.color = false, .unicode = true, .width = 100}, .all = true, .verbose = true});
}

// Of TCP listeners that something is found about: for how long they fail, and for whom.
collect::packets::Recorded capture(const facts::Observation& observation, double seconds) {
  const answer::Answer answer = answer::answer(observation);
  std::set<std::string> troubled;
  for (const diagnose::Finding& finding : answer.report.findings) {
    if (finding.listener && finding.severity > diagnose::Severity::kNotice) {
      troubled.insert(*finding.listener);
    }
  }
  if (troubled.empty()) return {};
  collect::Scanner scanner{collect::ScanOptions{}};
  const Result<facts::Snapshot> now = scanner.scan(collect::ScanDepth::kFirst);
  if (!now) {
    return {.packets = {},
            .blind_spots = {{.id = "AQ612",
                             .scope = "host",
                             .reason = now.error().message(),
                             .cost = "the bundle has no packets"}}};
  }
  const auto choices = collect::tap_choices(
      *now, scanner, [&](const facts::Snapshot& /*snapshot*/, const facts::Listener& listener) {
        return troubled.contains(facts::listener_key(listener));
      });
  Progress progress;
  progress.show(fmt::format("capturing packets of {} for {:.0f} s",
                            counted(troubled.size(), "listener", "listeners"), seconds));
  const std::chrono::duration<double> time(seconds);
  return collect::packets::record_packets(
      choices, {.time = std::chrono::duration_cast<std::chrono::nanoseconds>(time)},
      [] { return !interrupted().load(); });
}

// A file for each network namespace.
std::vector<bundle::Entry> packet_files(std::span<const facts::PacketHeaders> packets) {
  std::vector<bundle::Entry> files;
  while (!packets.empty()) {
    const NetnsId netns = packets.front().netns;
    const auto end = std::ranges::find_if(
        packets, [&](const facts::PacketHeaders& packet) { return packet.netns != netns; });
    const auto count = static_cast<std::size_t>(end - packets.begin());
    files.push_back(
        {.name = bundle::packet_file_name(netns), .bytes = bundle::to_pcap(packets.first(count))});
    packets = packets.subspan(count);
  }
  return files;
}

std::string with_packets(const CollectCommand& command, std::size_t packets) {
  if (command.capture <= 0) return "";
  if (packets == 0) return ", without packets: no listener is in trouble, or none came";
  return ", with " + counted(packets, "packet", "packets");
}

}  // namespace

int run_collect(const CollectCommand& command) {
  static_cast<void>(interrupted());
  constexpr double kLongestCapture = 60;
  if (command.capture > kLongestCapture) {
    print_error({ErrorCode::kMalformed, 0, "--capture takes 60s at most"});
    return kExitUsage;
  }
  const std::string name = name_now();
  const std::string path = command.output.empty() ? name + ".tar.zst" : command.output;
  const Result<OutputFile> file = OutputFile::Open(path, [] { return interrupted().load(); });
  if (!file) {
    print_error(file.error());
    return kExitUsage;
  }
  Result<facts::Observation> observation =
      observe_host({.seconds = command.seconds, .tracing = command.tracing}, {});
  if (!observation) {
    print_error(observation.error());
    return kExitBlind;
  }
  collect::packets::Recorded recorded;
  if (command.capture > 0) recorded = capture(*observation, command.capture);
  std::ranges::move(recorded.blind_spots, std::back_inserter(observation->after.blind_spots));
  if (command.redact) observation = bundle::redacted(std::move(*observation), recorded.packets);
  std::vector<bundle::Entry> entries{
      {.name = "manifest.json", .bytes = manifest(command.redact)},
      {.name = bundle::kRecordingName, .bytes = facts::to_json(*observation)},
      {.name = "report.txt", .bytes = readable(*observation)}};
  std::ranges::move(packet_files(recorded.packets), std::back_inserter(entries));
  const Result<std::string> packed = bundle::pack(name, entries);
  const Status written = packed ? file->write(*packed) : fail(packed.error());
  if (!written) {
    print_error(written.error());
    return kExitUsage;
  }
  if (file->is_stdout()) return exit_code(kExitNothingWrong);
  return finish(fmt::format("{} ({} KiB{}{}): acceptq check --from it, anywhere\n", path,
                            (packed->size() + 1023) / 1024, command.redact ? ", redacted" : "",
                            with_packets(command, recorded.packets.size())),
                kExitNothingWrong);
}

}  // namespace acceptq::cli
