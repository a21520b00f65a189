#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/file.h"
#include "lab/lab.h"

namespace acceptq::lab {

namespace fs = std::filesystem;

namespace {

// Where they are kept by topic. One level, and what cannot be read is left out.
std::vector<std::string> with_subfolders(const fs::path& folder) {
  std::vector<std::string> folders;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->is_directory(error)) folders.push_back(entry->path().string());
  }
  std::ranges::sort(folders);
  folders.insert(folders.begin(), folder.string());
  return folders;
}

}  // namespace

std::vector<std::string> scenario_folders() {
  std::vector<fs::path> candidates = {"scenarios"};
  if (const Result<std::string> executable = read_link("/proc/self/exe")) {
    const fs::path folder = fs::path(*executable).parent_path();
    candidates.push_back(folder / "scenarios");
    candidates.push_back(folder.parent_path() / "scenarios");
    candidates.push_back(folder.parent_path() / "share" / "acceptq" / "scenarios");
  }
  if (const char* folder = std::getenv("ACCEPTQ_SCENARIOS"); folder != nullptr && *folder != '\0') {
    candidates.emplace_back(folder);
  }
  std::vector<std::string> folders;
  for (const fs::path& candidate : candidates) {
    std::error_code error;
    const fs::path real = fs::canonical(candidate, error);
    if (error || !fs::is_directory(real, error)) continue;
    for (const std::string& folder : with_subfolders(real)) {
      if (std::ranges::find(folders, folder) == folders.end()) folders.push_back(folder);
    }
  }
  return folders;
}

Result<std::vector<ScenarioEntry>> list_scenarios(const std::string& folder) {
  std::error_code error;
  fs::directory_iterator files(folder, error);
  if (error) return fail_errno(error.value(), "listing scenarios in " + folder);
  std::vector<ScenarioEntry> entries;
  for (const fs::directory_entry& file : files) {
    if (file.path().extension() != ".yaml") continue;
    const Result<std::string> text = read_file(file.path().string());
    if (!text) return fail(text.error());
    const Result<Scenario> scenario = parse_scenario(*text, file.path().string());
    if (!scenario) return fail(scenario.error());
    entries.push_back({scenario->name, scenario->title, file.path().string()});
  }
  std::sort(entries.begin(), entries.end(),
            [](const ScenarioEntry& a, const ScenarioEntry& b) { return a.name < b.name; });
  return entries;
}

Result<std::string> find_scenario(const std::string& path_or_name) {
  std::error_code error;
  if (fs::is_regular_file(path_or_name, error)) return path_or_name;
  std::string looked;
  if (path_or_name.find('/') == std::string::npos) {
    for (const std::string& folder : scenario_folders()) {
      const fs::path path = fs::path(folder) / (path_or_name + ".yaml");
      if (fs::is_regular_file(path, error)) return path.string();
      if (!looked.empty()) looked += ", ";
      looked += folder;
    }
  }
  return fail(ErrorCode::kNotFound, "scenario \"" + path_or_name +
                                        "\" is neither a file nor a name known in " +
                                        (looked.empty() ? "any scenario folder" : looked));
}

}  // namespace acceptq::lab
