#include "import/capture/tcpdump_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

#include "base/text.h"
#include "import/capture/service_names.h"
#include "import/capture/time_column.h"

namespace acceptq::imports::capture {
namespace {

using evidence::Direction;
using evidence::TcpPacket;

constexpr std::string_view kFlags = ": Flags [";

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// The number behind the first `key`, as "seq 12:40" gives 12.
template <typename Number>
std::optional<Number> number_after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = text.substr(at + key.size());
  Number value{};
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos;
       at = text.find(word, at + 1)) {
    const bool begins = at == 0 || is_blank(text[at - 1]);
    const bool ends = at + word.size() == text.size() || is_blank(text[at + word.size()]);
    if (begins && ends) return true;
  }
  return false;
}

// "A > B" at the end of a text, and what is before it.
struct Ends {
  std::string_view source;
  std::string_view destination;
  std::string_view prefix;
};

std::optional<Ends> ends_of(std::string_view text) {
  const std::size_t arrow = text.rfind(" > ");
  if (arrow == std::string_view::npos) return std::nullopt;
  const std::string_view destination = text.substr(arrow + 3);
  if (destination.empty() || destination.find(' ') != std::string_view::npos) return std::nullopt;
  const std::string_view before = text.substr(0, arrow);
  const std::size_t blank = before.find_last_of(" \t");
  const std::size_t begin = blank == std::string_view::npos ? 0 : blank + 1;
  if (begin == before.size()) return std::nullopt;
  return Ends{.source = before.substr(begin),
              .destination = destination,
              .prefix = before.substr(0, begin)};
}

// Of tcpdump before 4: "A > B: S 123:123(0) win 5840 <mss 1460>".
struct OldForm {
  std::string_view ends;
  std::string_view flags;
  std::string_view rest;
};

std::optional<OldForm> old_form(std::string_view line) {
  const std::size_t arrow = line.find(" > ");
  if (arrow == std::string_view::npos) return std::nullopt;
  const std::size_t colon = line.find(": ", arrow);
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view rest = line.substr(colon + 2);
  const std::size_t end = rest.find(' ');
  if (end == std::string_view::npos || end == 0) return std::nullopt;
  const std::string_view flags = rest.substr(0, end);
  if (flags.find_first_not_of("SFPRWEU.") != std::string_view::npos) return std::nullopt;
  const std::string_view behind = rest.substr(end + 1);
  const bool is_tcp = behind.starts_with("ack ") || behind.find(" win ") != std::string_view::npos;
  if (!is_tcp) return std::nullopt;
  return OldForm{.ends = line.substr(0, colon), .flags = flags, .rest = behind};
}

void read_flags(std::string_view flags, TcpPacket& packet) {
  packet.syn = flags.find('S') != std::string_view::npos;
  packet.rst = flags.find('R') != std::string_view::npos;
  packet.ack = flags.find('.') != std::string_view::npos;
}

// "seq 1:19, ack 1, win 63, …, length 18".
void read_numbers(std::string_view rest, TcpPacket& packet) {
  packet.sequence = number_after<std::uint32_t>(rest, "seq ").value_or(0);
  packet.acknowledged = number_after<std::uint32_t>(rest, "ack ").value_or(0);
  packet.has_data = number_after<std::uint32_t>(rest, "length ").value_or(0) > 0;
}

// "123:141(18) ack 1 win 5840".
void read_old_numbers(std::string_view rest, TcpPacket& packet) {
  if (const auto ack = number_after<std::uint32_t>(rest, "ack ")) {
    packet.ack = true;
    packet.acknowledged = *ack;
  }
  if (rest.starts_with("ack ")) return;
  packet.sequence = number_after<std::uint32_t>(rest, "").value_or(0);
  packet.has_data = number_after<std::uint32_t>(rest, "(").value_or(0) > 0;
}

// "options [mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7]", and before tcpdump 4 "<mss 1460,sackOK,
// timestamp 1 0,nop,wscale 7>"; no such list where there are none. "[|tcp]": cut.
evidence::TcpOptions options_of(std::string_view flags, std::string_view rest,
                                std::optional<std::uint32_t> timestamp) {
  if (rest.find("[|tcp]") != std::string_view::npos) return {};
  evidence::TcpOptions options{.known = true, .ecn = flags.find('E') != std::string_view::npos};
  options.sack = rest.find("sackOK") != std::string_view::npos;
  options.has_timestamp = timestamp.has_value();
  options.timestamp = timestamp.value_or(0);
  constexpr unsigned kMost = 14;
  if (const auto scale = number_after<unsigned>(rest, "wscale ")) {
    options.window_scale = static_cast<std::int8_t>(std::min(*scale, kMost));
  }
  return options;
}

// A SYN tells the flow's numbers; what comes behind it is counted from there, unless by -S.
constexpr std::uint32_t kSmall = 1U << 24U;

}  // namespace

