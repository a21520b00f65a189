#include "apply/journal_folder.h"

#include "base/own_folder.h"

namespace acceptq::apply {

Result<std::string> make_journal_folder(const std::string& root, const std::string& folder) {
  std::string path = root + "/" + folder;
  const std::string above = path.substr(0, path.rfind('/'));
  for (const std::string& each : {above, path}) {
    if (const Status made = make_own_folder(each); !made) {
      return fail({made.error().code, made.error().sys_errno,
                   "a change that is not kept in the journal could not be undone, so that none is "
                   "made (run as root): " +
                       made.error().context});
    }
  }
  return path;
}

}  // namespace acceptq::apply
