#include "apply/journal.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "apply/journal_folder.h"
#include "base/output_file.h"

namespace acceptq::apply {

Result<Journal> Journal::Open(const std::string& run_root) {
  Result<std::string> folder = make_journal_folder(run_root, facts::kResizeFolder);
  if (!folder) return fail(std::move(folder.error()));
  return Journal(std::move(*folder));
}

Status Journal::keep(const facts::Listener& listener, const facts::Resize& resize) const {
  const Result<OutputFile> file =
      OutputFile::Open(folder_ + "/" + facts::resize_file_name(listener));
  if (!file) return fail(file.error());
  return file->write(facts::to_json(resize));
}

Status Journal::forget(const facts::Listener& listener) const {
  const std::string path = folder_ + "/" + facts::resize_file_name(listener);
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return fail_errno(errno, "cannot remove " + path);
}

}  // namespace acceptq::apply
