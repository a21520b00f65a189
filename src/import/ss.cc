// `ss` (iproute2). Its columns are [Netid] [State] Recv-Q Send-Q Local Peer [Process …]; which are
// there depends on options, on version and on the width of the terminal, so that a line is taken
// apart by what its words are and not by where they stand.
#include <algorithm>
#include <array>
#include <map>

#include "base/text.h"
#include "import/endpoint.h"
#include "import/readers.h"
#include "import/syn_queues.h"

namespace acceptq::imports {
namespace {

using facts::Listener;
using facts::Protocol;
using Words = std::vector<std::string_view>;

constexpr std::array<std::string_view, 17> kNetids = {
    "tcp",   "mptcp", "udp", "raw",  "u_str", "u_dgr", "u_seq", "nl", "p_raw",
    "p_dgr", "icmp6", "???", "sctp", "dccp",  "tipc",  "v_str", "xdp"};
constexpr std::array<std::string_view, 16> kStates = {
    "LISTEN",     "ESTAB",      "UNCONN",       "TIME-WAIT",     "SYN-SENT", "SYN-RECV",
    "FIN-WAIT-1", "CLOSE-WAIT", "FIN-WAIT-2",   "LAST-ACK",      "CLOSING",  "CLOSED",
    "CLOSE",      "UNKNOWN",    "NEW-SYN-RECV", "BOUND-INACTIVE"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& all, std::string_view word) {
  return std::ranges::find(all, word) != all.end();
}

bool is_number(std::string_view word) { return parse_int<std::uint64_t>(word).has_value(); }

struct Head {
  bool is_head = false;
  bool has_state = true;
};

// "State Recv-Q Send-Q Local Address:Port Peer Address:Port", words run together or not.
Head parse_head(std::string_view line) {
  Head head;
  head.is_head = line.find("Recv-Q") != std::string_view::npos &&
                 line.find("Send-Q") != std::string_view::npos &&
                 line.find("Proto") == std::string_view::npos &&
                 line.find("Address") != std::string_view::npos;
  head.has_state = line.find("State") != std::string_view::npos;
  return head;
}

// The front of a record: what comes before the addresses.
struct Front {
  std::string_view netid;
  std::string_view state;
  std::size_t words = 0;  // that it took
};

// Nothing where the words are no record's. "tcpLISTEN" is one word where columns were too narrow.
std::optional<Front> parse_front(const Words& words, bool has_state) {
  Front front;
  std::size_t at = 0;
  if (at < words.size() && is_one_of(kNetids, words[at])) {
    front.netid = words[at++];
  } else if (at < words.size()) {
    const auto* glued = std::ranges::find_if(kNetids, [&](std::string_view netid) {
      return words[at].starts_with(netid) && is_one_of(kStates, words[at].substr(netid.size()));
    });
    if (glued != kNetids.end()) {
      front.netid = *glued;
      front.state = words[at++].substr(glued->size());
    }
  }
  if (front.state.empty() && at < words.size() && is_one_of(kStates, words[at])) {
    front.state = words[at++];
  }
  if (front.state.empty() && has_state) return std::nullopt;
  front.words = at;
  return front;
}

// "users:(("nginx",pid=3985,fd=6),("nginx",3984,6))": both forms that there have been.
std::vector<facts::Process> parse_users(std::string_view text, std::vector<facts::OwnerRef>& refs) {
  std::vector<facts::Process> owners;
  std::size_t at = text.find("users:((");
  if (at == std::string_view::npos) return owners;
  text.remove_prefix(at + 7);
  while (text.starts_with("(\"") || text.starts_with(",(\"")) {
    text.remove_prefix(text.starts_with(',') ? 3 : 2);
    const std::size_t quote = text.find("\",");
    const std::size_t close = quote == std::string_view::npos ? quote : text.find(')', quote);
    if (close == std::string_view::npos) break;
    const std::vector<std::string_view> fields =
        split(text.substr(quote + 2, close - quote - 2), ',');
    if (fields.size() < 2) break;
    const auto value = [](std::string_view field, std::string_view name) {
      if (field.starts_with(name)) field.remove_prefix(name.size());
      return parse_int<std::int32_t>(field);
    };
    const auto pid = value(fields[0], "pid=");
    const auto fd = value(fields.back(), "fd=");
    if (!pid || !fd || *pid <= 0) break;
    facts::Process owner;
    owner.pid = Pid(*pid);
    owner.comm = std::string(text.substr(0, quote));
    refs.push_back({.pid = Pid(*pid), .fd = *fd});
    owners.push_back(std::move(owner));
    text.remove_prefix(close + 1);
  }
  return owners;
}

// The number behind `name` in "… ino:48213 …", where it stands at the beginning of a word.
std::optional<std::string_view> word_behind(std::string_view text, std::string_view name) {
  for (const std::string_view word : split_blank(text)) {
    if (word.starts_with(name)) return word.substr(name.size());
  }
  return std::nullopt;
}

void parse_rest(std::string_view rest, ListenerRow& row) {
  Listener& listener = row.listener;
  row.owners = parse_users(rest, listener.owners);
  if (const auto text = word_behind(rest, "ino:")) {
    if (const auto inode = parse_int<std::uint64_t>(*text)) listener.inode = SocketInode(*inode);
  }
  if (const auto text = word_behind(rest, "sk:")) {
    if (const auto sk = parse_int<std::uint64_t>(*text, 16)) listener.cookie = SocketCookie(*sk);
  }
  if (const auto text = word_behind(rest, "uid:")) listener.uid = parse_int<std::uint32_t>(*text);
  if (const auto text = word_behind(rest, "v6only:")) listener.v6only = *text == "1";
  // skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d12): d is sk_drops (from iproute2 4.7 on).
  if (const auto text = word_behind(rest, "skmem:(")) {
    for (const std::string_view field : split(text->substr(0, text->find(')')), ',')) {
      if (field.starts_with('d')) listener.drops = parse_int<std::uint32_t>(field.substr(1));
    }
  }
}

// "*:80*:*", where the columns of the two addresses touch.
std::string_view cut_peer(std::string_view local) {
  constexpr std::array<std::string_view, 4> kPeers = {"0.0.0.0:*", "[::]:*", ":::*", "*:*"};
  for (const std::string_view peer : kPeers) {
    if (local.size() > peer.size() && local.ends_with(peer)) {
      const std::string_view rest = local.substr(0, local.size() - peer.size());
      if (parse_endpoint(rest)) return rest;
    }
  }
  return {};
}

std::string_view from_word(std::string_view line, std::string_view word) {
  return line.substr(static_cast<std::size_t>(word.data() - line.data()));
}

class Table {
 public:
  explicit Table(Lines lines) : lines_(lines) {}

