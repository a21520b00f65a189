// dmesg and journalctl -k: "TCP: request_sock_TCP: Possible SYN flooding on port 80. Sending
// cookies." (tcp_syn_flood_action.)
// The kernel says so where a SYN queue was full, flood or not.
#include "base/text.h"
#include "import/readers.h"

namespace acceptq::imports {

Reading read_kernel_log(Lines lines, const Typed& /*typed*/) {
  constexpr std::string_view kSays = "ossible SYN flooding on port ";
  Reading reading;
  std::string ports;
  bool dropped = false;
  for (; reading.used < lines.size(); ++reading.used) {
    const std::string_view line = lines[reading.used].text;
    const std::size_t at = line.find(kSays);
    if (at == std::string_view::npos) break;
    const std::string_view rest = line.substr(at + kSays.size());
    std::string_view port = rest.substr(0, rest.find(' '));
    while (port.ends_with('.') || port.ends_with(',')) port.remove_suffix(1);
    if (port.empty() || port.size() > 60) break;
    dropped |= rest.find("Dropping") != std::string_view::npos;
    if (ports.size() < 200 && ports.find(port) == std::string::npos) {
      ports += (ports.empty() ? "" : ", ") + std::string(port);
    }
  }
  if (reading.used == 0) return {};
  reading.piece = Remark{
      .what = "the kernel's log says \"possible SYN flooding\" of port " + ports,
      .meaning =
          std::string("a SYN queue was full at that time, by a flood or by ordinary load, and ") +
          (dropped ? "SYNs were dropped" : "SYN cookies stood in") +
          "; the line does not tell whether it goes on"};
  return reading;
}

}  // namespace acceptq::imports
