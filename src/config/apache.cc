// Apache httpd: `ListenBacklog N`, of all its listeners, of which the last read counts. No restart
// from inside (graceful or not) calls listen() again: it takes a stop and a start (measured, 2.4).
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string_view>

#include "config/command_line.h"
#include "config/ini.h"
#include "config/listen_address.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

enum class Holds { kNo, kPerhaps, kYes };

// A word's place is without the quotes around it: those stay where the value is edited, since text
// that follows a closing quote at once is the next word's.
struct Word {
  std::string value;
  std::size_t begin = 0;
  std::size_t end = 0;
};

struct Directive {
  std::size_t file = 0;
  Holds holds = Holds::kYes;  // whether the sections around it do
  std::vector<Word> words;
};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

// The last byte of the line that `offset` is in, and of those that a backslash joins to it.
std::size_t end_of_line(std::string_view text, std::size_t offset) {
  std::size_t end = std::min(text.find('\n', offset), text.size());
  while (end < text.size() && is_continued(text.substr(0, end + 1))) {
    end = std::min(text.find('\n', end + 1), text.size());
  }
  return end;
}

class Config {
 public:
  Config(const ReadFiles& read, std::string server_root)
      : read_(read), server_root_(std::move(server_root)) {}

  Status read_files(const std::string& pattern, Holds around, std::size_t depth) {
    Result<std::vector<File>> files = read_(pattern);
    if (!files && files.error().sys_errno == EISDIR) files = read_(pattern + "/*");
    if (!files) return fail(files.error());
    for (File& file : *files) {
      if (files_.size() == kMaxIncludedFiles) return fail(too_many_files(file));
      files_.push_back(std::move(file));
      if (Status status = read_file(files_.size() - 1, around, depth); !status) return status;
    }
    return {};
  }

  [[nodiscard]] const std::vector<File>& files() const { return files_; }
  [[nodiscard]] const std::vector<Directive>& directives() const { return directives_; }

 private:
  struct Section {
    std::string name;
    std::size_t begin = 0;
    Holds around = Holds::kYes;  // of what is outside of it
  };

  // The bytes of a line's end that a backslash takes away, where one begins at `at`: 0 otherwise.
  static std::size_t joining_bytes(std::string_view text, std::size_t at) {
    for (const std::string_view joint : {"\\\n", "\\\r\n"}) {
      if (text.substr(at).starts_with(joint)) return joint.size();
    }
    return 0;
  }

  // One line, with those that a backslash at its end joins to it.
  static std::vector<Word> next_line_words(std::string_view text, std::size_t& at) {
    std::vector<Word> words;
    while (at < text.size() && text[at] != '\n') {
      const char c = text[at];
      if (const std::size_t joining = joining_bytes(text, at); joining > 0) {
        at += joining;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        ++at;
      } else if (c == '#' && words.empty()) {
        at = end_of_line(text, at);
      } else {
        words.push_back(next_word(text, at));
      }
    }
    ++at;
    return words;
  }

  static Word next_word(std::string_view text, std::size_t& at) {
    constexpr std::string_view kQuotes = "\"'";
    const bool quoted = kQuotes.find(text[at]) != std::string_view::npos;
    const std::string_view quote = text.substr(at, quoted ? 1 : 0);
    at += quote.size();
    Word word{.begin = at};
    const std::string ends = quoted ? std::string(quote) + "\n" : " \t\r\n";
    while (at < text.size()) {
      if (const std::size_t joining = joining_bytes(text, at); joining > 0) {
        at += joining;
        continue;
      }
      if (ends.find(text[at]) != std::string::npos) break;
      if (quoted && text[at] == '\\' && text.substr(at + 1).starts_with(quote)) ++at;
      word.value += text[at++];
    }
    word.end = at;
    if (quoted && text.substr(at).starts_with(quote)) ++at;
    return word;
  }

