// BIND: `tcp-listen-queue N;` in the options, of all its listeners for DNS. A reload (SIGHUP, rndc
// reconfig) leaves the sockets as they are: it takes a stop and a start (measured, 9.18).
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/command_line.h"
#include "config/ini.h"
#include "config/listen_address.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

constexpr std::string_view kBacklog = "tcp-listen-queue";
constexpr std::string_view kClients = "tcp-clients";
constexpr std::uint16_t kDns = 53;
constexpr std::size_t kMaxBlocks = 64;  // within each other

// Its place is within the quotes, where it has some: what follows them at once is another word.
struct Word {
  std::string value;
  std::size_t file = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
  bool quoted = false;
};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_sign(char c) { return c == '{' || c == '}' || c == ';'; }

// Behind the comment that begins at `at`: of a line (# or //) or of C; `at` where none begins
// there.
Result<std::size_t> behind_comment(const File& file, std::size_t at) {
  const std::string_view rest = std::string_view(file.text).substr(at);
  if (rest.starts_with('#') || rest.starts_with("//")) {
    return std::min(file.text.find('\n', at), file.text.size());
  }
  if (!rest.starts_with("/*")) return at;
  const std::size_t end = file.text.find("*/", at + 2);
  if (end == std::string::npos) return fail(malformed(file, at, "this comment does not end"));
  return end + 2;
}

// The next word or sign at `at`, which then is behind it; nothing at the end of the file.
Result<std::optional<Word>> next_word(const File& file, std::size_t index, std::size_t& at) {
  const std::string_view text = file.text;
  while (at < text.size()) {
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    const Result<std::size_t> behind = behind_comment(file, at);
    if (!behind) return fail(behind.error());
    if (*behind == at) break;
    at = *behind;
  }
  if (at >= text.size()) return std::optional<Word>();
  const std::size_t begin = at;
  if (is_sign(text[at])) {
    ++at;
    return std::optional(Word{std::string(1, text[begin]), index, begin, at});
  }
  if (text[at] == '"') {
    const std::size_t end = text.find('"', at + 1);
    if (end == std::string_view::npos) {
      return fail(malformed(file, begin, "this quote does not end"));
    }
    at = end + 1;
    return std::optional(Word{.value = std::string(text.substr(begin + 1, end - begin - 1)),
                              .file = index,
                              .begin = begin + 1,
                              .end = end,
                              .quoted = true});
  }
  while (at < text.size() && !is_space(text[at]) && !is_sign(text[at]) && text[at] != '"') ++at;
  return std::optional(Word{std::string(text.substr(begin, at - begin)), index, begin, at});
}

// What concerns a queue of all that is read.
struct Config {
  std::vector<File> files;
  std::optional<Word> options;       // the '{' of its block
  std::vector<Word> backlog;         // the numbers of tcp-listen-queue
  std::vector<Word> clients;         // of tcp-clients
  std::vector<std::uint16_t> ports;  // that listen-on and its like name
};

class Reader {
 public:
  Reader(Config& config, const ReadFiles& read) : config_(config), read_(read) {}

  Status read_files(const std::string& pattern, std::size_t depth) {
    Result<std::vector<File>> files = read_(pattern);
    if (!files) return fail(files.error());
    for (File& file : *files) {
      if (config_.files.size() == kMaxIncludedFiles) return fail(too_many_files(file));
      config_.files.push_back(std::move(file));
      if (Status status = read_file(config_.files.size() - 1, depth); !status) return status;
    }
    return {};
  }

 private:
  // Statements end in ';', blocks in '}'; what is included may stand in a block, too.
  Status read_file(std::size_t index, std::size_t depth) {
    const std::size_t outside = blocks_.size();
    std::vector<Word> statement;
    std::size_t at = 0;
    while (true) {
      const Result<std::optional<Word>> next = next_word(config_.files[index], index, at);
      if (!next) return fail(next.error());
      const File& file = config_.files[index];
      if (!*next) break;
      const Word& word = **next;
      if (word.quoted || !is_sign(word.value[0])) {
        statement.push_back(word);
        continue;
      }
      if (word.value == "}") {
        if (blocks_.size() == outside) {
          return fail(malformed(file, word.begin, "a \"}\" that closes nothing"));
        }
        blocks_.pop_back();
      } else if (word.value == "{") {
        if (blocks_.size() == kMaxBlocks) {
          return fail(malformed(file, word.begin, "too many blocks within each other"));
        }
        note_listen(statement);
        blocks_.push_back(statement.empty() ? std::string() : statement[0].value);
        if (blocks_.size() == 1 && blocks_[0] == "options") config_.options = word;
      } else if (Status status = end_statement(statement, depth); !status) {
        return status;
      }
      statement.clear();
    }
    const File& file = config_.files[index];
    if (!statement.empty()) {
      return fail(malformed(file, statement[0].begin, "no \";\" ends this statement"));
    }
    if (blocks_.size() == outside) return {};
    return fail(malformed(file, file.text.size(), "a block does not end in this file"));
  }