  Reading read(std::string_view command) {
    while (reading_.used < lines_.size() && take_one()) {
    }
    if (reading_.used == 0) return {};
    finish();
    table_.has_head = seen_head_;
    syn_queues_.put(command, table_);
    if (!table_.rows.empty() || seen_head_) reading_.piece = std::move(table_);
    return std::move(reading_);
  }

 private:
  [[nodiscard]] std::string_view line_at(std::size_t i) const { return lines_[i].text; }

  // Whether a line begins a record or a head, and so cannot go on with the one before it.
  [[nodiscard]] bool begins(std::string_view line) const {
    if (parse_head(line).is_head) return true;
    const Words words = split_blank(line);
    const auto front = parse_front(words, true);
    return front && words.size() > front->words + 1 && is_number(words[front->words]);
  }

  // A line behind a record that says more of it: indented, and of what extended output is made of.
  [[nodiscard]] static bool goes_on(std::string_view line) {
    constexpr std::array<std::string_view, 14> kWords = {
        "users:((", "skmem:(", "uid:", "ino:", "sk:",  "cgroup:", "timer:",
        "v6only:",  "cubic",   "bbr",  "reno", "rto:", "cwnd:",   "<->"};
    if (!line.starts_with(' ')) return false;
    const std::string_view text = trim(line);
    return std::ranges::any_of(kWords,
                               [&](std::string_view word) { return text.starts_with(word); });
  }

