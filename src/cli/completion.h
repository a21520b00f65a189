// Completion scripts, made from the commands and options that there are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace acceptq::cli {

struct OptionInfo {
  std::string name;  // "--for"
  std::string help;
  bool takes_value = false;
  std::string values;  // "auto|always|never", "FILE", or whatever describes them
};

struct CommandTree {
  std::string name;
  std::string help;
  std::vector<OptionInfo> options;
  std::vector<CommandTree> commands;
};

// `shell` is "bash", "zsh" or "fish".
[[nodiscard]] std::string completion_script(std::string_view shell, const CommandTree& tree);

}  // namespace acceptq::cli
