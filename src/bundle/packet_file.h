// Headers of packets as a file of a bundle, and without the addresses that a stranger should not
// read. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/units.h"
#include "bundle/replaced_names.h"
#include "facts/packet_headers.h"

namespace acceptq::bundle {

// A capture (pcap, nanoseconds, Linux cooked v2), which tcpdump and acceptq read.
[[nodiscard]] std::string to_pcap(std::span<const facts::PacketHeaders> packets);

// "packets-4026531840.pcap", and back.
[[nodiscard]] std::string packet_file_name(NetnsId netns);
[[nodiscard]] std::optional<NetnsId> netns_of_packet_file(std::string_view name);

// Addresses are replaced as everywhere else. Checksums, by which the former ones could be found
// out, become 0, and so does every option that is not known to hold none (MPTCP's hold addresses).
void redact(facts::PacketHeaders& packet, ReplacedNames& names);

}  // namespace acceptq::bundle
