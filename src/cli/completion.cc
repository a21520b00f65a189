#include "cli/completion.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace acceptq::cli {
namespace {

// With those of its own commands: scripts look at the first word only.
std::vector<OptionInfo> all_options(const CommandTree& command) {
  std::vector<OptionInfo> options = command.options;
  for (const CommandTree& sub : command.commands) {
    for (const OptionInfo& option : sub.options) {
      if (std::ranges::find(options, option.name, &OptionInfo::name) == options.end()) {
        options.push_back(option);
      }
    }
  }
  return options;
}

std::string option_words(const std::vector<OptionInfo>& options) {
  std::string words;
  for (const OptionInfo& option : options) words += (words.empty() ? "" : " ") + option.name;
  return words;
}

std::string command_words(const CommandTree& command) {
  std::string words;
  for (const CommandTree& sub : command.commands) words += (words.empty() ? "" : " ") + sub.name;
  return words;
}

// "a|b|c" is a closed list; anything else describes free text.
bool is_list(const OptionInfo& option) { return option.values.find('|') != std::string::npos; }

std::string list_words(const OptionInfo& option) {
  std::string words = option.values;
  std::ranges::replace(words, '|', ' ');
  return words;
}

// Within single quotes of a shell.
std::string in_quotes(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out;
}

std::string bash_script(const CommandTree& tree) {
  std::string cases;
  std::string values;
  for (const CommandTree& command : tree.commands) {
    std::string words = option_words(all_options(command));
    if (!command.commands.empty()) words.insert(0, command_words(command) + " ");
    cases += fmt::format("    {}) words='{}' ;;\n", command.name, words);
    for (const OptionInfo& option : all_options(command)) {
      if (is_list(option)) {
        values += fmt::format("    {}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return ;;\n",
                              option.name, list_words(option));
      } else if (option.values == "FILE" || option.values == "PATH") {
        values +=
            fmt::format("    {}) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", option.name);
      }
    }
  }
  return fmt::format(
      "# bash completion for acceptq\n"
      "_acceptq() {{\n"
      "  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} words=\n"
      "  case $prev in\n{}  esac\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then words='{} {}'; else\n"
      "    case ${{COMP_WORDS[1]}} in\n{}    esac\n"
      "  fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
      "}}\n"
      "complete -F _acceptq acceptq\n",
      values, command_words(tree), option_words(tree.options), cases);
}

std::string zsh_script(const CommandTree& tree) {
  std::string commands;
  std::string cases;
  for (const CommandTree& command : tree.commands) {
    commands += fmt::format("    '{}:{}'\n", command.name, in_quotes(command.help));
    std::string arguments;
    for (const OptionInfo& option : all_options(command)) {
      std::string action;
      if (is_list(option)) action = fmt::format(":value:({})", list_words(option));
      if (!is_list(option) && option.takes_value) action = ":value:_files";
      std::string help = in_quotes(option.help);
      std::erase_if(help, [](char c) { return c == '[' || c == ']' || c == ':'; });
      arguments += fmt::format(" '{}[{}]{}'", option.name, help, action);
    }
    if (!command.commands.empty())
      arguments += fmt::format(" '1:command:({})'", command_words(command));
    cases += fmt::format("    {}) _arguments{} '*:' ;;\n", command.name, arguments);
  }
  return fmt::format(
      "#compdef acceptq\n"
      "_acceptq() {{\n"
      "  local -a commands=(\n{}  )\n"
      "  if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
      "  local command=$words[2]\n"
      "  words=(\"${{words[@]:1}}\"); (( CURRENT-- ))\n"
      "  case $command in\n{}  esac\n"
      "}}\n"
      "_acceptq \"$@\"\n",
      commands, cases);
}

std::string fish_script(const CommandTree& tree) {
  std::string text = "# fish completion for acceptq\ncomplete -c acceptq -f\n";
  for (const CommandTree& command : tree.commands) {
    text += fmt::format("complete -c acceptq -n __fish_use_subcommand -a {} -d '{}'\n",
                        command.name, in_quotes(command.help));
    const std::string in = fmt::format("-n '__fish_seen_subcommand_from {}'", command.name);
    for (const OptionInfo& option : all_options(command)) {
      text += fmt::format("complete -c acceptq {} -l {} -d '{}'{}\n", in, option.name.substr(2),
                          in_quotes(option.help),
                          is_list(option)      ? fmt::format(" -x -a '{}'", list_words(option))
                          : option.takes_value ? " -r -F"
                                               : "");
    }
    for (const CommandTree& sub : command.commands) {
      text +=
          fmt::format("complete -c acceptq {} -a {} -d '{}'\n", in, sub.name, in_quotes(sub.help));
    }
  }
  return text;
}

}  // namespace

std::string completion_script(std::string_view shell, const CommandTree& tree) {
  if (shell == "zsh") return zsh_script(tree);
  return shell == "fish" ? fish_script(tree) : bash_script(tree);
}

}  // namespace acceptq::cli
