#include "diagnose/explain.h"

#include <algorithm>
#include <cctype>
#include <span>

#include "diagnose/catalogue.h"

namespace acceptq::diagnose {
namespace {

struct Word {
  std::string_view name;
  std::string_view kind;
  std::string_view title;
  std::string_view text;
  std::string_view source;
};

constexpr Word kWords[] = {
    {"TcpExtListenOverflows", "counter", "packets refused because an accept queue was full",
     "Counts SYNs, final ACKs and answers to SYN cookies that met a full accept queue in this "
     "network "
     "namespace. It counts packets, and every retry again: never connections. Which socket, client "
     "or "
     "process it was, it does not say.",
     "tcp_conn_request (net/ipv4/tcp_input.c) and tcp_v4_syn_recv_sock (net/ipv4/tcp_ipv4.c)"},
    {"TcpExtListenDrops", "counter", "refused packets of handshakes, for whatever reason",
     "Every overflow is counted here too. Where it grows more than ListenOverflows, something else "
     "refuses: the SYN queue with cookies off, no memory, no route, a security module. From Linux "
     "3.8 "
     "to 4.6 it also counts every SYN that was answered by a cookie.",
     "tcp_listendrop (include/net/tcp.h)"},
    {"TcpExtTCPReqQFullDoCookies", "counter", "SYNs that met a full SYN queue, with cookies on",
     "The kernel then answers with a SYN cookie, unless the accept queue is full as well. With "
     "tcp_syncookies 2 it counts every SYN.",
     "tcp_syn_flood_action (net/ipv4/tcp_input.c)"},
    {"TcpExtTCPReqQFullDrop", "counter", "SYNs refused for a full SYN queue, with cookies off",
     "Stays 0 while tcp_syncookies is 1.", "tcp_syn_flood_action (net/ipv4/tcp_input.c)"},
    {"TcpExtSyncookiesSent", "counter", "SYN cookies sent",
     "Compare it with SyncookiesRecv: real clients answer nearly all, a flood with forged "
     "addresses "
     "almost none.",
     "cookie_v4_init_sequence (net/ipv4/syncookies.c)"},
    {"TcpExtSyncookiesRecv", "counter", "valid answers to SYN cookies",
     "Counted also where the accept queue is full and the connection is refused after all.",
     "cookie_v4_check (net/ipv4/syncookies.c)"},
    {"TcpExtSyncookiesFailed", "counter", "packets that claim to answer a SYN cookie and do not",
     "Too old (two minutes at most), or never sent. Before Linux 4.4 any stray ACK counts.",
     "cookie_v4_check (net/ipv4/syncookies.c)"},
    {"TcpExtTCPDeferAcceptDrop", "counter", "final ACKs put off by TCP_DEFER_ACCEPT",
     "The listener wants data before it is woken; the request waits in the SYN queue meanwhile. "
     "Nothing is lost.",
     "tcp_check_req (net/ipv4/tcp_minisocks.c)"},
    {"TcpExtEmbryonicRsts", "counter", "handshakes ended by a reset",
     "By the client, or, with tcp_abort_on_overflow 1, by this host for a full accept queue.",
     "tcp_check_req (net/ipv4/tcp_minisocks.c)"},
    {"TcpExtTCPTimeouts", "counter", "retransmission timers that fired",
     "Of clients' SYNs, of SYN-ACKs that were not answered, and of data: both sides of this "
     "namespace.",
     "reqsk_timer_handler, tcp_retransmit_timer"},
    {"TcpExtTCPSynRetrans", "counter", "SYNs and SYN-ACKs sent again",
     "On a client: its SYNs go unanswered. On a server: final ACKs do not arrive, or are refused.",
     "tcp_rtx_synack (net/ipv4/tcp_output.c), __tcp_retransmit_skb"},
    {"TcpPassiveOpens", "counter", "connections completed by a listener",
     "Counted when the connection enters the accept queue, not when the application takes it.",
     "tcp_create_openreq_child (net/ipv4/tcp_minisocks.c)"},
    {"TcpExtTCPMigrateReqSuccess", "counter", "connections moved to another socket of a group",
     "With tcp_migrate_req 1 (Linux 5.14) a closing member of a SO_REUSEPORT group hands over what "
     "waits in its queue.",
     "inet_csk_listen_stop (net/ipv4/inet_connection_sock.c)"},
    {"TcpExtTCPMigrateReqFailure", "counter", "connections that could not be moved",
     "They are reset.", "inet_csk_listen_stop (net/ipv4/inet_connection_sock.c)"},
    {"net.core.somaxconn", "sysctl", "the most that listen() grants",
     "Each network namespace has its own, and a new one starts with the kernel's default (4096; "
     "128 "
     "before Linux 5.4) whatever the host's value is. It is looked at once, in listen(): changing "
     "it "
     "does nothing to sockets that listen already.",
     "__sys_listen (net/socket.c)"},
    {"net.ipv4.tcp_max_syn_backlog", "sysctl", "bounds the SYN queue only with SYN cookies off",
     "From Linux 4.4 on the SYN queue of a listener is limited by the listener's own limit; this "
     "number matters only with tcp_syncookies 0, where the last quarter of it is kept for known "
     "clients. Before 4.4 it bounds the SYN queue's table. Per namespace from 4.11 on.",
     "tcp_conn_request (net/ipv4/tcp_input.c)"},
    {"net.ipv4.tcp_syncookies", "sysctl", "what to do when the SYN queue is full",
     "0: refuse SYNs. 1, the default: answer with a cookie, keeping no state. 2: always cookies. "
     "It "
     "does not help a full accept queue. Per namespace from 4.6 on.",
     "tcp_syn_flood_action (net/ipv4/tcp_input.c)"},
    {"net.ipv4.tcp_abort_on_overflow", "sysctl", "tell clients that the accept queue is full",
     "1: a refused final ACK is answered by a reset. It has no effect on SYNs, which are refused "
     "in "
     "silence all the same, nor on SYN cookies. Per namespace from 4.15 on.",
     "tcp_check_req (net/ipv4/tcp_minisocks.c)"},
    {"net.ipv4.tcp_synack_retries", "sysctl", "how often an unanswered SYN-ACK is repeated",
     "5 by default: at 1, 3, 7, 15 and 31 s; the request is given up at 63 s. In a SYN queue that "
     "is "
     "more than half full old requests go earlier.",
     "reqsk_timer_handler (net/ipv4/inet_connection_sock.c)"},
    {"net.ipv4.tcp_fastopen", "sysctl", "data in the SYN",
     "Bit 2 lets listeners accept it. Such connections enter the accept queue at the SYN.",
     "tcp_try_fastopen (net/ipv4/tcp_fastopen.c)"},
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// The other names of a word: without nstat's prefix, without the sysctl's path.
bool names(const Word& word, const std::string& asked) {
  const std::string name = lower(word.name);
  if (name == asked) return true;
  for (const std::string_view prefix : {"tcpext", "tcp", "net.ipv4.", "net.core."}) {
    if (name.starts_with(prefix) && name.substr(prefix.size()) == asked) return true;
  }
  return false;
}

// `netstat -s` prints sentences instead of names.
std::string_view from_sentence(const std::string& asked) {
  if (asked.find("listen queue of a socket overflowed") != std::string::npos) {
    return "TcpExtListenOverflows";
  }
  if (asked.find("syns to listen sockets") != std::string::npos) return "TcpExtListenDrops";
  return {};
}

// Edits (insert, delete, replace) that make one word of the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

Explanation explain(const CatalogueEntry& entry) {
  return {.word = std::string(entry.id),
          .kind = "finding",
          .title = std::string(entry.title),
          .text = std::string(entry.meaning),
          .next = std::string(entry.next)};
}

}  // namespace

std::optional<Explanation> explain_word(std::string_view word) {
  constexpr std::size_t kLongest = 200;
  if (word.size() > kLongest) return std::nullopt;
  std::string asked = lower(word);
  std::ranges::replace(asked, '/', '.');  // net/core/somaxconn
  for (const CatalogueEntry& entry : catalogue()) {
    if (lower(entry.id) == asked) return explain(entry);
  }
  if (const std::string_view name = from_sentence(asked); !name.empty()) asked = lower(name);
  for (const Word& known : kWords) {
    if (!names(known, asked)) continue;
    return Explanation{.word = std::string(known.name),
                       .kind = std::string(known.kind),
                       .title = std::string(known.title),
                       .text = std::string(known.text),
                       .source = std::string(known.source)};
  }
  return std::nullopt;
}

std::vector<std::string> similar_words(std::string_view word) {
  constexpr std::size_t kLongest = 64;
  constexpr std::size_t kMost = 3;
  const std::string asked = lower(word.substr(0, kLongest));
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const std::string& known : known_words()) {
    std::string name = lower(known);
    std::size_t best = distance(asked, name);
    for (const std::string_view prefix : {"tcpext", "tcp", "net.ipv4.", "net.core."}) {
      if (name.starts_with(prefix))
        best = std::min(best, distance(asked, name.substr(prefix.size())));
    }
    if (best <= asked.size() / 3 + 1) ranked.emplace_back(best, known);
  }
  std::ranges::sort(ranked);
  std::vector<std::string> similar;
  for (auto& [rank, known] : ranked) {
    if (similar.size() < kMost) similar.push_back(std::move(known));
  }
  return similar;
}

std::vector<std::string> known_words() {
  std::vector<std::string> words;
  for (const CatalogueEntry& entry : catalogue()) words.emplace_back(entry.id);
  for (const Word& word : kWords) words.emplace_back(word.name);
  return words;
}

}  // namespace acceptq::diagnose