  bool take_one() {
    const std::string_view line = line_at(reading_.used);
    if (const Head head = parse_head(line); head.is_head) {
      // A second head is another sample.
      if (seen_head_ || !table_.rows.empty()) return false;
      seen_head_ = true;
      has_state_ = head.has_state;
      ++reading_.used;
      return true;
    }
    const Words words = split_blank(line);
    if (words.empty()) return false;
    // Columns are separated by more than one blank, as no sentence's words are, or in a table.
    std::optional<Front> front = parse_front(words, has_state_ || !seen_head_);
    if (!front || (front->words == 0 && !is_number(words[0]))) return false;
    if (words.size() < front->words + 2 || !is_number(words[front->words]) ||
        !is_number(words[front->words + 1])) {
      if (!seen_head_ && table_.rows.empty() && reading_.used == 0) return false;
      if (front->state.empty() && front->netid.empty()) return false;
      return damaged(line, "it has a column too few, or something else in a number's place");
    }
    return take_record(*front, words);
  }

  bool damaged(std::string_view line, std::string_view why) {
    if (line.find("LISTEN") != std::string_view::npos || !has_state_) {
      reading_.problems.push_back(
          {lines_[reading_.used].number, "a line of ss could not be read: " + std::string(why)});
    }
    ++reading_.used;
    return true;
  }

  bool take_record(const Front& front, const Words& words) {
    const std::size_t first = reading_.used;
    std::string whole(line_at(first));
    std::size_t used = 1;
    // A line that the terminal, or whoever pasted it, has broken.
    const bool is_unix = front.netid.starts_with("u_");
    std::size_t wanted = front.words + 4;
    while (words.size() < wanted && first + used < lines_.size() && used < 3 &&
           cut_peer(words.back()).empty() && !line_at(first + used).empty() &&
           !begins(line_at(first + used)) && split_blank(whole).size() < wanted) {
      whole += " " + std::string(line_at(first + used));
      ++used;
    }
    while (first + used < lines_.size() && goes_on(line_at(first + used))) {
      whole += " " + std::string(line_at(first + used));
      ++used;
    }
    const bool taken = is_unix ? take_unix(front, whole) : take_inet(front, whole);
    if (!taken && reading_.used == 0 && !seen_head_) return false;
    if (!taken) return damaged(line_at(first), why_);
    reading_.used += used;
    return true;
  }

  bool take_inet(const Front& front, const std::string& whole) {
    const Words words = split_blank(whole);
    const std::string_view netid = front.netid.empty() ? "tcp" : front.netid;
    if (netid != "tcp" && netid != "mptcp") return true;
    if (!front.state.empty() && front.state != "LISTEN") {
      take_connection(front, words);
      return true;
    }
    why_ = "it has a column too few";
    if (words.size() < front.words + 3) return false;
    std::string_view local = words[front.words + 2];
    std::string_view rest;
    if (const std::string_view cut = cut_peer(local); !cut.empty()) {
      rest = from_word(whole, local).substr(local.size());
      local = cut;
    } else {
      if (words.size() < front.words + 4) return false;
      const std::string_view peer = words[front.words + 3];
      if (front.state.empty() && !is_any_peer(peer)) return true;  // a connection
      if (!is_any_peer(peer)) {
        why_ = "its peer is no listener's";
        return false;
      }
      rest = from_word(whole, peer).substr(peer.size());
    }
    const auto endpoint = parse_endpoint(local);
    if (!endpoint) {
      why_ = "its address or port is a name that acceptq does not know (ss -n prints numbers)";
      return false;
    }
    ListenerRow row{.line = lines_[reading_.used].number};
    row.listener.mptcp = netid == "mptcp";
    row.listener.address = endpoint->address;
    row.listener.port = endpoint->port;
    row.listener.device = endpoint->device;
    stars_.push_back(endpoint->star);
    // iproute2 writes 0.0.0.0 from 4.17 on, and "*" then for both families at once.
    writes_zeros_ |= whole.find(" 0.0.0.0:") != std::string::npos;
    return take_queues(front, words, rest, std::move(row));
  }

