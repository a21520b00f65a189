// `netstat -s` (net-tools): sections, and in each sentences whose words have changed with the
// years. Counters of 0 are left out of it (lib: statistics.c, opt_number).
#include <algorithm>
#include <array>

#include "base/text.h"
#include "import/readers.h"

namespace acceptq::imports {
namespace {

struct Sentence {
  std::string_view text;  // behind the number
  std::string_view counter;
};

// net-tools' statistics.c, 1.60 to 2.10. "ignored" was the word until 2008.
constexpr std::array<Sentence, 22> kSentences = {{
    {"times the listen queue of a socket overflowed", "TcpExtListenOverflows"},
    {"SYNs to LISTEN sockets dropped", "TcpExtListenDrops"},
    {"SYNs to LISTEN sockets ignored", "TcpExtListenDrops"},
    {"SYN cookies sent", "TcpExtSyncookiesSent"},
    {"SYN cookies received", "TcpExtSyncookiesRecv"},
    {"invalid SYN cookies received", "TcpExtSyncookiesFailed"},
    {"resets received for embryonic SYN_RECV sockets", "TcpExtEmbryonicRsts"},
    {"active connections openings", "TcpActiveOpens"},
    {"active connection openings", "TcpActiveOpens"},
    {"passive connections openings", "TcpPassiveOpens"},
    {"passive connection openings", "TcpPassiveOpens"},
    {"failed connection attempts", "TcpAttemptFails"},
    {"connection resets received", "TcpEstabResets"},
    {"segments received", "TcpInSegs"},
    {"segments send out", "TcpOutSegs"},
    {"segments sent out", "TcpOutSegs"},
    {"segments retransmited", "TcpRetransSegs"},
    {"segments retransmitted", "TcpRetransSegs"},
    {"bad segments received.", "TcpInErrs"},
    {"bad segments received", "TcpInErrs"},
    {"resets sent", "TcpOutRsts"},
    {"connections established", ""},
}};

// The same in net-tools' translations (po/*.po of 2.10; the others have none of these), with "%u"
// for the number.
constexpr std::array<Sentence, 20> kTranslations = {{
    {"Počet přetečení naslouchací fronty socketu: %u", "TcpExtListenOverflows"},
    {"Počet zahozených SYN packetů určených naslouchajícímu socketu: %u", "TcpExtListenDrops"},
    {"Počet odeslaných SYN cookies: %u", "TcpExtSyncookiesSent"},
    {"Počet přijatých SYN cookies: %u", "TcpExtSyncookiesRecv"},
    {"Počet chybných příchozích SYN cookies: %u", "TcpExtSyncookiesFailed"},
    {"Počet aktivně navázaných spojení: %u", "TcpActiveOpens"},
    {"Počet pasivně navázaných spojení: %u", "TcpPassiveOpens"},
    {"%u korral ületäitus sokli kuulamise järjekord", "TcpExtListenOverflows"},
    {"%u SYN'i kuulavatele soklitele ignoreeriti", "TcpExtListenDrops"},
    {"%u SYN küpsist saadeti", "TcpExtSyncookiesSent"},
    {"%u SYN küpsist võeti vastu", "TcpExtSyncookiesRecv"},
    {"%u vigast SYN küpsist võeti vastu", "TcpExtSyncookiesFailed"},
    {"%u passiivset ühenduse avamist", "TcpPassiveOpens"},
    {"ソケットのリスンキューが%u回オーバフロー", "TcpExtListenOverflows"},
    {"%uのソケットリスンSYNが無視", "TcpExtListenDrops"},
    {"%uのSYNクッキーを送信", "TcpExtSyncookiesSent"},
    {"%uのSYNクッキーを受信", "TcpExtSyncookiesRecv"},
    {"%uの不適当なSYNクッキーを受信", "TcpExtSyncookiesFailed"},
    {"%uの能動接続開始", "TcpActiveOpens"},
    {"%uの受動接続開始", "TcpPassiveOpens"},
}};

constexpr std::array<std::string_view, 13> kSections = {
    "Ip:",    "Icmp:",     "IcmpMsg:", "Tcp:",   "Udp:",  "UdpLite:", "TcpExt:",
    "IpExt:", "MPTcpExt:", "Ip6:",     "Icmp6:", "Sctp:", "Udp6:"};

bool is_section(std::string_view line) {
  return std::ranges::find(kSections, line) != kSections.end();
}

struct Entry {
  std::string counter;  // empty: one that is not wanted
  std::uint64_t value = 0;
};

bool is_counter_name(std::string_view text) {
  return !text.empty() && std::isupper(static_cast<unsigned char>(text[0])) != 0 &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) != 0; });
}

