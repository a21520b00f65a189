// nginx's configuration language: directives, blocks, includes. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/edit.h"

namespace acceptq::config {

struct NginxWord {
  std::string value;  // without quotes and escapes
  std::size_t begin = 0;
  std::size_t end = 0;  // in the file's text, quotes included
};

struct NginxDirective {
  std::vector<NginxWord> words;       // its name first; at least that
  std::size_t file = 0;               // in NginxConfig::files
  std::optional<std::size_t> parent;  // the block that it is in, in NginxConfig::directives
  bool block = false;
  std::size_t end = 0;  // of its ';' or '{' in the file's text

  [[nodiscard]] const std::string& name() const { return words[0].value; }
};

struct NginxConfig {
  std::vector<File> files;
  std::vector<NginxDirective> directives;  // in the order in which nginx reads them

  [[nodiscard]] const File& file_of(const NginxDirective& directive) const {
    return files[directive.file];
  }
  // The name of the block that it is in; "" outside of all.
  [[nodiscard]] std::string_view parent_name(const NginxDirective& directive) const;
};

// The file `name` and what it includes where a listen directive may be; names that are not absolute
// are below the directory of `name`, as nginx's conf prefix is.
[[nodiscard]] Result<NginxConfig> read_nginx_config(const std::string& name, const ReadFiles& read);

// The end of a block of Lua whose '{' is before `begin`: the offset of its '}'; npos where it has
// none. Braces in strings, long brackets and comments do not count.
[[nodiscard]] std::size_t lua_block_end(std::string_view text, std::size_t begin);

}  // namespace acceptq::config
