// Gunicorn: `--backlog N`, else `backlog = N` in its configuration, which is Python: only a number
// that is assigned at the left margin is edited there. SIGHUP calls listen() again only for a new
// address (gunicorn/arbiter.py), and reads the number of workers anew (measured, 20.1).
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <string_view>

#include "base/text.h"
#include "config/command_line.h"
#include "config/ini.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

bool is_name(char c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Where the name `key` stands in the text as a word of its own.
std::vector<std::size_t> uses(std::string_view text, std::string_view key) {
  std::vector<std::size_t> found;
  for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    const std::size_t end = at + key.size();
    if ((at == 0 || !is_name(text[at - 1])) && (end == text.size() || !is_name(text[end])))
      found.push_back(at);
  }
  return found;
}

bool is_in_comment(std::string_view text, std::size_t at) {
  const std::size_t newline = text.substr(0, at).rfind('\n');
  const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  const std::size_t first = text.find_first_not_of(" \t", begin);
  return text[first] == '#';
}

Result<Edit> edit_python(const File& file, std::string_view key, const std::string& value) {
  const std::string_view text = file.text;
  // A string over several lines may hold anything that looks like code.
  for (const std::string_view quotes : {"\"\"\"", "'''"}) {
    if (const std::size_t at = text.find(quotes); at != std::string_view::npos) {
      return fail(malformed(file, at, "a text over several lines: this Python is not edited"));
    }
  }
  std::vector<std::size_t> found = uses(text, key);
  std::erase_if(found, [&](std::size_t at) { return is_in_comment(text, at); });
  if (found.empty()) {
    if (trim(text).ends_with('\\'))
      return fail(malformed(file, text.size() - 1, "its last line goes on"));
    return edit_file(append_line(file, fmt::format("{} = {}", key, value)));
  }
  const std::size_t at = found.front();
  const std::size_t begin = text.find_first_not_of(" \t", at + key.size());
  const bool margin = at == 0 || text[at - 1] == '\n';
  if (found.size() == 1 && margin && begin != std::string_view::npos && text[begin] == '=') {
    const std::size_t number = std::min(text.find_first_not_of(" \t", begin + 1), text.size());
    const std::size_t end = std::min(text.find_first_not_of("0123456789_", number), text.size());
    const std::size_t rest = std::min(text.find_first_not_of(" \t\r", end), text.size());
    if (end > number && (rest == text.size() || text[rest] == '\n' || text[rest] == '#')) {
      if (text.substr(number, end - number) == value)
        return edit_nothing(file, at, fmt::format("{} = {}", key, value));
      return edit_file(replace(file, number, end - number, value));
    }
  }
  return fail(malformed(
      file, at, fmt::format("{} is not one plain number here: this Python is not edited", key)));
}

}  // namespace

Result<Edit> edit_gunicorn(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  const auto& words = invocation.arguments;
  const bool is_gunicorn = std::ranges::any_of(words, [](const std::string& word) {
    return word.starts_with("gunicorn") || word.ends_with("/gunicorn");
  });
  if (!is_gunicorn) return edit_by_option(invocation, wish, read);
  if (wish.setting == Setting::kOpenFiles) {
    return fail(ErrorCode::kUnsupported,
                "Gunicorn has no setting of its bound on descriptors: LimitNOFILE= of its unit is");
  }
  const bool backlog = wish.setting == Setting::kBacklog;
  const std::string key = backlog ? "backlog" : "workers";
  const std::string value = std::to_string(wish.value);
  Edit option = edit_option(fmt::format("--{} {}", key, value));
  const bool told = option_value(words, {"--" + key}).has_value() ||
                    (!backlog && option_value(words, {"-w"}).has_value());
  if (told) return option;
  const auto named = option_value(words, {"--config", "-c"});
  constexpr std::string_view kPlain = "file:";
  std::string name = named.value_or("gunicorn.conf.py");
  if (name.starts_with(kPlain)) name.erase(0, kPlain.size());
  if (name.starts_with("python:")) return option;
  const Result<std::vector<File>> files = read(absolute(name, invocation.directory));
  if (!files && files.error().code == ErrorCode::kNotFound && !named) return option;
  if (!files) return fail(files.error());
  if (files->empty()) return option;
  Result<Edit> edit = edit_python(files->front(), key, value);
  if (edit && !backlog) edit->takes_effect = by_signal(SIGHUP, invocation.pid);
  return edit;
}

}  // namespace acceptq::config
