// The text of a configuration file, changed and put back. The folder is held open and no link is
// followed, so that nobody who can write to it leads the change elsewhere; the file is replaced in
// one step and keeps owner, mode and extended attributes.
#pragma once

#include "base/result.h"
#include "facts/change.h"

namespace acceptq::apply {

// Fails, with nothing changed, where the file is not the one that was read (another inode: the
// process sees other files than this one), holds something else by now, or cannot be replaced. A
// new file's folder is made where it is missing.
[[nodiscard]] Status change_file(const facts::FileStep& step);

// Gives the file the text back that it had, and removes one that was new. Fails, with nothing
// changed, where it does not hold `after` any more: somebody else has changed it since.
[[nodiscard]] Status put_back_file(const facts::FileStep& step);

}  // namespace acceptq::apply
