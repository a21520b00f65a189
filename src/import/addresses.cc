// ip address (iproute2): "3: eth0@if11: <BROADCAST,…> mtu 1500 …", and indented below it
// "inet 172.26.0.8/26 scope global eth0".
#include "base/text.h"
#include "import/readers.h"

namespace acceptq::imports {
namespace {

bool is_interface(std::string_view line) {
  const std::size_t colon = line.find(": ");
  return colon != std::string_view::npos && parse_int<std::uint32_t>(line.substr(0, colon)) &&
         line.find(": <") != std::string_view::npos && line.find(" mtu ") != std::string_view::npos;
}

}  // namespace

Reading read_addresses(Lines lines, const Typed& /*typed*/) {
  if (lines.empty() || !is_interface(lines[0].text)) return {};
  Reading reading;
  Addresses addresses;
  for (; reading.used < lines.size(); ++reading.used) {
    const std::string_view line = lines[reading.used].text;
    if (is_interface(line)) continue;
    if (!line.starts_with("    ")) break;
    const std::vector<std::string_view> words = split_blank(line);
    if (words.size() < 2 || (words[0] != "inet" && words[0] != "inet6")) continue;
    // Everybody has those.
    if (words[1].starts_with("127.") || words[1].starts_with("::1/") ||
        words[1].starts_with("fe80:")) {
      continue;
    }
    addresses.all.emplace_back(words[1].substr(0, words[1].find('/')));
  }
  if (!addresses.all.empty()) reading.piece = std::move(addresses);
  return reading;
}

}  // namespace acceptq::imports
