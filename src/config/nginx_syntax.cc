#include "config/nginx_syntax.h"

#include <algorithm>
#include <array>
#include <utility>

namespace acceptq::config {
namespace {

constexpr std::size_t kMaxDirectives = 200000;  // in all

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// nginx's own rules of a word (src/core/ngx_conf_file.c, ngx_conf_read_token): these escapes are
// undone, any other stays with its backslash.
std::string unescaped(std::string_view raw) {
  std::string value;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const char next = i + 1 < raw.size() ? raw[i + 1] : '\0';
    if (raw[i] != '\\') {
      value += raw[i];
      continue;
    }
    constexpr std::string_view kFrom = "\"'\\trn";
    constexpr std::string_view kTo = "\"'\\\t\r\n";
    const std::size_t which = next == '\0' ? std::string_view::npos : kFrom.find(next);
    if (which == std::string_view::npos) {
      value += raw[i];
    } else {
      value += kTo[which];
      ++i;
    }
  }
  return value;
}

enum class Ends { kDirective, kBlockBegins, kBlockEnds, kFile };

class Reader {
 public:
  Reader(NginxConfig& config, const ReadFiles& read, std::string prefix)
      : config_(config), read_(read), prefix_(std::move(prefix)) {}

  Status read_files(const std::string& pattern, std::optional<std::size_t> parent,
                    std::size_t depth) {
    Result<std::vector<File>> files = read_(pattern);
    if (!files) return fail(files.error());
    for (File& file : *files) {
      if (config_.files.size() == kMaxIncludedFiles) return fail(too_many_files(file));
      config_.files.push_back(std::move(file));
      if (Status status = read_file(config_.files.size() - 1, parent, depth); !status) {
        return status;
      }
    }
    return {};
  }

 private:
  // Directives until the end of the file. Texts of files move as files are added: they are looked
  // up anew.
  Status read_file(std::size_t index, std::optional<std::size_t> parent, std::size_t depth) {
    const std::optional<std::size_t> outside = parent;
    std::size_t at = 0;
    while (true) {
      NginxDirective directive{.file = index, .parent = parent};
      const Result<Ends> ends = next_directive(config_.files[index], at, directive);
      if (!ends) return fail(ends.error());
      if (*ends == Ends::kFile) {
        if (parent == outside) return {};
        const NginxDirective& open = config_.directives[*parent];
        return fail(malformed(config_.files[index], open.words[0].begin,
                              "the block that begins here does not end in this file"));
      }
      if (*ends == Ends::kBlockEnds) {
        if (parent == outside) {
          return fail(malformed(config_.files[index], at - 1, "a \"}\" that closes nothing"));
        }
        parent = config_.directives[*parent].parent;
        continue;
      }
      if (config_.directives.size() >= kMaxDirectives) {
        return fail(malformed(config_.files[index], at, "too many directives"));
      }
      directive.block = *ends == Ends::kBlockBegins;
      config_.directives.push_back(std::move(directive));
      if (Status status = enter(at, parent, depth); !status) return status;
    }
  }

  // What the directive that was read last leads to.
  Status enter(std::size_t& at, std::optional<std::size_t>& parent, std::size_t depth) {
    const std::size_t index = config_.directives.size() - 1;
    const NginxDirective& directive = config_.directives[index];
    const File& file = config_.file_of(directive);
    if (directive.block) {
      if (!directive.name().ends_with("_by_lua_block")) {
        parent = index;
        return {};
      }
      const std::size_t end = lua_block_end(file.text, at);
      if (end == std::string_view::npos) {
        return fail(malformed(file, directive.words[0].begin, "this block of Lua does not end"));
      }
      at = end + 1;
      return {};
    }
    if (directive.name() != "include" || !may_listen_in(config_.parent_name(directive))) return {};
    const std::string here = place(file, directive.words[0].begin);
    if (directive.words.size() != 2) {
      return fail(ErrorCode::kMalformed, here + ": include takes one name");
    }
    if (depth == kMaxIncludeDepth) return fail(too_deep(here));
    // `directive` and `file` move from here on.
    const Status status =
        read_files(absolute(directive.words[1].value, prefix_), directive.parent, depth + 1);
    if (!status) return fail(of_include(here, status.error()));
    return {};
  }

