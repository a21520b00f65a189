// nginx: `listen ADDRESS backlog=N`, which is said once for each address and port, whatever the
// number of servers that share it.
//
// A reload calls listen() again only where the number has changed (src/core/ngx_cycle.c,
// ngx_init_cycle: "if (ls[i].backlog != nls[n].backlog) nls[n].listen = 1").
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/command_line.h"
#include "config/ini.h"
#include "config/listen_address.h"
#include "config/nginx_backlog.h"
#include "config/nginx_syntax.h"
#include "config/readers.h"

namespace acceptq::config {
namespace {

constexpr std::uint32_t kDefaultBacklog = 511;  // NGX_LISTEN_BACKLOG on Linux
constexpr std::string_view kMasterTitle = "nginx: master process ";
constexpr std::string_view kBacklog = "backlog=";

// Its arguments. nginx writes them over as one text, with blanks between (ngx_setproctitle).
Result<std::vector<std::string>> arguments_of(const Invocation& invocation) {
  if (invocation.arguments.empty() || !invocation.arguments[0].starts_with("nginx: ")) {
    return invocation.arguments;
  }
  const std::string_view title = invocation.arguments[0];
  if (!title.starts_with(kMasterTitle)) {
    return fail(ErrorCode::kNotFound,
                fmt::format("\"{}\" does not tell how nginx was started: its master does", title));
  }
  const std::vector<std::string_view> words = split_blank(title.substr(kMasterTitle.size()));
  return std::vector<std::string>(words.begin(), words.end());
}

// The files that may be the configuration, in the order in which to look for them: what nginx was
// built with does not show in a running process.
std::vector<std::string> main_files(const Invocation& invocation,
                                    const std::vector<std::string>& arguments) {
  constexpr std::string_view kSbin = "/sbin";
  std::vector<std::string> prefixes;
  if (const auto given = option_value(arguments, {"-p"})) {
    prefixes.push_back(absolute(*given, invocation.directory));
  }
  const std::string_view beside = directory_of(invocation.program);
  if (beside.ends_with(kSbin)) {
    prefixes.emplace_back(beside.substr(0, beside.size() - kSbin.size()));
  }
  const auto named = option_value(arguments, {"-c"});
  if (named && named->starts_with('/')) return {*named};
  std::vector<std::string> files;
  files.reserve(prefixes.size());
  for (const std::string& prefix : prefixes) {
    files.push_back(absolute(named.value_or("conf/nginx.conf"), prefix));
  }
  if (named) {
    for (const char* prefix : {"/etc/nginx", "/usr/share/nginx", "/usr/local/nginx"}) {
      files.push_back(absolute(*named, prefix));
    }
  } else {
    files.emplace_back("/etc/nginx/nginx.conf");
    files.emplace_back("/usr/local/nginx/conf/nginx.conf");
  }
  return files;
}

Result<NginxConfig> read_config(const Invocation& invocation, const ReadFiles& read) {
  const Result<std::vector<std::string>> arguments = arguments_of(invocation);
  if (!arguments) return fail(arguments.error());
  Error missing{ErrorCode::kNotFound, 0, "no configuration file of nginx"};
  for (const std::string& name : main_files(invocation, *arguments)) {
    Result<NginxConfig> config = read_nginx_config(name, read);
    if (config || config.error().code != ErrorCode::kNotFound) return config;
    missing = config.error();
  }
  return fail(missing);
}

bool is_listen(const NginxConfig& config, const NginxDirective& directive) {
  return directive.name() == "listen" && directive.words.size() > 1 &&
         config.parent_name(directive) == "server";
}

// "http", "stream" or "mail": what the server's block is in.
std::string_view module_of(const NginxConfig& config, const NginxDirective& in_server) {
  return config.parent_name(config.directives[*in_server.parent]);
}

bool has_word(const NginxDirective& directive, std::string_view word) {
  return std::ranges::any_of(directive.words, [&](const NginxWord& w) { return w.value == word; });
}

const NginxWord* backlog_word(const NginxDirective& listen) {
  const auto found = std::ranges::find_if(
      listen.words, [](const NginxWord& word) { return word.value.starts_with(kBacklog); });
  return found == listen.words.end() ? nullptr : &*found;
}

// Whether it has a parameter that nginx takes from one listen of an address alone, and where a
// second such is "duplicate listen options" (ngx_http_core_listen: lsopt.set).
bool sets_socket_options(const NginxDirective& listen) {
  static constexpr std::array<std::string_view, 11> kOptions = {
      "bind",           "setfib=",  "fastopen=", "backlog=",  "rcvbuf=",      "sndbuf=",
      "accept_filter=", "deferred", "ipv6only=", "reuseport", "so_keepalive="};
  return std::ranges::any_of(listen.words, [](const NginxWord& word) {
    return std::ranges::any_of(kOptions, [&](std::string_view option) {
      return option.ends_with('=') ? word.value.starts_with(option) : word.value == option;
    });
  });
}

Match match_listen(const NginxConfig& config, const NginxDirective& listen,
                   const facts::Listener& listener) {
  constexpr std::uint16_t kHttp = 80;
  if (has_word(listen, "quic") || has_word(listen, "udp")) return Match::kNo;
  const bool http = module_of(config, listen) == "http";
  auto address =
      parse_listen_address(listen.words[1].value, http ? std::optional(kHttp) : std::nullopt);
  if (!address) return Match::kNo;
  // Without an address it is IPv4 alone.
  if (address->any) {
    address->any = false;
    address->address = facts::IpAddress();
  }
  return match(*address, listener);
}

// The listens of this address; those that name it by a host's name only where no other does.
std::vector<const NginxDirective*> listens_of(const NginxConfig& config,
                                              const facts::Listener& listener) {
  std::vector<const NginxDirective*> sure;
  std::vector<const NginxDirective*> perhaps;
  for (const NginxDirective& directive : config.directives) {
    if (!is_listen(config, directive)) continue;
    const Match found = match_listen(config, directive, listener);
    if (found == Match::kYes) sure.push_back(&directive);
    if (found == Match::kMaybe) perhaps.push_back(&directive);
  }
  if (!sure.empty()) return sure;
  const bool one_name = std::ranges::all_of(perhaps, [&](const NginxDirective* listen) {
    return listen->words[1].value == perhaps.front()->words[1].value;
  });
  return one_name ? perhaps : sure;
}

// Places in files that were read more than once, since several blocks include them.
class Shared {
 public:
  explicit Shared(const NginxConfig& config) : config_(config) {
    for (const NginxDirective& directive : config.directives) ++times_[key(directive)];
  }
  [[nodiscard]] bool holds(const NginxDirective& directive) const {
    return times_.at(key(directive)) > 1;
  }

