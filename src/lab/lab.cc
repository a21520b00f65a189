// The side of a run that stays outside the sandbox: it shows what the steps say and diagnoses.
#include "lab/lab.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "base/file.h"
#include "base/output_file.h"
#include "diagnose/diagnose.h"
#include "facts/json.h"
#include "lab/ablate.h"
#include "lab/cgroups.h"
#include "lab/expect.h"
#include "lab/runner.h"
#include "lab/sandbox.h"

namespace acceptq::lab {
namespace {

using Json = nlohmann::json;

Result<std::string> find_slowfs(const LabOptions& options) {
  if (!options.slowfs_path.empty()) return options.slowfs_path;
  const Result<std::string> executable = read_link("/proc/self/exe");
  if (!executable) return fail(executable.error());
  const std::filesystem::path folder = std::filesystem::path(*executable).parent_path();
  for (const auto& candidate :
       {folder / "acceptq-slowfs", folder.parent_path() / "acceptq-slowfs"}) {
    if (::access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  return fail(ErrorCode::kNotFound, "acceptq-slowfs is not beside " + *executable);
}

class Outside {
 public:
  Outside(const Scenario& scenario, const LabOptions& options, const Diagnoser& diagnoser,
          const Sink& sink)
      : scenario_(scenario), options_(options), diagnoser_(diagnoser), sink_(sink) {}

  // Whether the caller wants an end.
  bool stopped() {
    outcome.stopped = options_.stop != nullptr && options_.stop->load();
    return outcome.stopped;
  }

  bool take(const Channel& channel, const std::string& text) {
    const Json message = Json::parse(text, nullptr, false);
    const std::string kind = message.is_object() ? message.value("kind", "") : "";
    if (kind == "text") sink_(message.value("text", ""));
    if (kind == "show") take_show(message);
    if (kind == "load") take_load(message);
    if (kind == "diagnose") return diagnose(channel, message);
    if (kind == "done") done = true;
    if (kind == "error") take_error(message);
    return kind != "done" && kind != "error";
  }

  LabOutcome outcome;
  bool done = false;
  std::optional<Error> error;

 private:
  void take_show(const Json& message) {
    outcome.shows.push_back(
        {.line = message.value("line", 0),
         .netns = message.value("netns", ""),
         .port = message.value("port", std::uint16_t{0}),
         .length = message.value("length", 0U),
         .limit = message.value("limit", 0U),
         .accepts_per_s = message.value("accepts_per_s", 0.0),
         .increases = {{"TcpExtListenOverflows", message.value("overflows", std::uint64_t{0})},
                       {"TcpExtListenDrops", message.value("drops", std::uint64_t{0})}}});
  }

  void take_load(const Json& message) {
    outcome.loads.push_back({.load = message.value("load", ""),
                             .rate_per_s = message.value("rate_per_s", 0.0),
                             .summary = message.value("summary", ""),
                             .json = message.value("json", "")});
    const LoadResult& load = outcome.loads.back();
    sink_(
        fmt::format("  load {} at {:.0f} a second: {}", load.load, load.rate_per_s, load.summary));
  }

  void take_error(const Json& message) {
    const int line = message.value("line", 0);
    const std::string where = line > 0 ? fmt::format("the step in line {}: ", line) : "";
    error =
        Error{message.value("interrupted", false) ? ErrorCode::kInterrupted : ErrorCode::kIo, 0,
              fmt::format("scenario {}: {}{}", scenario_.name, where, message.value("text", ""))};
  }

  bool diagnose(const Channel& channel, const Json& message) {
    const std::size_t index = message.value("step", scenario_.steps.size());
    const auto* step = index < scenario_.steps.size()
                           ? std::get_if<DiagnoseStep>(&scenario_.steps[index].action)
                           : nullptr;
    if (step == nullptr) {
      error = Error{ErrorCode::kIo, 0,
                    fmt::format("scenario {}: the sandbox asks to diagnose in step {}, which "
                                "diagnoses nothing",
                                scenario_.name, index)};
      return false;
    }
    const NetnsId netns(message.value("netns", std::uint64_t{0}));
    const Result<Diagnosis> diagnosis = diagnoser_(netns, step->port, step->seconds);
    DiagnoseResult result{
        .line = scenario_.steps[index].line,
        .netns = netns,
        .port = step->port,
        .expect = step->expect,
        .mismatches = diagnosis ? compare(step->expect, netns, step->port, *diagnosis)
                                : std::vector<std::string>{diagnosis.error().message()}};
    if (diagnosis) {
      if (const auto given = cause_given(netns, step->port, *diagnosis)) {
        result.cause = given->kind;
        result.confidence = given->confidence;
      }
      if (options_.ablate) result.ablated = ablate(netns, step->port, diagnosis->observation);
      if (const Status kept = keep(diagnosis->observation, result); !kept) {
        error = kept.error();
        return false;
      }
    }
    for (const std::string& mismatch : result.mismatches) sink_("  NOT AS EXPECTED: " + mismatch);
    outcome.diagnoses.push_back(std::move(result));
    return channel.send("{}");
  }

  static std::vector<Ablated> ablate(NetnsId netns, std::uint16_t port,
                                     const facts::Observation& observation) {
    std::vector<Ablated> ablated;
    for (const Signal& signal : signals()) {
      Diagnosis less{.observation = observation, .report = {}};
      signal.remove(less.observation);
      less.report = diagnose::diagnose(less.observation);
      ablated.push_back({.without = signal.name});
      if (const auto given = cause_given(netns, port_without(signal, port), less)) {
        ablated.back().cause = given->kind;
        ablated.back().confidence = given->confidence;
      }
    }
    return ablated;
  }

  // As `check --save` would.
  Status keep(const facts::Observation& observation, DiagnoseResult& result) const {
    if (options_.recordings_folder.empty()) return {};
    result.recording = fmt::format("{}/{}-{}.json", options_.recordings_folder, scenario_.name,
                                   outcome.diagnoses.size() + 1);
    const Result<OutputFile> file = OutputFile::Open(result.recording);
    return file ? file->write(facts::to_json(observation)) : Status(fail(file.error()));
  }

  const Scenario& scenario_;
  const LabOptions& options_;
  const Diagnoser& diagnoser_;
  const Sink& sink_;
};

}  // namespace

Result<LabOutcome> run_scenario(const std::string& path_or_name, const LabOptions& options,
                                const Diagnoser& diagnoser, const Sink& sink) {
  const Result<std::string> path = find_scenario(path_or_name);
  if (!path) return fail(path.error());
  const Result<std::string> text = read_file(*path);
  if (!text) return fail(text.error());
  const Result<Scenario> scenario = parse_scenario(*text, *path);
  if (!scenario) return fail(scenario.error());
  if (::geteuid() != 0) {
    return fail(ErrorCode::kPermission, "the lab needs root, to make namespaces and mounts");
  }
  const Result<std::string> slowfs =
      scenario->storage.empty() ? Result<std::string>(std::string()) : find_slowfs(options);
  if (!slowfs) return fail(slowfs.error());

  std::optional<Cgroups> cgroups;
  CgroupNeed need;
  for (const ServerSpec& server : scenario->servers) {
    const CgroupNeed its = cgroup_need(*scenario, server);
    need.cpu |= its.cpu;
    need.freezer |= its.freezer;
  }
  if (need.cpu || need.freezer) {
    Result<Cgroups> made = Cgroups::create(need);
    if (!made) {
      return fail(ErrorCode::kUnsupported, fmt::format("scenario {}: its cgroups: {}",
                                                       scenario->name, made.error().message()));
    }
    cgroups.emplace(*std::move(made));
  }

  const auto begin = std::chrono::steady_clock::now();
  Outside outside(*scenario, options, diagnoser, sink);
  const Status ran = run_in_sandbox(
      [&](const Channel& channel) {
        run_steps(*scenario, *slowfs, cgroups ? &*cgroups : nullptr, channel);
      },
      [&](const Channel& channel, const std::string& message) {
        return outside.take(channel, message);
      },
      [&] { return outside.stopped(); });
  if (!ran) return fail(ran.error());
  if (cgroups) {
    if (const Status removed = cgroups->remove(); !removed) return fail(removed.error());
  }
  if (outside.error) return fail(*outside.error);
  // Asked once more: a signal to the whole process group ends the sandbox before we look.
  if (!outside.done && !outside.stopped()) {
    return fail(ErrorCode::kIo, "scenario " + scenario->name + ": the sandbox ended unexpectedly");
  }
  outside.outcome.scenario = scenario->name;
  outside.outcome.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return std::move(outside.outcome);
}

}  // namespace acceptq::lab