  Status end_statement(const std::vector<Word>& statement, std::size_t depth) {
    if (statement.empty()) return {};
    const File& file = config_.files[statement[0].file];
    const std::string here = place(file, statement[0].begin);
    const std::string& name = statement[0].value;
    if (name == "include" && statement.size() == 2) {
      if (depth == kMaxIncludeDepth) return fail(too_deep(here));
      if (!statement[1].value.starts_with('/')) {
        return fail(ErrorCode::kMalformed,
                    here + ": from which directory this name was read is not known here");
      }
      const std::string path = statement[1].value;
      const Status status = read_files(path, depth + 1);
      return status ? status : fail(of_include(here, status.error()));
    }
    if (blocks_.size() != 1 || blocks_[0] != "options" || statement.size() != 2) return {};
    if (name == kBacklog) config_.backlog.push_back(statement[1]);
    if (name == kClients) config_.clients.push_back(statement[1]);
    if (name == "port") note_port(statement[1].value);
    return {};
  }

  // `listen-on port 5353 tls x { … }`.
  void note_listen(const std::vector<Word>& statement) {
    if (statement.empty() || !statement[0].value.starts_with("listen-on")) return;
    constexpr std::uint16_t kTls = 853;
    constexpr std::uint16_t kHttp = 80;
    constexpr std::uint16_t kHttps = 443;
    for (std::size_t i = 1; i + 1 < statement.size(); ++i) {
      if (statement[i].value == "port") note_port(statement[i + 1].value);
      if (statement[i].value == "tls") config_.ports.push_back(kTls);
      if (statement[i].value == "http") {
        config_.ports.push_back(kHttp);
        config_.ports.push_back(kHttps);
      }
    }
  }
  void note_port(std::string_view text) {
    if (const auto port = parse_int<std::uint16_t>(text)) config_.ports.push_back(*port);
  }

  Config& config_;
  const ReadFiles& read_;
  std::vector<std::string> blocks_;  // that are open, by name
};

Result<Config> read_config(const Invocation& invocation, const ReadFiles& read) {
  std::vector<std::string> names = {"/etc/bind/named.conf", "/etc/named.conf"};
  if (const auto named = option_value(invocation.arguments, {"-c"})) {
    // It has changed its directory since.
    if (!named->starts_with('/')) {
      return fail(ErrorCode::kNotFound,
                  "from which directory named read " + *named + " is not known here");
    }
    names = {*named};
  }
  Error missing{ErrorCode::kNotFound, 0, "no configuration file of BIND"};
  for (const std::string& name : names) {
    Config config;
    const Status status = Reader(config, read).read_files(name, 0);
    if (status && !config.files.empty()) return config;
    if (!status && status.error().code != ErrorCode::kNotFound) return fail(status.error());
    if (!status) missing = status.error();
  }
  return fail(missing);
}

}  // namespace

Result<Edit> edit_named(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  if (wish.setting == Setting::kOpenFiles) {
    return fail(ErrorCode::kUnsupported,
                "BIND takes as many descriptors as LimitNOFILE= of its unit allows");
  }
  Result<Config> config = read_config(invocation, read);
  if (!config) return fail(config.error());
  const auto named = option_value(invocation.arguments, {"-p"});
  config->ports.push_back(named ? parse_int<std::uint16_t>(*named).value_or(kDns) : kDns);
  // Its channel of control and its statistics have queues of their own.
  if (std::ranges::find(config->ports, wish.listener.port) == config->ports.end()) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: {} is no listener for DNS, which alone have a setting",
                            config->files.front().path, endpoint_text(wish.listener)));
  }
  const bool backlog = wish.setting == Setting::kBacklog;
  const std::string_view key = backlog ? kBacklog : kClients;
  const std::vector<Word>& set = backlog ? config->backlog : config->clients;
  const std::string value = std::to_string(wish.value);
  Edit edit;
  if (set.size() > 1) {
    return fail(malformed(config->files[set[1].file], set[1].begin,
                          fmt::format("{} is set a second time", key)));
  }
  if (set.size() == 1) {
    const Word& old = set.front();
    const File& file = config->files[old.file];
    edit = old.value == value ? edit_nothing(file, old.begin, fmt::format("{} {}", key, value))
                              : edit_file(replace(file, old.begin, old.end - old.begin, value));
  } else if (config->options) {
    edit = edit_file(replace(config->files[config->options->file], config->options->end, 0,
                             fmt::format("\n\t{} {};", key, value)));
  } else {
    edit = edit_file(
        append_line(config->files.front(), fmt::format("options {{ {} {}; }};", key, value)));
  }
  edit.check = {"named-checkconf", config->files.front().path};
  return edit;
}

}  // namespace acceptq::config
