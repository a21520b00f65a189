// Files of a test's own making, and listeners to ask for.
#pragma once

#include <fnmatch.h>

#include <cerrno>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "config/edit.h"
#include "config/servers.h"

namespace acceptq::config::test {

using Tree = std::map<std::string, std::string>;

inline ReadFiles reader_of(const Tree& tree) {
  return [&tree](const std::string& pattern) -> Result<std::vector<File>> {
    std::vector<File> files;
    if (pattern.find_first_of("*?[") == std::string::npos) {
      const auto found = tree.find(pattern);
      if (found != tree.end()) return std::vector{File{pattern, found->second}};
      const auto below = tree.lower_bound(pattern + "/");
      const bool directory = below != tree.end() && below->first.starts_with(pattern + "/");
      return fail_errno(directory ? EISDIR : ENOENT, pattern);
    }
    for (const auto& [path, text] : tree) {
      if (::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0) {
        files.push_back({path, text});
      }
    }
    return files;
  };
}

inline Wish wish_for(const char* address, std::uint16_t port, std::uint32_t value) {
  Wish wish{.value = value};
  wish.listener.address = *facts::IpAddress::parse(address);
  wish.listener.port = port;
  return wish;
}

inline Wish wish_for_unix(const char* path, std::uint32_t value) {
  Wish wish{.value = value};
  wish.listener.protocol = facts::Protocol::kUnix;
  wish.listener.path = path;
  return wish;
}

// "PATH: the new text" of each file, "option: X", "nothing: the note", or "error: …".
inline std::string plan(const Invocation& how, const Tree& tree, const Wish& wish) {
  const Result<Edit> edit = plan_edit(how, wish, reader_of(tree));
  if (!edit) return "error: " + edit.error().message();
  if (!edit->option.empty()) return "option: " + edit->option;
  if (edit->files.empty()) return "nothing: " + edit->note;
  std::string all;
  for (const FileEdit& file : edit->files) all += file.path + ": " + file.after;
  return all;
}

inline Wish with(Wish wish, Setting setting) {
  wish.setting = setting;
  return wish;
}

}  // namespace acceptq::config::test