  // Where a listen directive, or a block that holds one, may be. Others include much that has
  // nothing to do with it (types, map, location).
  static bool may_listen_in(std::string_view block) {
    static constexpr std::array<std::string_view, 6> kBlocks = {"",       "http", "server",
                                                                "stream", "mail", "events"};
    return std::ranges::find(kBlocks, block) != kBlocks.end();
  }

  static Result<Ends> next_directive(const File& file, std::size_t& at, NginxDirective& directive) {
    const std::string_view text = file.text;
    while (true) {
      while (at < text.size() && is_space(text[at])) ++at;
      if (at == text.size()) {
        if (directive.words.empty()) return Ends::kFile;
        return fail(malformed(file, directive.words[0].begin,
                              "neither \";\" nor a block ends this directive"));
      }
      const char c = text[at];
      if (c == '#') {
        at = std::min(text.find('\n', at), text.size());
      } else if (c == ';' || c == '{') {
        if (directive.words.empty()) {
          return fail(malformed(file, at, std::string("unexpected \"") + c + '"'));
        }
        directive.end = at++;
        return c == ';' ? Ends::kDirective : Ends::kBlockBegins;
      } else if (c == '}') {
        if (!directive.words.empty()) {
          return fail(malformed(file, directive.words[0].begin,
                                "\"}\" comes before the end of this directive"));
        }
        ++at;
        return Ends::kBlockEnds;
      } else if (Status status = read_word(file, at, directive); !status) {
        return fail(status.error());
      }
    }
  }

  static Status read_word(const File& file, std::size_t& at, NginxDirective& directive) {
    const std::string_view text = file.text;
    const std::size_t begin = at;
    if (text[at] == '"' || text[at] == '\'') {
      const char quote = text[at++];
      while (at < text.size() && text[at] != quote) at += text[at] == '\\' ? 2 : 1;
      if (at >= text.size()) return fail(malformed(file, begin, "this quote does not end"));
      directive.words.push_back({unescaped(text.substr(begin + 1, at - begin - 1)), begin, at + 1});
      ++at;
      // As in `if ("$a" = "b")`, where the bracket is a word of its own.
      if (at < text.size() && !is_space(text[at]) && text[at] != ';' && text[at] != '{' &&
          text[at] != ')') {
        return fail(malformed(file, begin, "something follows this quoted word without a blank"));
      }
      return {};
    }
    bool variable = false;  // "${name}": its brace begins no block
    while (at < text.size()) {
      const char c = text[at];
      if (c == '{' && variable) {
        ++at;
        continue;
      }
      variable = c == '$';
      if (c == '\\') {
        at += 2;
        continue;
      }
      if (is_space(c) || c == ';' || c == '{') break;
      ++at;
    }
    at = std::min(at, text.size());
    directive.words.push_back({unescaped(text.substr(begin, at - begin)), begin, at});
    return {};
  }

  NginxConfig& config_;
  const ReadFiles& read_;
  const std::string prefix_;
};

}  // namespace

std::string_view NginxConfig::parent_name(const NginxDirective& directive) const {
  return directive.parent ? std::string_view(directives[*directive.parent].name())
                          : std::string_view();
}

Result<NginxConfig> read_nginx_config(const std::string& name, const ReadFiles& read) {
  NginxConfig config;
  Reader reader(config, read, std::string(directory_of(name)));
  const Status status = reader.read_files(name, std::nullopt, 0);
  if (!status) return fail(status.error());
  return config;
}

}  // namespace acceptq::config
