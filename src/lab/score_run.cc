#include "lab/score_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "base/file.h"
#include "base/output_file.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace acceptq::lab {
namespace {

namespace fs = std::filesystem;

Result<Scenario> read_scenario(const std::string& path) {
  const Result<std::string> text = read_file(path);
  if (!text) return fail(text.error());
  return parse_scenario(*text, path);
}

bool asks_for_a_cause(const Scenario& scenario) {
  return std::ranges::any_of(scenario.steps, [](const Step& step) {
    const auto* const diagnose = std::get_if<DiagnoseStep>(&step.action);
    return diagnose != nullptr && (diagnose->expect.no_cause || !diagnose->expect.causes.empty());
  });
}

bool is_installed(const std::string& program) {
  if (program.find('/') != std::string::npos) return ::access(program.c_str(), X_OK) == 0;
  const char* const path = std::getenv("PATH");
  const std::string_view folders = path == nullptr ? "/usr/bin:/bin" : path;
  return std::ranges::any_of(split(folders, ':'), [&](std::string_view folder) {
    return ::access(fmt::format("{}/{}", folder, program).c_str(), X_OK) == 0;
  });
}

// What the scenario needs and this host does not have; empty: nothing known.
std::string lacking(const Scenario& scenario) {
  if (!scenario.storage.empty() && ::access("/dev/fuse", R_OK | W_OK) != 0) {
    return "there is no /dev/fuse";
  }
  for (const ServerSpec& server : scenario.servers) {
    std::vector<std::string> programs = server.needs;
    // With a mark it is a file of the scenario.
    const std::string& first = server.command.front();
    if (first.find('@') == std::string::npos) programs.push_back(first);
    for (const std::string& program : programs) {
      if (!is_installed(program)) return program + " is not installed";
    }
  }
  return {};
}

std::optional<std::string> folder_of_word(const std::string& word) {
  std::error_code error;
  if (fs::is_directory(word, error)) return word;
  if (word.find('/') != std::string::npos) return std::nullopt;
  for (const std::string& folder : scenario_folders()) {
    if (fs::path(folder).filename() == word) return folder;
  }
  return std::nullopt;
}

Status add_folder(const std::string& folder, std::vector<std::string>& paths) {
  const Result<std::vector<ScenarioEntry>> entries = list_scenarios(folder);
  if (!entries) return fail(entries.error());
  for (const ScenarioEntry& entry : *entries) {
    const Result<Scenario> scenario = read_scenario(entry.path);
    if (!scenario) return fail(scenario.error());
    if (asks_for_a_cause(*scenario)) paths.push_back(entry.path);
  }
  return {};
}

ScenarioScore run_here(const std::string& path, const LabOptions& options,
                       const Diagnoser& diagnoser) {
  ScenarioScore score{.name = fs::path(path).stem()};
  const Result<LabOutcome> outcome =
      run_scenario(path, options, diagnoser, [](const std::string&) {});
  if (!outcome) {
    (outcome.error().code == ErrorCode::kUnsupported ? score.skipped : score.failed) =
        outcome.error().message();
    return score;
  }
  score.seconds = outcome->seconds;
  score.answers = answers_of(*outcome);
  if (outcome->stopped) score.failed = "interrupted";
  return score;
}

// Everything until the end of file. Once `stop` is set, the child is told, and its answer is
// waited for: it cleans up.
std::string read_all(int fd, pid_t child, const std::atomic<bool>* stop) {
  std::string text;
  std::array<char, 8192> buffer{};
  bool told = false;
  while (true) {
    if (!told && stop != nullptr && stop->load()) {
      ::kill(child, SIGTERM);
      told = true;
    }
    pollfd polled{.fd = fd, .events = POLLIN, .revents = 0};
    constexpr int kAskEveryMs = 200;
    if (::poll(&polled, 1, kAskEveryMs) <= 0) continue;
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

Result<std::vector<std::string>> scenarios_to_score(const std::vector<std::string>& words) {
  std::vector<std::string> paths;
  if (words.empty()) {
    for (const std::string& folder : scenario_folders()) {
      if (const Status added = add_folder(folder, paths); !added) return fail(added.error());
    }
  }
  for (const std::string& word : words) {
    if (const std::optional<std::string> folder = folder_of_word(word)) {
      if (const Status added = add_folder(*folder, paths); !added) return fail(added.error());
      continue;
    }
    Result<std::string> path = find_scenario(word);
    if (!path) return fail(path.error());
    paths.push_back(*std::move(path));
  }
  if (paths.empty()) {
    return fail(ErrorCode::kNotFound, "no scenario there says what the cause is");
  }
  return paths;
}

ScenarioScore score_scenario(const std::string& path, const LabOptions& options,
                             const Diagnoser& diagnoser) {
  ScenarioScore score{.name = fs::path(path).stem()};
  const Result<Scenario> scenario = read_scenario(path);
  if (!scenario) {
    score.failed = scenario.error().message();
    return score;
  }
  score.skipped = asks_for_a_cause(*scenario) ? lacking(*scenario) : "it expects no cause";
  if (!score.skipped.empty()) return score;

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    score.failed = fmt::format("no pipe: errno {}", errno);
    return score;
  }
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(1);
    ::_exit(write_all(write_end.get(), to_json(run_here(path, options, diagnoser))) == 0 ? 0 : 1);
  }
  write_end.reset();
  const std::string text = child > 0 ? read_all(read_end.get(), child, options.stop) : "";
  int status = 0;
  while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (Result<ScenarioScore> read = score_from_json(text)) return *std::move(read);
  score.failed = WIFSIGNALED(status)
                     ? fmt::format("its process was ended by signal {}", WTERMSIG(status))
                     : "its process ended without an answer";
  return score;
}

}  // namespace acceptq::lab
