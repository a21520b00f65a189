#include "remedy/servers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/text.h"
#include "remedy/servers_csv.h"

namespace acceptq::remedy {
namespace {

constexpr std::string_view kHeader =
    "name,comm,default_backlog,key,example,cap,cap_counts,limit_at_cap,descriptors,idle_timeouts,"
    "when_busy,apply,source,verified";
constexpr std::size_t kColumns = 14;

// One line of CSV (RFC 4180, without newlines inside quotes).
std::optional<std::vector<std::string>> split_csv(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back().push_back('"');
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back().push_back(c);
    }
  }
  return quoted ? std::nullopt : std::optional(std::move(fields));
}

// "511"; nothing for an empty field. False where it is no number.
bool parse_optional(const std::string& field, std::optional<std::uint32_t>& out) {
  if (field.empty()) return true;
  out = parse_int<std::uint32_t>(field);
  return out.has_value();
}

// Examples of several lines are one line in the table.
std::string with_line_breaks(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool line_break = text.substr(at).starts_with("\\n");
    result += line_break ? '\n' : text[at];
    if (line_break) ++at;
  }
  return result;
}

std::optional<Server> parse_row(std::vector<std::string> fields) {
  Server server;
  server.name = std::move(fields[0]);
  for (const std::string_view name : split(fields[1], '|')) {
    if (!name.empty()) server.comm.emplace_back(name);
  }
  server.asks_somaxconn = fields[2] == "somaxconn";
  if (!server.asks_somaxconn && !parse_optional(fields[2], server.default_backlog)) {
    return std::nullopt;
  }
  server.key = std::move(fields[3]);
  server.example = with_line_breaks(fields[4]);
  server.cap = std::move(fields[5]);
  if (fields[6] == "workers" || fields[6] == "connections") {
    server.cap_counts = fields[6] == "workers" ? CapCounts::kWorkers : CapCounts::kConnections;
  }
  if (server.cap_counts.has_value() == server.cap.empty()) return std::nullopt;
  if (!parse_optional(fields[7], server.limit_at_cap)) return std::nullopt;
  if (!fields[8].empty() && fields[8] != "at_start") return std::nullopt;
  server.descriptors_at_start = !fields[8].empty();
  server.idle_timeouts = std::move(fields[9]);
  server.when_busy = std::move(fields[10]);
  if (fields[11] == "reload") {
    server.apply = ApplyBy::kReload;
  } else if (fields[11] != "restart") {
    return std::nullopt;
  }
  server.source = std::move(fields[12]);
  if (fields[13] != "yes" && fields[13] != "no") return std::nullopt;
  server.verified = fields[13] == "yes";
  return server;
}

bool fits(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return name == pattern;
}

bool fits_one(std::span<const std::string> patterns, std::string_view name) {
  return std::ranges::any_of(patterns,
                             [&](const std::string& pattern) { return fits(pattern, name); });
}

// Programs that are told by what they run, not by their own name.
const std::vector<std::string> kInterpreters = {"python*", "pypy*",    "ruby*",
                                                "java",    "beam.smp", "dotnet"};

std::string_view basename_of(std::string_view path) {
  path = path.substr(0, path.find(' '));  // "/usr/sbin/nginx (deleted)"
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

Result<std::vector<Server>> parse_servers(std::string_view csv) {
  std::vector<Server> servers;
  int line = 0;
  while (!csv.empty()) {
    const std::string_view text = next_line(csv);
    ++line;
    const auto malformed = [&](const char* what) {
      return fail(ErrorCode::kMalformed, fmt::format("servers, line {}: {}", line, what));
    };
    if (line == 1) {
      if (text != kHeader) return malformed("the columns are not those of the table");
      continue;
    }
    if (text.empty()) continue;
    std::optional<std::vector<std::string>> fields = split_csv(text);
    if (!fields) return malformed("a quote is not closed");
    if (fields->size() != kColumns) return malformed("the number of columns is wrong");
    std::optional<Server> server = parse_row(std::move(*fields));
    if (!server)
      return malformed("a number, cap_counts, descriptors, apply or verified is not understood");
    servers.push_back(std::move(*server));
  }
  return servers;
}

std::span<const Server> known_servers() {
  static const std::vector<Server> servers = [] {
    Result<std::vector<Server>> parsed = parse_servers(kServersCsv);
    if (!parsed) std::abort();  // the compiled-in table; its test reads every row
    return std::move(*parsed);
  }();
  return servers;
}

ServerMatch find_server(const facts::Process& process, std::optional<std::uint32_t> limit) {
  const std::string_view exe = process.exe ? basename_of(*process.exe) : std::string_view{};
  const std::string_view program = process.program ? *process.program : std::string_view{};
  // One file with many programs in it, whose names are those of others: its httpd is not Apache's.
  const std::string applet = fmt::format("busybox {}", program.empty() ? process.comm : program);
  std::vector<std::string_view> names = {program, process.comm, exe};
  if (exe == "busybox") names = {applet};
  for (const std::string_view name : names) {
    if (name.empty()) continue;
    ServerMatch match;
    bool named = false;
    for (const Server& server : known_servers()) {
      if (!fits_one(server.comm, name)) continue;
      if (!named && !fits_one(kInterpreters, name)) match.server = &server;
      named = true;
      if (limit && server.default_backlog == limit) match.alike.push_back(&server);
    }
    if (!named) continue;
    if (match.server != nullptr && match.server->default_backlog == limit) match.alike.clear();
    return match;
  }
  if (!process.language) return {};
  const std::string language = fmt::format("({})", *process.language);
  const auto servers = known_servers();
  const auto row = std::ranges::find_if(
      servers, [&](const Server& server) { return fits_one(server.comm, language); });
  return row != servers.end() ? ServerMatch{.server = &*row, .by_language = true, .alike = {}}
                              : ServerMatch{};
}

std::string fill_example(const Server& server, const ExampleValues& values) {
  if (!values.port && server.example.find("{port}") != std::string::npos) return "";
  const std::pair<std::string_view, std::string> places[] = {
      {"{endpoint}", values.endpoint},
      {"{port}", values.port ? std::to_string(*values.port) : ""},
      {"{n}", std::to_string(values.backlog)},
      {"{half}", std::to_string((values.backlog + 1) / 2)}};
  std::string text = server.example;
  for (const auto& [place, value] : places) {
    for (std::size_t at = text.find(place); at != std::string::npos;
         at = text.find(place, at + value.size())) {
      text.replace(at, place.size(), value);
    }
  }
  return text;
}

}  // namespace acceptq::remedy
