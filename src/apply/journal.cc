#include "apply/journal.h"

#include <unistd.h>

#include <cerrno>

#include "base/output_file.h"
#include "base/own_folder.h"

namespace acceptq::apply {

Result<Journal> Journal::Open(const std::string& run_root) {
  const std::string folder = run_root + "/" + facts::kResizeFolder;
  const std::string above = folder.substr(0, folder.rfind('/'));
  for (const std::string& each : {above, folder}) {
    if (const Status made = make_own_folder(each); !made) {
      return fail({made.error().code, made.error().sys_errno,
                   "a change that is not kept in the journal could not be undone, so that none is "
                   "made (run as root): " +
                       made.error().context});
    }
  }
  return Journal(folder);
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