 private:
  using Key = std::pair<std::string_view, std::size_t>;
  [[nodiscard]] Key key(const NginxDirective& directive) const {
    return {config_.file_of(directive).path, directive.words[0].begin};
  }
  const NginxConfig& config_;
  std::map<Key, std::size_t> times_;
};

// The file with `text` as a directive of its own behind `offset`, where another ends or a block
// begins; on a line of its own, unless more follows in that line.
FileEdit insert_directive(const File& file, std::size_t offset, const std::string& text,
                          std::size_t like) {
  const std::size_t next = file.text.find_first_not_of(" \t\r", offset);
  const bool own_line =
      next == std::string::npos || file.text[next] == '\n' || file.text[next] == '#';
  if (own_line) return insert_line_after(file, offset, text, like);
  return replace(file, offset, 0, " " + text);
}

// The same as the first directive of a block.
FileEdit insert_into(const NginxConfig& config, const NginxDirective& block,
                     const std::string& text) {
  const auto index = static_cast<std::size_t>(&block - config.directives.data());
  const auto first = std::ranges::find_if(config.directives, [&](const NginxDirective& inside) {
    return inside.parent == index && inside.file == block.file;
  });
  const std::size_t like =
      first != config.directives.end() ? first->words[0].begin : block.words[0].begin;
  return insert_directive(config.file_of(block), block.end + 1, text, like);
}

// Of servers without a listen nginx makes one: *:80, or *:8000 where it is not started as root
// (ngx_http_core_server).
const NginxDirective* silent_server(const NginxConfig& config, const Shared& shared,
                                    const facts::Listener& listener) {
  const bool made = listener.protocol == facts::Protocol::kTcp && !listener.address.is_v6() &&
                    listener.address.is_unspecified() &&
                    (listener.port == 80 || listener.port == 8000);
  if (!made) return nullptr;
  std::vector<bool> listens(config.directives.size());
  for (const NginxDirective& directive : config.directives) {
    if (directive.parent && directive.name() == "listen") listens[*directive.parent] = true;
  }
  for (std::size_t i = 0; i < config.directives.size(); ++i) {
    const NginxDirective& server = config.directives[i];
    const bool of_http =
        server.block && server.name() == "server" && config.parent_name(server) == "http";
    if (of_http && !listens[i] && !shared.holds(server)) return &server;
  }
  return nullptr;
}

// Of the listens of one address that which may have a backlog comes first.
int order_of(const NginxDirective& listen) {
  if (backlog_word(listen) != nullptr) return 0;
  if (sets_socket_options(listen)) return 1;
  return has_word(listen, "default_server") || has_word(listen, "default") ? 2 : 3;
}

Result<Edit> edit_backlog(const NginxConfig& config, const Wish& wish) {
  const Shared shared(config);
  std::vector<const NginxDirective*> listens = listens_of(config, wish.listener);
  const std::string parameter = fmt::format("{}{}", kBacklog, wish.value);
  if (listens.empty()) {
    const NginxDirective* server = silent_server(config, shared, wish.listener);
    if (server == nullptr) {
      return fail(ErrorCode::kNotFound,
                  fmt::format("{}: no listen directive of {}, neither here nor in what it includes",
                              config.files.front().path, endpoint_text(wish.listener)));
    }
    return edit_file(
        insert_into(config, *server, fmt::format("listen {} {};", wish.listener.port, parameter)));
  }
  const auto better = [](const NginxDirective* listen) { return order_of(*listen); };
  std::ranges::stable_sort(listens, {}, better);
  // A line that several servers include would say it several times.
  if (better(listens.front()) > 1) {
    std::ranges::stable_sort(listens, {},
                             [&](const NginxDirective* l) { return shared.holds(*l); });
  }
  const NginxDirective& listen = *listens.front();
  const File& file = config.file_of(listen);
  if (shared.holds(listen)) {
    return fail(malformed(file, listen.words[0].begin,
                          "this listen is included by several servers, of which one alone may have "
                          "a backlog: write it into one of them"));
  }
  const NginxWord* old = backlog_word(listen);
  if (old == nullptr) {
    if (wish.value == kDefaultBacklog) {
      return Edit{.note = fmt::format("nginx asks for {} by default", kDefaultBacklog)};
    }
    return edit_file(replace(file, listen.words.back().end, 0, " " + parameter));
  }
  if (old->value != parameter) {
    return edit_file(replace(file, old->begin, old->end - old->begin, parameter));
  }
  return edit_nothing(file, old->begin, parameter);
}

// A directive of one number in `block` ("" outside of all).
Result<Edit> edit_number(const NginxConfig& config, std::string_view name, std::string_view block,
                         std::uint32_t value) {
  const std::string number = std::to_string(value);
  const NginxDirective* inside = nullptr;
  for (const NginxDirective& directive : config.directives) {
    if (directive.block && directive.name() == block && !directive.parent) inside = &directive;
    if (directive.name() != name || config.parent_name(directive) != block) continue;
    const File& file = config.file_of(directive);
    if (directive.words.size() != 2) {
      return fail(
          malformed(file, directive.words[0].begin, fmt::format("{} takes one number", name)));
    }
    const NginxWord& old = directive.words[1];
    if (old.value != number)
      return edit_file(replace(file, old.begin, old.end - old.begin, number));
    return edit_nothing(file, old.begin, fmt::format("{} {}", name, number));
  }
  const std::string text = fmt::format("{} {};", name, number);
  if (!block.empty()) {
    if (inside != nullptr) return edit_file(insert_into(config, *inside, text));
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: no block \"{}\"", config.files.front().path, block));
  }
  const auto workers = std::ranges::find_if(config.directives, [&](const NginxDirective& d) {
    return !d.parent && !d.block && d.file == 0 && d.name() == "worker_processes";
  });
  const File& main = config.files.front();
  if (workers == config.directives.end()) return edit_file(replace(main, 0, 0, text + "\n"));
  return edit_file(insert_directive(main, workers->end + 1, text, workers->words[0].begin));
}

