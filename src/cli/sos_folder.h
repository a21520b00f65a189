// The folder that sos (sosreport) makes: its files that tell of listeners and their counters.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "import/import.h"

namespace acceptq::cli {

// Of a folder, or of one that holds nothing but it. Each text has the command that printed it, so
// that those of network namespaces are told apart. kMalformed where it is no such folder.
[[nodiscard]] Result<std::vector<imports::Text>> read_sos_folder(const std::string& path);

}  // namespace acceptq::cli
