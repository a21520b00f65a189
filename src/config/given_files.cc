#include "config/given_files.h"

#include <fnmatch.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

namespace acceptq::config {

ReadFiles among(std::vector<File> files) {
  return [files = std::move(files)](const std::string& name) -> Result<std::vector<File>> {
    const bool is_pattern = name.find_first_of("*?[") != std::string::npos;
    std::vector<File> found;
    std::ranges::copy_if(files, std::back_inserter(found), [&](const File& file) {
      return is_pattern ? ::fnmatch(name.c_str(), file.path.c_str(), FNM_PATHNAME) == 0
                        : file.path == name;
    });
    if (found.empty() && !is_pattern) {
      return fail(ErrorCode::kNotFound, name + " is not among the files that were pasted");
    }
    return found;
  };
}

}  // namespace acceptq::config
