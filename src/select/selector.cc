#include "select/selector.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace acceptq::select {
namespace {

using Kind = Selector::Kind;

constexpr const char* kForms =
    "expected :PORT, ADDRESS:PORT, [ADDRESS]:PORT, pid:N, comm:NAME, container:ID, "
    "pod:NAMESPACE/NAME, netns:INODE, netns:NAME, netns:PATH or "
    "unix:PATH";

tl::unexpected<Error> malformed(std::string_view text, std::string_view why) {
  return fail(ErrorCode::kMalformed, fmt::format("selector \"{}\": {}; {}", text, why, kForms));
}

// "PORT" behind the last colon, and what is before it.
Result<Selector> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed(text, "no port");
  Selector selector{.kind = Kind::kPort};
  const auto port = parse_int<std::uint16_t>(text.substr(colon + 1));
  if (!port || *port == 0) return malformed(text, "the port is no number from 1 to 65535");
  selector.port = *port;
  std::string_view address = text.substr(0, colon);
  if (address.empty()) return selector;
  const std::optional<AddressAndDevice> split = split_device(address);
  if (!split) return malformed(text, "no interface behind the percent sign");
  if (!split->device.empty()) selector.device = split->device;
  address = split->address;
  const bool bracketed = address.starts_with('[') && address.ends_with(']') && address.size() > 2;
  if (bracketed) address = address.substr(1, address.size() - 2);
  selector.address = facts::IpAddress::parse(address);
  if (!selector.address || selector.address->is_v6() != bracketed) {
    return malformed(text, "the address is neither IPv4 nor IPv6 in brackets");
  }
  return selector;
}

Result<Selector> parse_named(std::string_view text, std::string_view kind, std::string_view rest) {
  Selector selector;
  selector.name = std::string(rest);
  if (rest.empty()) return malformed(text, "nothing behind the colon");
  if (kind == "pid") {
    selector.kind = Kind::kPid;
    const auto pid = parse_int<std::int32_t>(rest);
    if (!pid || *pid <= 0) return malformed(text, "the pid is no positive number");
    selector.number = static_cast<std::uint64_t>(*pid);
  } else if (kind == "comm") {
    selector.kind = Kind::kComm;
  } else if (kind == "container") {
    selector.kind = Kind::kContainer;
    constexpr std::size_t kShortest = 4;
    if (rest.size() < kShortest) return malformed(text, "at least 4 digits of the id are needed");
  } else if (kind == "pod") {
    selector.kind = Kind::kPod;
    const std::size_t slash = rest.find('/');
    if (slash != std::string_view::npos) {
      selector.pod_namespace = std::string(rest.substr(0, slash));
      selector.name = std::string(rest.substr(slash + 1));
      if (selector.name.empty()) return malformed(text, "no pod name behind the slash");
    }
  } else if (kind == "netns") {
    const auto inode = parse_int<std::uint64_t>(rest);
    selector.kind = inode ? Kind::kNetns : Kind::kNetnsPath;
    selector.number = inode.value_or(0);
    // As `ip netns` has it.
    if (!inode && !rest.starts_with('/')) {
      if (rest.find('/') != rest.npos) return malformed(text, "a path begins with /");
      selector.name = fmt::format("/run/netns/{}", rest);
    }
  } else {
    selector.kind = Kind::kUnix;
    if (!rest.starts_with('/') && !rest.starts_with('@')) {
      return malformed(text, "a path begins with /, an abstract name with @");
    }
  }
  return selector;
}

// "pid" of "pid:N" and the like; empty for any other text.
std::string_view named_kind(std::string_view text) {
  constexpr std::string_view kKinds[] = {"pid", "comm", "container", "pod", "netns", "unix"};
  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  const bool known =
      colon != std::string_view::npos && std::ranges::find(kKinds, kind) != std::end(kKinds);
  return known ? kind : std::string_view{};
}

