// Where a block of Lua ends: what lua-nginx-module's ngx_http_lua_conf_lua_block_parse finds.
#include "config/nginx_syntax.h"

namespace acceptq::config {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// The offset behind a long bracket ("[[…]]", "[==[…]==]") that opens at `at`; `at` where none does.
std::size_t behind_long_bracket(std::string_view text, std::size_t at) {
  std::size_t open = at + 1;
  while (open < text.size() && text[open] == '=') ++open;
  if (open >= text.size() || text[open] != '[') return at;
  std::string close = "]";
  close.append(open - at - 1, '=');
  close += ']';
  const std::size_t end = text.find(close, open + 1);
  return end == kNone ? kNone : end + close.size();
}

std::size_t behind_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      return i + 1;
    }
  }
  return kNone;
}

// Behind the comment that "--" at `at` begins.
std::size_t behind_comment(std::string_view text, std::size_t at) {
  const std::size_t body = at + 2;
  if (body < text.size() && text[body] == '[') {
    const std::size_t behind = behind_long_bracket(text, body);
    if (behind != body) return behind;
  }
  return text.find('\n', body);
}

}  // namespace

std::size_t lua_block_end(std::string_view text, std::size_t begin) {
  std::size_t depth = 1;
  for (std::size_t i = begin; i < text.size();) {
    const char c = text[i];
    if (c == '}' && --depth == 0) return i;
    if (c == '{') ++depth;
    std::size_t next = i + 1;
    if (c == '"' || c == '\'') {
      next = behind_string(text, i);
    } else if (c == '[') {
      next = behind_long_bracket(text, i);
      if (next == i) ++next;
    } else if (text.substr(i, 2) == "--") {
      next = behind_comment(text, i);
    }
    if (next == kNone) return kNone;
    i = next;
  }
  return kNone;
}

}  // namespace acceptq::config
