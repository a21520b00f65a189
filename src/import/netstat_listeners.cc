// `netstat -l` (net-tools, busybox): "tcp 0 0 0.0.0.0:22 0.0.0.0:* LISTEN 812/sshd". It reads
// /proc/net/tcp, which has the length of an accept queue and no limit: Send-Q of a listener is 0.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "import/endpoint.h"
#include "import/readers.h"
#include "import/syn_queues.h"

namespace acceptq::imports {
namespace {

// net-tools is translated, and so are its heads: "Proto Přích-F Odch-F Místní Adresa …".
bool is_head(std::string_view line) {
  constexpr std::array<std::string_view, 4> kQueues = {"Recv-Q", "Přích-F", "VvJrk", "受信-Q"};
  return line.starts_with("Proto ") && std::ranges::any_of(kQueues, [&](std::string_view word) {
           return line.find(word) != std::string_view::npos;
         });
}

bool is_title(std::string_view line) {
  constexpr std::array<std::string_view, 8> kTitles = {"Active Internet connections",
                                                       "Active UNIX domain sockets",
                                                       "Aktive ",
                                                       "Connexions Internet actives",
                                                       "Aktivní ",
                                                       "Aktiivsed ",
                                                       "Conexões Internet Ativas",
                                                       "稼働中の"};
  return std::ranges::any_of(kTitles,
                             [&](std::string_view title) { return line.starts_with(title); });
}

// Of a TCP socket without a peer, and so of a listener: only the languages differ.
constexpr std::array<std::string_view, 3> kListening = {"LISTEN", "NASLOUCHÁ", "OUÇA"};
constexpr std::array<std::string_view, 2> kRequest = {"SYN_RECV", "SYN_RECEBIDO"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& all, std::string_view word) {
  return std::ranges::find(all, word) != all.end();
}

bool is_protocol(std::string_view word) {
  return word == "tcp" || word == "tcp6" || word == "udp" || word == "udp6" || word == "unix" ||
         word == "raw" || word == "raw6" || word == "udplite" || word == "sctp";
}

// "812/sshd: /usr/sbin", which may hold blanks and goes to the end of the line.
void parse_owner(std::string_view line, std::string_view word, ListenerRow& row) {
  const std::size_t slash = word.find('/');
  if (slash == std::string_view::npos) return;
  const auto pid = parse_int<std::int32_t>(word.substr(0, slash));
  if (!pid || *pid <= 0) return;
  std::string_view name =
      trim(line.substr(static_cast<std::size_t>(word.data() - line.data()) + slash + 1));
  name = name.substr(0, name.find(':'));
  facts::Process owner;
  owner.pid = Pid(*pid);
  owner.comm = std::string(name);
  row.listener.owners.push_back({.pid = owner.pid});
  row.owners.push_back(std::move(owner));
}

enum class Row { kNone, kOther, kListener, kDamaged, kForeign };

Row parse_row(const Line& line, ListenerTable& table, SynQueues& syn_queues) {
  const std::string_view text = line.text;
  const std::vector<std::string_view> words = split_blank(text);
  if (words.size() < 3 || !is_protocol(words[0])) return Row::kNone;
  const bool listens = words[0] != "unix" && std::ranges::any_of(words, [](std::string_view word) {
                         return is_one_of(kListening, word);
                       });
  if (!words[0].starts_with("tcp"))
    return words[0] == "unix" || parse_int<std::uint64_t>(words[1]) ? Row::kOther : Row::kNone;
  const auto length = parse_int<std::uint32_t>(words[1]);
  const auto limit = parse_int<std::uint32_t>(words[2]);
  if (!length || !limit) return listens ? Row::kDamaged : Row::kNone;
  // States are translated, too.
  const bool foreign = words.size() > 5 && is_any_peer(words[4]) && words[0].starts_with("tcp");
  if (!listens && foreign) return Row::kForeign;
  if (!listens) {
    syn_queues.add_other();
    if (words.size() < 6 || !is_one_of(kRequest, words[5])) return Row::kOther;
    if (const auto local = parse_endpoint(words[3]); local && !local->star) {
      syn_queues.add(local->address, local->port);
    }
    return Row::kOther;
  }
  if (words.size() < 6 || !is_one_of(kListening, words[5]) || !is_any_peer(words[4])) {
    return Row::kDamaged;
  }
  const auto endpoint = parse_endpoint(words[3]);
  if (!endpoint) return Row::kDamaged;
  ListenerRow row{.line = line.number};
  row.listener.address = endpoint->address;
  if (endpoint->star && words[0] == "tcp6") row.listener.address = *facts::IpAddress::parse("::");
  row.listener.port = endpoint->port;
  row.listener.accept_queue_len = QueueLength(*length);
  std::size_t at = 6;
  // -e: user and inode.
  if (words.size() > 7 && words[6].find('/') == std::string_view::npos) {
    if (const auto inode = parse_int<std::uint64_t>(words[7])) {
      row.listener.inode = SocketInode(*inode);
      row.listener.uid = parse_int<std::uint32_t>(words[6]);
      at = 8;
    }
  }
  if (at < words.size()) parse_owner(text, words[at], row);
  table.rows.push_back(std::move(row));
  return Row::kListener;
}

}  // namespace

Reading read_netstat_listeners(Lines lines, const Typed& typed) {
  Reading reading;
  ListenerTable table;
  SynQueues syn_queues;
  for (; reading.used < lines.size(); ++reading.used) {
    const Line& line = lines[reading.used];
    if (is_title(line.text) || is_head(line.text)) {
      if (!table.rows.empty()) break;  // Unix sockets behind them, or another sample
      table.has_head = true;
      continue;
    }
    const Row row = parse_row(line, table, syn_queues);
    if (row == Row::kNone) break;
    if (row == Row::kForeign) {
      reading.problems.push_back({line.number,
                                  "a state in a language that acceptq does not know (LC_ALL=C "
                                  "netstat prints English)"});
    }
    if (row == Row::kDamaged) {
      reading.problems.push_back({line.number, "a line of netstat could not be read"});
    }
  }
  syn_queues.put(typed.command, table);
  if (!table.rows.empty()) reading.piece = std::move(table);
  return reading;
}

}  // namespace acceptq::imports