// Of a sentence in another language, whose number may stand anywhere in it.
std::optional<Entry> parse_translated(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  const std::size_t begin = text.find_first_of(kDigits);
  if (begin == std::string_view::npos) return std::nullopt;
  const std::size_t end = std::min(text.find_first_not_of(kDigits, begin), text.size());
  const auto number = parse_int<std::uint64_t>(text.substr(begin, end - begin));
  for (const Sentence& sentence : kTranslations) {
    const std::size_t place = sentence.text.find("%u");
    const bool same = text.substr(0, begin) == sentence.text.substr(0, place) &&
                      text.substr(end) == sentence.text.substr(place + 2);
    if (number && same) return Entry{std::string(sentence.counter), *number};
  }
  return std::nullopt;
}

// "12 SYN cookies sent", or "TCPReqQFullDrop: 12"; nothing where it is neither.
std::optional<Entry> parse_entry(std::string_view line, std::string_view section) {
  const std::string_view text = trim(line);
  if (const auto translated = parse_translated(text)) return translated;
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  if (const auto number = parse_int<std::uint64_t>(text.substr(0, blank))) {
    const std::string_view words = trim(text.substr(blank));
    // UDP's and ICMP's sentences are not TCP's, though some read alike.
    const bool of_tcp = section.empty() || section == "Tcp:" || section == "TcpExt:";
    for (const Sentence& sentence : kSentences) {
      if (of_tcp && words == sentence.text) return Entry{std::string(sentence.counter), *number};
    }
    return Entry{};
  }
  const std::size_t colon = text.find(": ");
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view name = text.substr(0, colon);
  const auto number = parse_int<std::uint64_t>(trim(text.substr(colon + 1)));
  if (!number || !is_counter_name(name)) return std::nullopt;
  if (section == "TcpExt:" || (section.empty() && name.starts_with("TCP"))) {
    return Entry{"TcpExt" + std::string(name), *number};
  }
  return Entry{};
}

bool begins(std::string_view line) {
  if (is_section(line)) return true;
  const auto entry = parse_entry(line, {});
  if (!entry || entry->counter.empty()) return false;
  return line.find(':') == std::string_view::npos || parse_translated(trim(line));
}

// A sentence about listeners, with or without its number.
bool names_a_queue(std::string_view line) {
  return line.find(kSentences[0].text) != std::string_view::npos ||
         line.find("SYNs to LISTEN sockets") != std::string_view::npos;
}

// Lines of a section that are no counters: "Quick ack mode was activated 9 times", "ICMP input
// histogram:".
bool belongs(std::string_view line) { return line.starts_with("    ") || line.starts_with('\t'); }

}  // namespace

Reading read_netstat_statistics(Lines lines, const Typed& /*typed*/) {
  if (lines.empty() || !begins(lines[0].text)) return {};
  Reading reading;
  CounterSample sample{.form = "netstat -s"};
  std::string section;
  bool ended_tcp_ext = false;
  bool seen_tcp = false;
  const auto is_new = [&](std::string_view name) {
    return std::ranges::none_of(sample.counters,
                                [&](const auto& counter) { return counter.first == name; });
  };
  for (; reading.used < lines.size(); ++reading.used) {
    const std::string_view line = lines[reading.used].text;
    if (line.empty()) {
      // Between sections only.
      const bool more = reading.used + 1 < lines.size() && is_section(lines[reading.used + 1].text);
      if (!more || section.empty()) break;
      continue;
    }
    if (is_section(line)) {
      if (line == "Ip:" && !section.empty()) break;  // another sample
      ended_tcp_ext |= section == "TcpExt:";
      section = line;
      seen_tcp |= section == "Tcp:";
      continue;
    }
    const auto entry = parse_entry(line, section);
    if (!entry && names_a_queue(line)) {
      reading.problems.push_back(
          {lines[reading.used].number, "a line of netstat -s has no number"});
    }
    if (!entry && !belongs(line)) break;
    if (!entry || entry->counter.empty()) continue;
    if (!is_new(entry->counter)) break;
    sample.counters.emplace_back(entry->counter, entry->value);
  }
  // net-tools is translated, and in a dozen languages. Tcp's sentences are there whatever they
  // count.
  const bool understood = !is_new("TcpPassiveOpens") || !is_new("TcpActiveOpens");
  if (seen_tcp && !understood) {
    reading.problems.push_back({lines[0].number,
                                "netstat -s in a language that acceptq does not know (LC_ALL=C "
                                "netstat -s prints English)"});
  }
  // Of a whole section, what is not there is 0.
  if (ended_tcp_ext && understood) {
    for (const std::string_view name :
         {"TcpExtListenOverflows", "TcpExtListenDrops", "TcpExtSyncookiesSent",
          "TcpExtSyncookiesRecv", "TcpExtSyncookiesFailed"}) {
      if (is_new(name)) sample.counters.emplace_back(name, 0);
    }
  }
  if (!sample.counters.empty()) reading.piece = std::move(sample);
  return reading;
}

}  // namespace acceptq::imports
