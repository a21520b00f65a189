#include "collect/resize_journal.h"

#include "base/file.h"
#include "base/own_folder.h"

namespace acceptq::collect {
namespace {

constexpr std::size_t kMostFiles = 10'000;
constexpr std::size_t kMostBytes = std::size_t{1} << 20;

}  // namespace

ResizeJournal read_resize_journal(const std::string& run_root) {
  ResizeJournal journal;
  const std::string folder = run_root + "/" + facts::kResizeFolder;
  if (const Status trusted = check_own_folder(folder); !trusted) {
    if (trusted.error().code != ErrorCode::kNotFound) journal.errors.push_back(trusted.error());
    return journal;
  }
  const Result<std::vector<std::string>> paths = paths_in(folder, ".json", kMostFiles);
  if (!paths) {
    journal.errors.push_back(paths.error());
    return journal;
  }
  for (const std::string& path : *paths) {
    const Result<std::string> text = read_file(path, kMostBytes);
    // Another acceptq has undone it meanwhile.
    if (!text && text.error().code == ErrorCode::kNotFound) continue;
    Result<facts::Resize> resize = text ? facts::resize_from_json(*text) : fail(text.error());
    if (resize) {
      journal.resizes.push_back(std::move(*resize));
    } else {
      resize.error().context = path + ": " + resize.error().context;
      journal.errors.push_back(std::move(resize.error()));
    }
  }
  return journal;
}

}  // namespace acceptq::collect
