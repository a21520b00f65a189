// Which listeners a command is about: ":80", "10.0.0.3:80", "[::1]:443", "pid:3985", "comm:nginx",
// "container:49b4135534da", "pod:NAMESPACE/NAME", "netns:4026532567", "netns:blue" (of `ip netns`),
// "netns:/run/netns/x", "unix:/run/php-fpm.sock".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "facts/snapshot.h"

namespace acceptq::select {

struct Selector {
  enum class Kind { kPort, kPid, kComm, kContainer, kPod, kNetns, kNetnsPath, kUnix };
  Kind kind = Kind::kPort;
  std::string text;  // as it was given
  std::optional<facts::IpAddress> address;
  std::optional<std::string> device;  // of the address: a listener that is bound to none has all
  std::uint16_t port = 0;
  std::uint64_t number = 0;   // a PID or the inode of a namespace
  std::string name;           // comm, container id (at least 4 digits), pod name, path
  std::string pod_namespace;  // empty: any
};

// "[fe80::1]" and "eth0": of "[fe80::1]%eth0", as a report writes it, or "[fe80::1%eth0]", as many
// other programs do. Without a percent sign the device is empty.
struct AddressAndDevice {
  std::string address;
  std::string device;
};

// None: there is nothing behind the percent sign.
[[nodiscard]] std::optional<AddressAndDevice> split_device(std::string_view text);

// kMalformed, with the forms that there are, for anything else.
[[nodiscard]] Result<Selector> parse_selector(std::string_view text);

// Whether the text is meant as one, well-formed or not, rather than as the name of a file.
[[nodiscard]] bool looks_like_selector(std::string_view text);

// Whether the listener is one that the selector means. An address also selects the wildcard
// listener that serves it, which for IPv4 may be an IPv6 one. kNetnsPath never matches: it is
// turned into kNetns first.
[[nodiscard]] bool matches(const Selector& selector, const facts::Snapshot& snapshot,
                           const facts::Listener& listener);

// Those of selectors by port.
[[nodiscard]] std::vector<std::uint16_t> ports_of(const std::vector<Selector>& selectors);

// Whether clients of that address and port are those that the selector means, whatever listens
// there.
[[nodiscard]] bool means_clients_of(const Selector& selector, const facts::IpAddress& address,
                                    std::uint16_t port);

// Whether the selector is about a whole namespace of this id.
[[nodiscard]] bool selects_namespace(const Selector& selector, NetnsId id);

}  // namespace acceptq::select
