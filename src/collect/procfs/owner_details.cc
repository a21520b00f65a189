#include "collect/procfs/owner_details.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "base/file.h"
#include "base/numbered_entries.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "collect/attended.h"
#include "collect/procfs/executable.h"

namespace acceptq::collect::procfs {
namespace {

constexpr std::size_t kMaxFile = std::size_t{1} << 20;

std::string_view basename_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

// How an interpreter's options are read, as far as it takes to find the program behind them.
struct Interpreter {
  std::string_view name;                             // what its own name begins with
  std::string_view module_option;                    // whose value is the program
  std::string_view code_option;                      // whose value is the program's text
  std::array<std::string_view, 6> options_of_value;  // other options that a value follows
};

constexpr Interpreter kInterpreters[] = {
    {"python", "-m", "-c", {"-W", "-X", "--check-hash-based-pycs"}},
    {"pypy", "-m", "-c", {"-W", "-X"}},
    {"ruby", "", "-e", {"-r", "-I", "-C", "-E"}},
    {"perl", "", "-e", {"-I", "-M"}},
    {"busybox", "", "", {}},
    {"java",
     "-jar",
     "",
     {"-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules"}},
};

const Interpreter* interpreter_of(std::string_view command) {
  const std::string_view name = basename_of(command);
  const auto* found = std::ranges::find_if(kInterpreters, [&](const Interpreter& interpreter) {
    if (!name.starts_with(interpreter.name)) return false;
    // "python3.11", not "python-server".
    return name.find_first_not_of("0123456789.", interpreter.name.size()) == std::string_view::npos;
  });
  return found != std::end(kInterpreters) ? found : nullptr;
}

std::string program_name(std::string_view path) {
  // A package that is run is named by its directory: /usr/lib/python3/dist-packages/uvicorn.
  constexpr std::string_view kMain = "/__main__.py";
  if (path.ends_with(kMain)) path.remove_suffix(kMain.size());
  return std::string(basename_of(path));
}

std::vector<std::string_view> words_of(std::string_view cmdline) {
  std::vector<std::string_view> words;
  while (!cmdline.empty()) {
    const std::size_t end = cmdline.find('\0');
    words.push_back(cmdline.substr(0, end));
    cmdline.remove_prefix(end == std::string_view::npos ? cmdline.size() : end + 1);
  }
  return words;
}

// Options of one letter may be written together and with their value: "-Im", "-muvicorn".
std::optional<std::string> behind_options(const Interpreter& interpreter,
                                          const std::vector<std::string_view>& words) {
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word.empty()) continue;
    const std::string_view next = i + 1 < words.size() ? words[i + 1] : std::string_view{};
    if (!word.starts_with('-') || word == "-") return program_name(word);
    if (word == interpreter.module_option) return program_name(next);
    if (std::ranges::find(interpreter.options_of_value, word) !=
        interpreter.options_of_value.end()) {
      ++i;
      continue;
    }
    const bool letters = word.size() > 1 && word[1] != '-' && interpreter.name != "java";
    for (std::size_t at = 1; letters && at < word.size(); ++at) {
      const std::string option = std::string("-") + word[at];
      if (option == interpreter.code_option) return std::nullopt;
      if (option == interpreter.module_option) {
        return program_name(at + 1 < word.size() ? word.substr(at + 1) : next);
      }
      if (std::ranges::find(interpreter.options_of_value, option) !=
          interpreter.options_of_value.end()) {
        break;  // the rest of the word is its value
      }
    }
  }
  return std::nullopt;
}

// Whether `process` still is the one behind the descriptor of its directory.
bool is_same(int dir_fd, const facts::Process& process) {
  const Result<std::string> text = read_file_at(dir_fd, "stat", kMaxFile);
  if (!text) return false;
  const Result<StatFields> stat = parse_stat(*text);
  return stat && stat->start_ticks == process.start_ticks;
}

std::optional<std::uint32_t> count_descriptors(int dir_fd) {
  constexpr std::uint32_t kOften = 1024;
  const UniqueFd fds(::openat(dir_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fds.valid()) return std::nullopt;
  std::vector<std::byte> buffer;
  std::uint32_t count = 0;
  const int error = for_each_number(fds.get(), buffer, [&](std::int32_t, auto) {
    if (++count % kOften == 0) still_at_work();
    return 0;
  });
  return error == 0 ? std::optional(count) : std::nullopt;
}

}  // namespace

std::optional<std::string> program_of(std::string_view cmdline) {
  const std::vector<std::string_view> words = words_of(cmdline);
  if (words.empty() || words[0].empty()) return std::nullopt;
  std::string program;
  if (const Interpreter* interpreter = interpreter_of(words[0])) {
    program = behind_options(*interpreter, words).value_or("");
  } else {
    // A title that the program has given itself is one text: "gunicorn: master [app]".
    program = basename_of(words[0].substr(0, words[0].find_first_of(": ")));
  }
  if (program.empty()) return std::nullopt;
  return program;
}

std::optional<std::uint32_t> parse_open_files_limit(std::string_view limits) {
  constexpr std::string_view kLine = "Max open files";
  while (!limits.empty()) {
    const std::string_view line = next_line(limits);
    if (!line.starts_with(kLine)) continue;
    const std::vector<std::string_view> fields = split_blank(line.substr(kLine.size()));
    return fields.empty() ? std::nullopt : parse_int<std::uint32_t>(fields[0]);
  }
  return std::nullopt;
}

void read_owner_details(const std::string& proc_root, CommandLine command_line,
                        facts::Process& process) {
  const std::string dir = proc_root + "/" + std::to_string(process.pid.value());
  const UniqueFd dir_fd(::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir_fd.valid() || !is_same(dir_fd.get(), process)) return;
  if (const Result<std::string> limits = read_file_at(dir_fd.get(), "limits", kMaxFile)) {
    process.open_files_limit = parse_open_files_limit(*limits);
  }
  process.open_files = count_descriptors(dir_fd.get());
  process.language = language_of(dir_fd.get());
  if (command_line == CommandLine::kLeaveOut) return;
  if (const Result<std::string> cmdline = read_file_at(dir_fd.get(), "cmdline", kMaxFile)) {
    process.program = program_of(*cmdline);
  }
}

}  // namespace acceptq::collect::procfs
