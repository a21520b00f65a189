#include <algorithm>

#include "evidence/handshakes.h"
#include "import/capture/observation.h"
#include "import/capture/tcpdump_text.h"
#include "import/text.h"

namespace acceptq::imports::capture {

std::optional<facts::Observation> read_tcpdump_text(std::string_view text,
                                                    const std::string& name) {
  const std::optional<std::string> decoded = decode_utf16(text);
  if (decoded) text = *decoded;
  TcpdumpText lines;
  CaptureSummary summary{.name = name};
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.add(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (lines.empty()) return std::nullopt;
  const TcpdumpText::Packets found = lines.packets();
  evidence::Handshakes handshakes({.may_be_filtered = true});
  summary.first_ns = summary.last_ns = found.packets.front().at_ns;
  for (const evidence::TcpPacket& packet : found.packets) {
    summary.first_ns = std::min(summary.first_ns, packet.at_ns);
    summary.last_ns = std::max(summary.last_ns, packet.at_ns);
    handshakes.add(packet);
  }
  summary.packets = found.packets.size();
  summary.has_times = found.column != TimeColumn::kNone;
  summary.has_dates = found.column == TimeColumn::kEpoch || found.column == TimeColumn::kDate;
  summary.unread_lines = lines.unread();
  summary.stand_ins = lines.stand_ins();
  if (found.is_assumed) {
    summary.assumption =
        "the time column was read as the time since the first packet (tcpdump -ttttt); the gap to "
        "the line before (-ttt) looks the same";
  }
  return to_observation(handshakes, summary);
}

}  // namespace acceptq::imports::capture
