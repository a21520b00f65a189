#include "collect/procfs/counters.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/text.h"
#include "base/unique_fd.h"

namespace acceptq::collect::procfs {
namespace {

// Far above any kernel's (some 6 KiB); bounds what a wrong path could make us read.
constexpr std::size_t kMaxFile = std::size_t{1} << 20;

std::string_view next_field(std::string_view& rest) {
  const std::size_t begin = rest.find_first_not_of(' ');
  if (begin == std::string_view::npos) return rest = {};
  const std::size_t end = std::min(rest.find(' ', begin), rest.size());
  const std::string_view field = rest.substr(begin, end - begin);
  rest.remove_prefix(end);
  return field;
}

}  // namespace

struct CounterParser::Place {
  std::string_view file;
  std::size_t line = 0;

  [[nodiscard]] tl::unexpected<Error> error(ErrorCode code, std::string_view what) const {
    std::string context(file);
    if (line > 0) context += ", line " + std::to_string(line);
    context += ": ";
    context += what;
    return fail(code, std::move(context));
  }
};

Status CounterParser::learn_header(Group& group, std::string_view line, const Place& at) {
  group.header.clear();
  group.columns.clear();
  const std::string group_name(group.prefix.substr(0, group.prefix.size() - 1));
  std::string_view rest = line.substr(group.prefix.size());
  for (std::string_view field = next_field(rest); !field.empty(); field = next_field(rest)) {
    group.columns.push_back(
        {facts::CounterName(group_name + std::string(field)), group.columns.size()});
  }
  std::sort(group.columns.begin(), group.columns.end(),
            [](const Column& a, const Column& b) { return a.name.str() < b.name.str(); });
  const auto twice =
      std::adjacent_find(group.columns.begin(), group.columns.end(),
                         [](const Column& a, const Column& b) { return a.name == b.name; });
  if (twice != group.columns.end()) {
    return at.error(ErrorCode::kMalformed, "column " + twice->name.str() + " appears twice");
  }
  group.header = line;
  return {};
}

Status CounterParser::parse_values(std::string_view fields, const Place& at) {
  values_.clear();
  negative_.clear();
  const char* at_char = fields.data();
  const char* const end = at_char + fields.size();
  while (true) {
    while (at_char != end && *at_char == ' ') ++at_char;
    if (at_char == end) return {};
    const bool negative = *at_char == '-';
    std::uint64_t value = 0;
    const std::from_chars_result number = std::from_chars(at_char + (negative ? 1 : 0), end, value);
    if (number.ec != std::errc{} || (number.ptr != end && *number.ptr != ' ')) {
      std::string_view rest(at_char, static_cast<std::size_t>(end - at_char));
      std::string what = "value " + std::to_string(values_.size() + 1) + ", \"";
      what += next_field(rest).substr(0, 40);
      return at.error(ErrorCode::kMalformed, what + "\", is not a 64-bit number");
    }
    values_.push_back(value);
    negative_.push_back(negative);
    at_char = number.ptr;
  }
}

Status CounterParser::parse_text(std::string_view text, const Place& file, Entries& out) {
  if (!text.ends_with('\n')) {
    return file.error(ErrorCode::kTruncated, "does not end with a newline");
  }
  for (std::size_t line = 1; !text.empty(); line += 2) {
    const Place names_at{file.file, line};
    const Place values_at{file.file, line + 1};
    const std::string_view names = next_line(text);
    const std::size_t colon = names.find(':');
    if (colon == std::string_view::npos) {
      return names_at.error(ErrorCode::kMalformed, "no group name before a colon");
    }
    const std::string_view prefix = names.substr(0, colon + 1);
    if (text.empty())
      return values_at.error(ErrorCode::kTruncated, "the line of values is missing");
    const std::string_view values = next_line(text);
    if (!values.starts_with(prefix)) {
      return values_at.error(ErrorCode::kMalformed,
                             "not the values of group " + std::string(prefix.substr(0, 40)));
    }
    Group* const group = std::find_if(std::begin(groups_), std::end(groups_),
                                      [&](const Group& g) { return g.prefix == prefix; });
    if (group == std::end(groups_)) continue;
    if (group->seen) return names_at.error(ErrorCode::kMalformed, "the group appears twice");
    group->seen = true;
    if (group->header != names) {
      if (Status learned = learn_header(*group, names, names_at); !learned) return learned;
    }
    if (Status parsed = parse_values(values.substr(prefix.size()), values_at); !parsed) {
      return parsed;
    }
    if (values_.size() != group->columns.size()) {
      return values_at.error(ErrorCode::kMalformed,
                             std::to_string(values_.size()) + " values for " +
                                 std::to_string(group->columns.size()) + " names");
    }
    const auto earlier = static_cast<std::ptrdiff_t>(out.size());
    for (const Column& column : group->columns) {
      if (!negative_[column.index]) out.emplace_back(column.name, values_[column.index]);
    }
    std::ranges::inplace_merge(
        out, out.begin() + earlier, {},
        [](const Counters::Entry& entry) -> std::string_view { return entry.first; });
  }
  return {};
}

Result<Counters> CounterParser::parse(std::string_view netstat, std::string_view snmp) {
  for (Group& group : groups_) group.seen = false;
  const Place netstat_file{"netstat"};
  const Place snmp_file{"snmp"};
  Entries counters;
  if (Status parsed = parse_text(netstat, netstat_file, counters); !parsed) {
    return fail(std::move(parsed).error());
  }
  if (!groups_[0].seen) return netstat_file.error(ErrorCode::kTruncated, "group TcpExt is missing");
  if (Status parsed = parse_text(snmp, snmp_file, counters); !parsed) {
    return fail(std::move(parsed).error());
  }
  if (!groups_[2].seen) return snmp_file.error(ErrorCode::kTruncated, "group Tcp is missing");
  return Counters(std::move(counters));
}

// Like base's read_file, but into a buffer that keeps its size: a fresh string would be cleared and
// grown 1,000 times for 500 namespaces.
Status CounterParser::read_into(const std::string& path, std::string& buffer) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "cannot open " + path);
  if (buffer.capacity() < 16384) buffer.reserve(16384);
  buffer.resize(buffer.capacity());
  std::size_t used = 0;
  while (true) {
    if (used == buffer.size()) {
      if (used >= kMaxFile) return fail(ErrorCode::kTruncated, path + " is larger than 1 MiB");
      buffer.resize(used * 2);
    }
    const ssize_t n = ::read(fd.get(), buffer.data() + used, buffer.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "cannot read " + path);
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
  }
  buffer.resize(used);
  return {};
}

Result<Counters> CounterParser::read(const std::string& net_dir) {
  if (Status done = read_into(net_dir + "/netstat", netstat_buffer_); !done) {
    return fail(std::move(done).error());
  }
  if (Status done = read_into(net_dir + "/snmp", snmp_buffer_); !done) {
    return fail(std::move(done).error());
  }
  Result<Counters> counters = parse(netstat_buffer_, snmp_buffer_);
  if (!counters) counters.error().context.insert(0, net_dir + "/");
  return counters;
}

Result<Counters> parse_counters(std::string_view netstat, std::string_view snmp) {
  return CounterParser().parse(netstat, snmp);
}

bool is_gauge(std::string_view name) {
  constexpr std::string_view kGauges[] = {"TcpRtoAlgorithm", "TcpRtoMin",    "TcpRtoMax",
                                          "TcpMaxConn",      "TcpCurrEstab", "MPTcpExtMPCurrEstab"};
  return std::find(std::begin(kGauges), std::end(kGauges), name) != std::end(kGauges);
}

}  // namespace acceptq::collect::procfs