  // A listener's request is among them, too.
  void take_connection(const Front& front, const Words& words) {
    syn_queues_.add_other();
    if (front.state != "SYN-RECV" || words.size() < front.words + 4) return;
    const auto local = parse_endpoint(words[front.words + 2]);
    if (local && !local->star) syn_queues_.add(local->address, local->port);
  }

  // "PATH INODE * PEER", where a path may hold blanks.
  bool take_unix(const Front& front, const std::string& whole) {
    if (front.netid != "u_str" || (!front.state.empty() && front.state != "LISTEN")) return true;
    const Words words = split_blank(whole);
    why_ = "it has a column too few";
    for (std::size_t i = front.words + 3; i + 1 < words.size(); ++i) {
      const auto inode = parse_int<std::uint64_t>(words[i]);
      if (!inode || words[i + 1] != "*") continue;
      const std::string_view first = words[front.words + 2];
      const auto length = static_cast<std::size_t>(words[i].data() - first.data());
      ListenerRow row{.line = lines_[reading_.used].number};
      row.listener.protocol = Protocol::kUnix;
      row.listener.path = std::string(trim(from_word(whole, first).substr(0, length)));
      row.listener.inode = SocketInode(*inode);
      stars_.push_back(false);
      return take_queues(front, words, from_word(whole, words[i + 1]), std::move(row));
    }
    return false;
  }

  bool take_queues(const Front& front, const Words& words, std::string_view rest, ListenerRow row) {
    const auto length = parse_int<std::uint32_t>(words[front.words]);
    const auto limit = parse_int<std::uint32_t>(words[front.words + 1]);
    if (!length || !limit) {
      why_ = "a queue is longer than any can be";
      stars_.pop_back();
      return false;
    }
    row.listener.accept_queue_len = QueueLength(*length);
    row.listener.limit = QueueLimit(*limit);
    parse_rest(rest, row);
    table_.rows.push_back(std::move(row));
    return true;
  }

  void finish() {
    // Without inet_diag ss reads /proc/net/tcp, which has no limits, and prints 0.
    const auto is_zero = [](const ListenerRow& row) {
      return row.listener.protocol != Protocol::kTcp || row.listener.limit == QueueLimit(0);
    };
    const bool no_limits = std::ranges::all_of(table_.rows, is_zero);
    for (std::size_t i = 0; i < table_.rows.size(); ++i) {
      Listener& listener = table_.rows[i].listener;
      if (no_limits && listener.protocol == Protocol::kTcp) listener.limit.reset();
      if (!stars_[i] || !writes_zeros_) continue;
      listener.address = *facts::IpAddress::parse("::");
      listener.v6only = false;
    }
  }

  Lines lines_;
  Reading reading_;
  ListenerTable table_;
  std::vector<bool> stars_;  // as long as the table's rows
  bool seen_head_ = false;
  bool has_state_ = true;
  bool writes_zeros_ = false;
  std::string_view why_;
  SynQueues syn_queues_;
};

// ss -s: totals by state, which say nothing of listeners.
std::size_t summary_lines(Lines lines) {
  const auto starts = [&](std::size_t i, std::string_view word) {
    return i < lines.size() && std::string_view(lines[i].text).starts_with(word);
  };
  if (!starts(0, "Total: ")) return 0;
  std::size_t used = 1;
  constexpr std::array<std::string_view, 8> kRows = {"TCP:", "Transport", "RAW",  "UDP",
                                                     "TCP",  "INET",      "FRAG", "*"};
  while (used < lines.size() &&
         (lines[used].text.empty() ||
          std::ranges::any_of(kRows, [&](std::string_view row) { return starts(used, row); }))) {
    ++used;
  }
  return used > 1 ? used : 0;
}

}  // namespace

Reading read_ss(Lines lines, const Typed& typed) {
  if (const std::size_t used = summary_lines(lines); used > 0) return {.used = used};
  return Table(lines).read(typed.command);
}

}  // namespace acceptq::imports
