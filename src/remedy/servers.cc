#include "remedy/servers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "remedy/servers_csv.h"

namespace acceptq::remedy {
namespace {

constexpr std::string_view kHeader = "name,comm,default_backlog,key,example,apply,source,verified";
constexpr std::size_t kColumns = 8;

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

std::optional<Server> parse_row(std::vector<std::string> fields) {
  Server server;
  server.name = std::move(fields[0]);
  for (const std::string_view name : split(fields[1], '|')) {
    if (!name.empty()) server.comm.emplace_back(name);
  }
  if (!fields[2].empty()) {
    server.default_backlog = parse_int<std::uint32_t>(fields[2]);
    if (!server.default_backlog) return std::nullopt;
  }
  server.key = std::move(fields[3]);
  server.example = std::move(fields[4]);
  if (fields[5] == "reload") {
    server.apply = ApplyBy::kReload;
  } else if (fields[5] != "restart") {
    return std::nullopt;
  }
  server.source = std::move(fields[6]);
  if (fields[7] != "yes" && fields[7] != "no") return std::nullopt;
  server.verified = fields[7] == "yes";
  return server;
}

bool fits(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return name == pattern;
}

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
    if (!server) return malformed("default_backlog, apply or verified is not understood");
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
  ServerMatch match;
  for (const Server& server : known_servers()) {
    const bool named = std::ranges::any_of(server.comm, [&](const std::string& pattern) {
      return fits(pattern, process.comm) || (!exe.empty() && fits(pattern, exe));
    });
    if (!named) continue;
    if (match.server == nullptr) match.server = &server;
    if (limit && server.default_backlog == limit) match.alike.push_back(&server);
  }
  const bool general = match.server != nullptr && match.server->default_backlog == limit;
  if (!general && match.alike.size() == 1) match.server = match.alike.front();
  if (general || match.alike.size() == 1) match.alike.clear();
  return match;
}

}  // namespace acceptq::remedy