  Status read_file(std::size_t index, Holds holds, std::size_t depth) {
    std::vector<Section> sections;
    for (std::size_t at = 0; at < files_[index].text.size();) {
      Directive directive{
          .file = index, .holds = holds, .words = next_line_words(files_[index].text, at)};
      if (directive.words.empty()) continue;
      const std::string name = lower(directive.words[0].value);
      const std::size_t begin = directive.words[0].begin;
      if (name.starts_with("</")) {
        if (sections.empty()) {
          return fail(malformed(files_[index], begin,
                                "it ends a section that does not begin in this file"));
        }
        holds = sections.back().around;
        sections.pop_back();
      } else if (name.starts_with('<')) {
        sections.push_back({name, begin, holds});
        holds = std::min(holds, section_holds(directive.words));
      } else {
        if (Status status = note(directive, name, depth); !status) return status;
        directives_.push_back(std::move(directive));
      }
    }
    if (!sections.empty()) {
      return fail(malformed(files_[index], sections.back().begin,
                            "this section does not end in this file"));
    }
    return {};
  }

  // What a section lets through: <IfModule> by the modules that were loaded, <IfDefine> by the
  // names that were defined; what is built in or said by -D is not known. Others hold nothing of
  // what is looked for: a virtual host may not set it.
  [[nodiscard]] Holds section_holds(const std::vector<Word>& words) const {
    const std::string name = lower(words[0].value);
    if (name != "<ifmodule" && name != "<ifdefine") {
      return name.starts_with("<if") ? Holds::kPerhaps : Holds::kNo;
    }
    std::string what = words.size() > 1 ? words[1].value : "";
    if (what.ends_with('>')) what.pop_back();
    const bool negated = what.starts_with('!');
    if (negated) what.erase(0, 1);
    const bool known = name == "<ifmodule" ? modules_.contains(what) : defined_.contains(what);
    if (known) return negated ? Holds::kNo : Holds::kYes;
    // Of modules that serve connections (MPMs) there is one.
    constexpr std::string_view kMpm = "mpm_";
    const auto mpm = modules_.lower_bound(std::string(kMpm));
    if (what.starts_with(kMpm) && mpm != modules_.end() && mpm->starts_with(kMpm)) {
      return negated ? Holds::kYes : Holds::kNo;
    }
    return Holds::kPerhaps;
  }

  Status note(const Directive& directive, const std::string& name, std::size_t depth) {
    const std::vector<Word>& words = directive.words;
    if (words.size() < 2 || directive.holds == Holds::kNo) return {};
    if (name == "serverroot") server_root_ = words[1].value;
    if (name == "loadmodule" && words.size() > 2) {
      modules_.insert(words[1].value);
      // As older configurations name it: mod_ssl.c.
      const std::string file = words[2].value.substr(words[2].value.rfind('/') + 1);
      modules_.insert(file.substr(0, file.rfind('.')) + ".c");
    }
    if (name == "define") defined_[words[1].value] = words.size() > 2 ? words[2].value : "";
    if (name != "include" && name != "includeoptional") return {};
    const std::string here = place(files_[directive.file], words[0].begin);
    if (depth == kMaxIncludeDepth) return fail(too_deep(here));
    std::string path = words[1].value;
    for (const auto& [variable, value] : defined_) {
      const std::string text = "${" + variable + "}";
      if (const std::size_t at = path.find(text); at != std::string::npos)
        path.replace(at, text.size(), value);
    }
    const Status status = read_files(absolute(path, server_root_), directive.holds, depth + 1);
    if (status) return {};
    const bool optional = name == "includeoptional" || directive.holds == Holds::kPerhaps;
    if (optional && status.error().code == ErrorCode::kNotFound) return {};
    return fail(of_include(here, status.error()));
  }

  const ReadFiles& read_;
  std::string server_root_;
  std::set<std::string> modules_;
  std::map<std::string, std::string> defined_;
  std::vector<File> files_;
  std::vector<Directive> directives_;
};

struct Main {
  std::string file;
  std::string server_root;
};