// With the options that make it read the files of this nginx: there may be others.
Command check_command(const Invocation& invocation, const NginxConfig& config) {
  Command command = {"nginx", "-t"};
  const auto arguments = arguments_of(invocation);
  const auto prefix = arguments ? option_value(*arguments, {"-p"}) : std::nullopt;
  if (prefix) command.insert(command.end(), {"-p", absolute(*prefix, invocation.directory)});
  const bool named = arguments && option_value(*arguments, {"-c"}).has_value();
  if (prefix || named) command.insert(command.end(), {"-c", config.files.front().path});
  return command;
}

Result<Edit> edit_of(const NginxConfig& config, const Wish& wish) {
  switch (wish.setting) {
    case Setting::kBacklog:
      return edit_backlog(config, wish);
    case Setting::kConnections:
      return edit_number(config, "worker_connections", "events", wish.value);
    case Setting::kOpenFiles:
      return edit_number(config, "worker_rlimit_nofile", "", wish.value);
  }
  return fail(ErrorCode::kUnsupported, "nginx has no such setting");
}

}  // namespace

std::optional<NginxBacklog> nginx_backlog(const NginxConfig& config,
                                          const facts::Listener& listener) {
  const std::vector<const NginxDirective*> listens = listens_of(config, listener);
  if (listens.empty()) {
    const NginxDirective* server = silent_server(config, Shared(config), listener);
    if (server == nullptr) return std::nullopt;
    return NginxBacklog{.value = kDefaultBacklog,
                        .by_default = true,
                        .place = place(config.file_of(*server), server->words[0].begin)};
  }
  const auto first = std::ranges::min_element(
      listens, {}, [](const NginxDirective* listen) { return order_of(*listen); });
  const NginxDirective& listen = **first;
  NginxBacklog backlog{.value = kDefaultBacklog,
                       .by_default = true,
                       .place = place(config.file_of(listen), listen.words[0].begin)};
  if (const NginxWord* word = backlog_word(listen)) {
    const auto value =
        parse_int<std::uint32_t>(std::string_view(word->value).substr(kBacklog.size()));
    if (!value) return std::nullopt;
    backlog.value = *value;
    backlog.by_default = false;
  }
  return backlog;
}

Result<Edit> edit_nginx(const Invocation& invocation, const Wish& wish, const ReadFiles& read) {
  const Result<NginxConfig> config = read_config(invocation, read);
  if (!config) return fail(config.error());
  Result<Edit> edit = edit_of(*config, wish);
  if (!edit) return edit;
  // It calls listen() again only for another number.
  const bool reloads = !edit->files.empty() || wish.setting != Setting::kBacklog;
  if (reloads) {
    edit->check = check_command(invocation, *config);
    edit->takes_effect = by_signal(SIGHUP, invocation.pid);
  }
  return edit;
}

}  // namespace acceptq::config
