// Commands that were typed above what they printed: behind a prompt, or alone on a line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace acceptq::imports {

struct TypedLine {
  std::string where;            // the prompt's host ("node-1"), or its form where it names none
  bool names_host = false;      // `where` is a host
  bool prompt = false;          // there was a prompt
  std::optional<double> clock;  // of a prompt with the time, in seconds since midnight
  std::string command;          // may be empty
};

// Nothing where the line is no prompt and no command that prints evidence.
[[nodiscard]] std::optional<TypedLine> parse_typed(std::string_view line);

// What a command enters, and what it runs there.
struct Entered {
  std::string label;    // "pod shop/web-1", "container 49b4135534da"; empty: nothing
  std::string command;  // without sudo, and without what entered
  bool stays = false;   // a shell: what is typed next runs there, too
};
[[nodiscard]] Entered entered_by(std::string_view command);

// The commands of a line: "date; ss -lnt" is two.
[[nodiscard]] std::vector<std::string_view> commands_of(std::string_view line);

// N of `sleep N`, in seconds.
[[nodiscard]] std::optional<double> sleep_of(std::string_view command);

// The moment that a line tells, in seconds, where it is the output of date or the head line of
// watch; of one without a day, since midnight.
[[nodiscard]] std::optional<double> parse_moment(std::string_view line);

}  // namespace acceptq::imports
