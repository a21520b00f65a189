// The SNMP counters of one network namespace: /proc/net/netstat and /proc/net/snmp.
//
// Both files are pairs of lines, names then values, each begun by the group's name:
//   TcpExt: SyncookiesSent … ListenOverflows ListenDrops …
//   TcpExt: 0 … 12178939 12247395 …
// (net/ipv4/proc.c, netstat_seq_show and snmp_seq_show; MPTcpExt: net/mptcp/mib.c, 5.10.) Which
// columns exist, and where, differs from kernel to kernel, so everything goes by name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "facts/counters.h"

namespace acceptq::collect::procfs {

// By nstat's names: "TcpExtListenOverflows", "TcpPassiveOpens", "MPTcpExtMPCapableSYNRX".
using facts::Counters;

// Parses again and again, for namespace after namespace of one kernel. The names' line, two thirds
// of the bytes, is the same in each, so it is taken apart once and then only compared; what it was
// taken apart into is kept sorted, so that groups of counters need only be merged. The
// results do not depend on what was parsed before. Not thread-safe: one parser per thread.
class CounterParser {
 public:
  // The groups TcpExt and MPTcpExt of `netstat` and Tcp of `snmp`, all columns. A negative value
  // (Tcp MaxConn, -1: no limit) counts nothing and is left out. Fails, naming file and line, with
  // kMalformed where names and values do not match or a value is not a 64-bit number, and with
  // kTruncated where a text does not end in a newline or TcpExt or Tcp is missing.
  [[nodiscard]] Result<Counters> parse(std::string_view netstat, std::string_view snmp);

  // The same from NET_DIR/netstat and NET_DIR/snmp, such as "/proc/3985/net" or, after setns(),
  // "/proc/thread-self/net". Reuses its buffers.
  [[nodiscard]] Result<Counters> read(const std::string& net_dir);

 private:
  struct Column {
    facts::CounterName name;  // with the group before it
    std::size_t index;        // among the values of the line
  };
  struct Group {
    std::string_view prefix;
    std::string header;           // the names' line that `columns` was made from
    std::vector<Column> columns;  // by name
    bool seen = false;
  };
  struct Place;

  using Entries = std::vector<Counters::Entry>;  // by name

  [[nodiscard]] Status parse_text(std::string_view text, const Place& file, Entries& out);
  [[nodiscard]] static Status learn_header(Group& group, std::string_view line, const Place& at);
  [[nodiscard]] Status parse_values(std::string_view fields, const Place& at);
  [[nodiscard]] static Status read_into(const std::string& path, std::string& buffer);

  Group groups_[3] = {{"TcpExt:", {}, {}}, {"MPTcpExt:", {}, {}}, {"Tcp:", {}, {}}};
  std::vector<std::uint64_t> values_;
  std::vector<bool> negative_;
  std::string netstat_buffer_;
  std::string snmp_buffer_;
};

// The same with a parser made for this one call.
[[nodiscard]] Result<Counters> parse_counters(std::string_view netstat, std::string_view snmp);

// True for the few columns that hold a state or a setting, where a difference means nothing:
// TcpCurrEstab, TcpRtoMin …
[[nodiscard]] bool is_gauge(std::string_view name);

}  // namespace acceptq::collect::procfs
