// acceptq collect: what was observed, in one file for somebody who has no shell here.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "answer/answer.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/output_file.h"
#include "bundle/bundle.h"
#include "bundle/redact.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/observation.h"
#include "cli/selection.h"
#include "cli/terminal.h"
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

}  // namespace

int run_collect(const CollectCommand& command) {
  static_cast<void>(interrupted());
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
  if (command.redact) observation = bundle::redacted(std::move(*observation));
  const Result<std::string> packed =
      bundle::pack(name, {{.name = "manifest.json", .bytes = manifest(command.redact)},
                          {.name = bundle::kRecordingName, .bytes = facts::to_json(*observation)},
                          {.name = "report.txt", .bytes = readable(*observation)}});
  const Status written = packed ? file->write(*packed) : fail(packed.error());
  if (!written) {
    print_error(written.error());
    return kExitUsage;
  }
  if (file->is_stdout()) return exit_code(kExitNothingWrong);
  return finish(fmt::format("{} ({} KiB{}): acceptq check --from it, anywhere\n", path,
                            (packed->size() + 1023) / 1024, command.redact ? ", redacted" : ""),
                kExitNothingWrong);
}

}  // namespace acceptq::cli