std::vector<Main> main_files(const Invocation& invocation) {
  const auto named = option_value(invocation.arguments, {"-f"});
  const auto root = option_value(invocation.arguments, {"-d"});
  if (named) {
    const std::string directory = root.value_or("/etc/apache2");
    return {{absolute(*named, directory), directory}};
  }
  if (root) return {{*root + "/apache2.conf", *root}, {*root + "/conf/httpd.conf", *root}};
  return {{"/etc/apache2/apache2.conf", "/etc/apache2"},
          {"/usr/local/apache2/conf/httpd.conf", "/usr/local/apache2"},
          {"/etc/httpd/conf/httpd.conf", "/etc/httpd"},
          {"/etc/apache2/httpd.conf", "/var/www"}};
}

// apachectl tests the usual file, and knows what the system's service has in its environment.
std::vector<std::string> check_of(const Invocation& invocation, const Main& main) {
  if (!option_value(invocation.arguments, {"-f"})) return {"apachectl", "configtest"};
  return {invocation.program, "-t", "-d", main.server_root, "-f", main.file};
}

// Names are compared without case, as Apache does.
bool is(const Directive& directive, std::string_view name) {
  return directive.words.size() > 1 && lower(directive.words[0].value) == name;
}

Result<Edit> edit_config(const Config& config, const Wish& wish) {
  const bool backlog = wish.setting == Setting::kBacklog;
  const std::string name = backlog ? "ListenBacklog" : "MaxRequestWorkers";
  const std::string value = std::to_string(wish.value);
  const Directive* own = nullptr;
  const Directive* perhaps = nullptr;
  const Directive* listen = nullptr;
  for (const Directive& directive : config.directives()) {
    if (directive.holds == Holds::kNo) continue;
    const bool named = is(directive, lower(name)) || (!backlog && is(directive, "maxclients"));
    if (named && directive.holds == Holds::kYes) own = &directive;
    if (named && directive.holds == Holds::kPerhaps) perhaps = &directive;
    if (!is(directive, "listen")) continue;
    const auto address = parse_listen_address(directive.words[1].value);
    if (!address || match(*address, wish.listener) == Match::kNo) continue;
    if (listen == nullptr || listen->holds < directive.holds) listen = &directive;
  }
  if (listen == nullptr) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: no Listen of {}, neither here nor in what it includes",
                            config.files().front().path, endpoint_text(wish.listener)));
  }
  // The last that is read counts: a line at the end of all, where one may stand behind that is not
  // known to be read.
  if (own != nullptr && (perhaps == nullptr || perhaps < own)) {
    const File& file = config.files()[own->file];
    const Word& old = own->words[1];
    if (old.value == value) return edit_nothing(file, old.begin, name + " " + value);
    return edit_file(replace(file, old.begin, old.end - old.begin, value));
  }
  const std::string line = name + " " + value;
  if (backlog && perhaps == nullptr && listen->holds == Holds::kYes) {
    const File& file = config.files()[listen->file];
    return edit_file(insert_line_after(file, end_of_line(file.text, listen->words[0].begin), line,
                                       listen->words[0].begin));
  }
  return edit_file(append_line(config.files().front(), line));
}

}  // namespace

Result<Edit> edit_apache(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  if (wish.setting == Setting::kOpenFiles) {
    return fail(ErrorCode::kUnsupported,
                "Apache has no setting of its bound on descriptors: LimitNOFILE= of its unit is");
  }
  Error missing{ErrorCode::kNotFound, 0, "no configuration file of Apache"};
  for (const Main& main : main_files(invocation)) {
    Config config(read, main.server_root);
    const Status status = config.read_files(main.file, Holds::kYes, 0);
    if (!status && status.error().code == ErrorCode::kNotFound) {
      missing = status.error();
      continue;
    }
    if (!status) return fail(status.error());
    if (config.files().empty()) continue;
    Result<Edit> edit = edit_config(config, wish);
    if (!edit) return edit;
    edit->check = check_of(invocation, main);
    if (wish.setting == Setting::kConnections && edit->note.empty()) {
      edit->note = fmt::format("ServerLimit times ThreadsPerChild must be {} at least", wish.value);
    }
    return edit;
  }
  return fail(missing);
}

}  // namespace acceptq::config
