// nginx -T: each file below a line "# configuration file /etc/nginx/nginx.conf:".
#include <algorithm>

#include "base/text.h"
#include "import/prompt.h"
#include "import/readers.h"

namespace acceptq::imports {
namespace {

constexpr std::string_view kHead = "# configuration file ";

// The path of a head line; empty for any other.
std::string_view path_of(std::string_view line) {
  if (!line.starts_with(kHead) || !line.ends_with(':')) return {};
  line = line.substr(kHead.size(), line.size() - kHead.size() - 1);
  return line.starts_with('/') ? line : std::string_view();
}

// Follows blocks as far as it takes to see where a configuration ends.
class Follower {
 public:
  // Whether `line` can stand behind what has been taken.
  [[nodiscard]] bool goes_on_with(std::string_view line) const {
    const std::string_view text = trim(line);
    if (text.empty() || depth_ > 0 || !ended_) return true;
    if (const auto typed = parse_typed(line); typed && typed->prompt) return false;
    return text.starts_with('#') || text.find_first_of(";{}") != std::string_view::npos;
  }

  void take(std::string_view line) {
    const std::string_view text = trim(line);
    if (text.empty() || text.starts_with('#')) return;
    for (const char c : text) {
      if (c == '{') ++depth_;
      if (c == '}' && depth_ > 0) --depth_;
    }
    ended_ = text.find_last_of(";{}") != std::string_view::npos;
  }

 private:
  int depth_ = 0;
  bool ended_ = true;  // no directive is open
};

// It prints a line end behind each file; and blank lines may follow in the text.
void end_as_the_file_does(std::string& text) {
  while (text.ends_with("\n\n")) text.pop_back();
}

}  // namespace

Reading read_nginx_dump(Lines lines, const Typed& /*typed*/) {
  if (lines.empty() || path_of(lines[0].text).empty()) return {};
  Reading reading;
  ServerConfig server;
  Follower follower;
  for (; reading.used < lines.size(); ++reading.used) {
    const std::string_view line = lines[reading.used].text;
    if (const std::string_view path = path_of(line); !path.empty()) {
      // It prints each once: another dump.
      if (!server.files.empty() && server.files.front().path == path) break;
      server.files.push_back({.path = std::string(path), .text = {}, .identity = {}});
      follower = {};
      continue;
    }
    if (!follower.goes_on_with(line)) break;
    follower.take(line);
    server.files.back().text += lines[reading.used].exact.value_or(std::string(line)) + "\n";
  }
  for (config::File& file : server.files) end_as_the_file_does(file.text);
  reading.piece = std::move(server);
  return reading;
}

}  // namespace acceptq::imports
