// /proc/net/tcp and tcp6, below their head line.
#include "base/text.h"
#include "evidence/proc_net.h"
#include "import/readers.h"
#include "import/syn_queues.h"

namespace acceptq::imports {

Reading read_proc_tcp(Lines lines, const Typed& typed) {
  if (lines.empty()) return {};
  const std::string_view head = trim(lines[0].text);
  if (!head.starts_with("sl ") || head.find("local_address") == std::string_view::npos) return {};
  Reading reading{.used = 1};
  ListenerTable table{.has_head = true};
  SynQueues syn_queues;
  for (; reading.used < lines.size(); ++reading.used) {
    const Line& line = lines[reading.used];
    // "   0: 0100007F:1F90 00000000:0000 0A …"
    const std::vector<std::string_view> words = split_blank(line.text);
    if (words.empty() || !words[0].ends_with(':') || words[0].size() > 8) break;
    Result<std::optional<facts::Listener>> listener = evidence::parse_proc_net_tcp_line(line.text);
    if (!listener) {
      reading.problems.push_back({line.number, "a line of /proc/net/tcp could not be read"});
    } else if (*listener) {
      table.rows.push_back({.line = line.number, .listener = std::move(**listener)});
    } else if (const auto request = evidence::parse_proc_net_request(line.text)) {
      syn_queues.add(request->first, request->second);
    }
  }
  if (typed.command.find('|') == std::string_view::npos) syn_queues.put_all(table);
  // Those that IPv4 has of a listener of IPv6 are in the other file.
  for (ListenerRow& row : table.rows) {
    if (row.listener.address.is_v6()) row.listener.syn_queue_len.reset();
  }
  reading.piece = std::move(table);
  return reading;
}

}  // namespace acceptq::imports
