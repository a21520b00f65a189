// What every reader of a configuration keeps, whatever the bytes are.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "config/edit.h"
#include "config/readers.h"
#include "config/unified_diff.h"

namespace acceptq::config::test {

// Every file that is asked for has this text. A reader ends; where it makes an edit, that is of a
// file as it was, and what it leaves has the number, can be read, and needs no further edit.
inline void fuzz_reader(Reader& reader, const Invocation& how, std::string_view text) {
  constexpr std::uint32_t kValue = 12345;
  Wish wish{.value = kValue};
  wish.listener.port = 80;
  for (const Setting setting : {Setting::kBacklog, Setting::kConnections, Setting::kOpenFiles}) {
    wish.setting = setting;
    std::string now(text);  // of every file that is asked for
    const ReadFiles read = [&](const std::string& name) -> Result<std::vector<File>> {
      return std::vector{File{name, now}};
    };
    const Result<Edit> edit = reader(how, wish, read);
    if (!edit) {
      if (edit.error().context.empty()) std::abort();
      continue;
    }
    for (const FileEdit& file : edit->files) {
      if (file.before && *file.before != now) std::abort();
      if (file.after.find("12345") == std::string::npos) std::abort();
      if (file.before != file.after && unified_diff(file).empty()) std::abort();
    }
    if (edit->files.empty() && edit->note.empty() && edit->option.empty()) std::abort();
    if (edit->files.size() != 1 || !edit->files[0].before) continue;
    now = edit->files[0].after;
    const Result<Edit> again = reader(how, wish, read);
    if (!again || !again->files.empty()) std::abort();
  }
}

}  // namespace acceptq::config::test