TcpdumpText::Head TcpdumpText::read_head(std::string_view prefix) {
  Head head;
  const ColumnValue value = read_time_column(prefix);
  head.column = value.column;
  head.at_ns = value.at_ns;
  const auto ttl = number_after<unsigned>(prefix, " ttl ");
  head.ttl =
      static_cast<std::uint8_t>(ttl ? *ttl : number_after<unsigned>(prefix, "hlim ").value_or(0));
  if (ttl) head.ip_id = number_after<std::uint16_t>(prefix, ", id ").value_or(0);
  if (has_word(prefix, "In")) head.direction = Direction::kIn;
  if (has_word(prefix, "Out")) head.direction = Direction::kOut;
  return head;
}

bool TcpdumpText::read_endpoint(std::string_view text, facts::IpAddress& address,
                                std::uint16_t& port) {
  const std::size_t dot = text.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  const auto number = port_of(text.substr(dot + 1));
  if (!number) return false;
  port = *number;
  const std::string name(text.substr(0, dot));
  if (const auto parsed = facts::IpAddress::parse(name)) {
    address = *parsed;
    return true;
  }
  constexpr std::size_t kMostNames = 65535;
  const auto known = stand_ins_.find(name);
  if (known != stand_ins_.end()) {
    address = known->second;
    return true;
  }
  if (stand_ins_.size() >= kMostNames) return false;
  const std::size_t next = stand_ins_.size() + 1;
  const std::array<std::uint8_t, 4> bytes = {240, 0, static_cast<std::uint8_t>(next >> 8U),
                                             static_cast<std::uint8_t>(next)};
  address = facts::IpAddress::v4(bytes);
  stand_ins_.emplace(name, address);
  return true;
}

// "# tcpdump -i eth0 -nnnn -ttt port 24568".
void TcpdumpText::note_command(std::string_view line) {
  const std::size_t at = line.find("tcpdump ");
  if (at == std::string_view::npos) return;
  std::size_t count = 0;
  std::string_view rest = line.substr(at);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    const std::string_view word = rest.substr(0, end);
    if (word.size() > 1 && word[0] == '-' && word[1] != '-') {
      count += static_cast<std::size_t>(std::ranges::count(word, 't'));
    }
    rest = rest.substr(std::min(end + 1, rest.size()));
  }
  constexpr TimeColumn kForms[] = {TimeColumn::kClock, TimeColumn::kNone, TimeColumn::kEpoch,
                                   TimeColumn::kGap,   TimeColumn::kDate, TimeColumn::kSinceFirst};
  if (count < std::size(kForms)) command_ = kForms[count];
}

void TcpdumpText::add(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || is_blank(line.back()))) line.remove_suffix(1);
  const std::size_t flags_at = line.find(kFlags);
  std::optional<Ends> ends;
  std::string_view flags;
  std::string_view rest;
  bool is_old = false;
  if (flags_at != std::string_view::npos) {
    ends = ends_of(line.substr(0, flags_at));
    flags = line.substr(flags_at + kFlags.size());
    const std::size_t close = flags.find(']');
    if (close == std::string_view::npos) return;
    rest = flags.substr(close + 1);
    flags = flags.substr(0, close);
  } else if (const auto old = old_form(line)) {
    ends = ends_of(old->ends);
    flags = old->flags;
    rest = old->rest;
    is_old = true;
  }
  if (!ends) {
    const bool is_head = line.find("proto TCP (6)") != std::string_view::npos;
    open_ = is_head ? std::optional(read_head(line)) : std::nullopt;
    note_command(line);
    const std::size_t quiet = line.find(": tcp ");
    if (quiet != std::string_view::npos && ends_of(line.substr(0, quiet))) ++unread_;
    return;
  }
  // The second of two lines has no time of its own.
  const Head head = open_ ? *open_ : read_head(ends->prefix);
  open_.reset();
  TcpdumpLine read;
  TcpPacket& packet = read.packet;
  if (!read_endpoint(ends->source, packet.source, packet.source_port) ||
      !read_endpoint(ends->destination, packet.destination, packet.destination_port)) {
    ++unread_;
    return;
  }
  read_flags(flags, packet);
  is_old ? read_old_numbers(rest, packet) : read_numbers(rest, packet);
  packet.is_relative = !packet.syn && packet.sequence < kSmall;
  packet.ttl = head.ttl;
  packet.ip_id = head.ip_id;
  packet.direction = head.direction;
  packet.at_ns = head.at_ns;
  read.column = head.column;
  read.timestamp = number_after<std::uint32_t>(rest, "TS val ");
  if (!read.timestamp) read.timestamp = number_after<std::uint32_t>(rest, "timestamp ");
  if (packet.syn) {
    packet.options = options_of(flags, rest, read.timestamp);
  } else if (read.timestamp) {
    packet.options.has_timestamp = true;
    packet.options.timestamp = *read.timestamp;
  }
  lines_.push_back(read);
}

TcpdumpText::Packets TcpdumpText::packets() const {
  const Times times = times_of(lines_, command_);
  Packets found{.packets = {}, .column = times.column, .is_assumed = times.is_assumed};
  found.packets.reserve(lines_.size());
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    TcpPacket packet = lines_[i].packet;
    packet.at_ns = times.at_ns[i];
    found.packets.push_back(packet);
  }
  return found;
}

}  // namespace acceptq::imports::capture