template <typename Test>
bool any_owner(const facts::Snapshot& snapshot, const facts::Listener& listener, const Test& test) {
  return std::ranges::any_of(listener.owners, [&](const facts::OwnerRef& owner) {
    const facts::Process* process = facts::find_process(snapshot, owner.pid);
    return process != nullptr && test(*process);
  });
}

// Some programs fill an abstract name up with NULs, each of which is shown as an @.
bool is_named(std::string_view path, std::string_view name) {
  if (!path.starts_with(name)) return false;
  const std::string_view rest = path.substr(name.size());
  return rest.empty() || (name.starts_with('@') && rest.find_first_not_of('@') == rest.npos);
}

}  // namespace

std::optional<AddressAndDevice> split_device(std::string_view text) {
  const std::size_t percent = text.find('%');
  AddressAndDevice split{.address = std::string(text.substr(0, percent)), .device = {}};
  if (percent == std::string_view::npos) return split;
  std::string_view device = text.substr(percent + 1);
  if (split.address.starts_with('[') && !split.address.ends_with(']') && device.ends_with(']')) {
    device.remove_suffix(1);
    split.address += ']';
  }
  if (device.empty()) return std::nullopt;
  split.device = std::string(device);
  return split;
}

bool looks_like_selector(std::string_view text) {
  return text.starts_with(':') || text.starts_with('[') || !named_kind(text).empty() ||
         parse_endpoint(text).has_value();
}

Result<Selector> parse_selector(std::string_view text) {
  Result<Selector> selector = fail(ErrorCode::kMalformed, "");
  const std::string_view kind = named_kind(text);
  if (!kind.empty()) {
    selector = parse_named(text, kind, text.substr(kind.size() + 1));
  } else {
    selector = parse_endpoint(text);
  }
  if (selector) selector->text = std::string(text);
  return selector;
}

bool matches(const Selector& selector, const facts::Snapshot& snapshot,
             const facts::Listener& listener) {
  const bool tcp = listener.protocol == facts::Protocol::kTcp;
  switch (selector.kind) {
    case Kind::kPort:
      return tcp && listener.port == selector.port &&
             (!selector.address || facts::serves_address(listener, *selector.address)) &&
             (!selector.device || !listener.device || selector.device == listener.device);
    case Kind::kPid:
      return std::ranges::any_of(listener.owners, [&](const facts::OwnerRef& owner) {
        return std::cmp_equal(owner.pid.value(), selector.number);
      });
    case Kind::kComm:
      return any_owner(snapshot, listener, [&](const facts::Process& process) {
        return process.comm == selector.name;
      });
    case Kind::kContainer:
      return any_owner(snapshot, listener, [&](const facts::Process& process) {
        return process.container && process.container->id.starts_with(selector.name);
      });
    case Kind::kPod:
      return any_owner(snapshot, listener, [&](const facts::Process& process) {
        return process.pod && process.pod->name == selector.name &&
               (selector.pod_namespace.empty() || process.pod->ns == selector.pod_namespace);
      });
    case Kind::kNetns:
      return listener.netns.value() == selector.number;
    case Kind::kNetnsPath:
      return false;
    case Kind::kUnix:
      return !tcp && is_named(listener.path, selector.name);
  }
  return false;
}

std::vector<std::uint16_t> ports_of(const std::vector<Selector>& selectors) {
  std::vector<std::uint16_t> ports;
  for (const Selector& selector : selectors) {
    if (selector.kind == Kind::kPort) ports.push_back(selector.port);
  }
  return ports;
}

bool means_clients_of(const Selector& selector, const facts::IpAddress& address,
                      std::uint16_t port) {
  return selector.kind == Kind::kPort && selector.port == port &&
         (!selector.address || selector.address->unmapped() == address.unmapped());
}

bool selects_namespace(const Selector& selector, NetnsId id) {
  return selector.kind == Kind::kNetns && selector.number == id.value();
}

}  // namespace acceptq::select
