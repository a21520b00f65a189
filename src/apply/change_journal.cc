#include "apply/change_journal.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "apply/journal_folder.h"
#include "base/file.h"
#include "base/output_file.h"
#include "base/own_folder.h"

namespace acceptq::apply {
namespace {

constexpr const char* kFolder = "acceptq/changes";
constexpr const char* kName = "change.json";
constexpr std::size_t kMostChanges = 1000;
constexpr std::size_t kMostBytes = std::size_t{64} << 20;

Status write_file(const std::string& path, std::string_view text) {
  const Result<OutputFile> file = OutputFile::Open(path);
  if (!file) return fail(file.error());
  return file->write(text);
}

// "/etc/nginx/nginx.conf" as one name: "1-nginx.conf".
std::string backup_name(std::size_t index, const std::string& path) {
  return std::to_string(index + 1) + "-" + path.substr(path.rfind('/') + 1);
}

// A name that cannot lead out of the journal.
bool is_name(const std::string& id) {
  return !id.empty() && id.find_first_not_of("0123456789TZ-") == std::string::npos;
}

}  // namespace

Result<ChangeJournal> ChangeJournal::Open(const std::string& lib_root) {
  Result<std::string> folder = make_journal_folder(lib_root, kFolder);
  if (!folder) return fail(std::move(folder.error()));
  return ChangeJournal(std::move(*folder));
}

std::string ChangeJournal::folder_of(const facts::KeptChange& kept) const {
  return folder_ + "/" + kept.id;
}

Status ChangeJournal::keep(const facts::KeptChange& kept) const {
  if (!is_name(kept.id)) return fail(ErrorCode::kMalformed, "no name of a change: " + kept.id);
  const std::string folder = folder_of(kept);
  if (const Status made = make_own_folder(folder); !made) return made;
  for (std::size_t i = 0; i < kept.change.files.size(); ++i) {
    const facts::FileStep& step = kept.change.files[i];
    if (!step.before) continue;
    const std::string path = folder + "/" + backup_name(i, step.path);
    if (const Status written = write_file(path, *step.before); !written) return written;
  }
  return write_file(folder + "/" + kName, facts::to_json(kept));
}

Status ChangeJournal::forget(const facts::KeptChange& kept) const {
  if (!is_name(kept.id)) return fail(ErrorCode::kMalformed, "no name of a change: " + kept.id);
  std::error_code error;
  std::filesystem::remove_all(folder_of(kept), error);
  if (error) return fail_errno(error.value(), "cannot remove " + folder_of(kept));
  return {};
}

KeptChanges read_changes(const std::string& lib_root) {
  KeptChanges read;
  const std::string folder = lib_root + "/" + kFolder;
  const Status trusted = check_own_folder(folder);
  const Result<std::vector<std::string>> paths =
      trusted ? paths_in(folder, "", kMostChanges) : fail(trusted.error());
  if (!paths) {
    if (paths.error().code != ErrorCode::kNotFound) read.errors.push_back(paths.error());
    return read;
  }
  for (const std::string& path : *paths) {
    const std::string name = path + "/" + kName;
    const Result<std::string> text = read_file(name, kMostBytes);
    // Another acceptq has undone it meanwhile, or has not begun it yet.
    if (!text && text.error().code == ErrorCode::kNotFound) continue;
    Result<facts::KeptChange> kept = text ? facts::change_from_json(*text) : fail(text.error());
    if (kept && kept->id != path.substr(path.rfind('/') + 1)) {
      kept = fail(ErrorCode::kMalformed, "it is of another folder");
    }
    if (kept) {
      read.changes.push_back(std::move(*kept));
    } else {
      kept.error().context = name + ": " + kept.error().context;
      read.errors.push_back(std::move(kept.error()));
    }
  }
  std::ranges::sort(read.changes, {}, &facts::KeptChange::realtime_ns);
  return read;
}

}  // namespace acceptq::apply
