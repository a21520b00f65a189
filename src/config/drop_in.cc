#include "config/drop_in.h"

#include <fmt/format.h>

#include <vector>

#include "config/ini.h"

namespace acceptq::config {
namespace {

const IniStyle kStyle{.comments = "#;"};

}  // namespace

Result<Edit> edit_drop_in(std::string_view unit, std::string_view section, std::string_view key,
                          std::string_view value, const ReadFiles& read) {
  const std::string directory = fmt::format("{}/{}.d", kUnitDirectory, unit);
  const std::string own = directory + "/zz-acceptq.conf";
  const Result<std::vector<File>> files = read(directory + "/*.conf");
  if (!files) return fail(files.error());
  IniPlace last;
  const File* ours = nullptr;
  for (const File& file : *files) {
    if (file.path == own) ours = &file;
    for (const IniEntry& entry : parse_ini(file, kStyle)) {
      if (entry.section == section && entry.key == key) last = {.file = &file, .entry = entry};
    }
  }
  if (last.file != nullptr) return edit_value(last, value);
  const std::string text = fmt::format("[{}]\n{}={}", section, key, value);
  if (ours != nullptr) return edit_file(append_line(*ours, text));
  return edit_file({.path = own, .after = text + "\n", .line = 1});
}

}  // namespace acceptq::config
