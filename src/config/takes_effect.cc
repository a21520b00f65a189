#include "config/takes_effect.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string_view>
#include <utility>

namespace acceptq::config {
namespace {

// A word that a shell takes as it is, or one in quotes.
std::string shell_word(std::string_view word) {
  constexpr std::string_view kPlain = "-_./:=@%+,";
  const bool plain = !word.empty() && std::ranges::all_of(word, [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           kPlain.find(c) != std::string_view::npos;
  });
  if (plain) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += R"('\'')";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

}  // namespace

TakesEffect by_signal(int signal, Pid process) {
  return {.effect = Effect::kReload, .signal = signal, .process = process};
}

TakesEffect by_commands(std::vector<Command> commands) {
  return {.effect = Effect::kRestartByCommand, .commands = std::move(commands)};
}

std::string kind_of(const TakesEffect& effect) {
  switch (effect.effect) {
    case Effect::kReload:
    case Effect::kReloadByCommand:
      return "reload";
    case Effect::kRestartByCommand:
    case Effect::kRestart:
      break;
  }
  return "restart";
}

std::string shell_line(const Command& command) {
  std::string line;
  for (const std::string& word : command) {
    if (!line.empty()) line += ' ';
    line += shell_word(word);
  }
  return line;
}

std::string shell_line(const TakesEffect& effect) {
  switch (effect.effect) {
    case Effect::kReload:
      return fmt::format("kill -{} {}", ::sigabbrev_np(effect.signal), effect.process.value());
    case Effect::kReloadByCommand:
    case Effect::kRestartByCommand: {
      std::string line;
      for (const Command& command : effect.commands) {
        line += (line.empty() ? "" : " && ") + shell_line(command);
      }
      return line;
    }
    case Effect::kRestart:
      break;
  }
  return "";
}

}  // namespace acceptq::config
