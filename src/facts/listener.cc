#include "facts/listener.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace acceptq::facts {
namespace {

std::string bracketed(const Listener& listener) {
  std::string address = listener.address.to_string();
  return listener.address.is_v6() ? "[" + address + "]" : address;
}

// Keys are made by the thousand, for each scan: without a format to be read.
void append(std::uint64_t number, std::string& text, int base = 10) {
  std::array<char, 20> digits{};  // of 2^64 - 1
  char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
  text.append(digits.data(), end);
}

std::string device_suffix(const Listener& listener) {
  if (listener.device) return "%" + *listener.device;
  if (listener.ifindex) return fmt::format("%if{}", *listener.ifindex);
  return "";
}

// "4026532567", "pasted1".
void append_namespace(const Listener& listener, std::string& text) {
  if (!listener.pasted_at.empty()) text += "pasted";
  append(listener.netns.value(), text);
}

void append_socket(const Listener& listener, std::string& text) {
  if (listener.cookie.value() != 0) {
    append(listener.cookie.value(), text, 16);
  } else if (listener.inode.value() == 0 && !listener.pasted_at.empty()) {
    text += listener.pasted_at;
  } else {
    text += 'i';
    append(listener.inode.value(), text);
  }
}

}  // namespace

std::string listener_key(const Listener& listener) {
  const bool is_unix = listener.protocol == Protocol::kUnix;
  std::string key = is_unix ? "unix:" : "tcp:";
  append_namespace(listener, key);
  key += ':';
  if (is_unix) {
    key += listener.path;
  } else {
    key += bracketed(listener);
    key += ':';
    append(listener.port, key);
  }
  key += '#';
  append_socket(listener, key);
  return key;
}

bool has_same_key(const Listener& a, const Listener& b) {
  if (a.protocol != b.protocol || a.netns != b.netns || a.cookie != b.cookie) return false;
  if (a.pasted_at.empty() != b.pasted_at.empty()) return false;
  const bool is_same_end =
      a.protocol == Protocol::kUnix ? a.path == b.path : a.port == b.port && a.address == b.address;
  if (!is_same_end || a.cookie.value() != 0) return is_same_end;
  return a.inode == b.inode && (a.inode.value() != 0 || a.pasted_at == b.pasted_at);
}

std::string listener_endpoint(const Listener& listener) {
  if (listener.protocol == Protocol::kUnix) return "unix:" + listener.path;
  return fmt::format("{}{}:{}", bracketed(listener), device_suffix(listener), listener.port);
}

bool serves_address(const Listener& listener, const IpAddress& address) {
  // A socket for both families may be bound to one address of IPv4.
  if (listener.address.unmapped() == address.unmapped()) return true;
  if (!listener.address.is_unspecified()) return false;
  return listener.address.is_v6() ? address.is_v6() || listener.v6only != true : !address.is_v6();
}

bool listens_on(const Listener& listener, NetnsId netns, std::uint16_t port) {
  return listener.protocol == Protocol::kTcp && !listener.closed && listener.netns == netns &&
         listener.port == port;
}

bool has_common_owner(const Listener& a, const Listener& b) {
  return std::ranges::any_of(a.owners, [&](const OwnerRef& owner) {
    return std::ranges::find(b.owners, owner.pid, &OwnerRef::pid) != b.owners.end();
  });
}

bool is_held_at(const Listener& listener, const OwnerRef& place) {
  return std::ranges::find(listener.owners, place) != listener.owners.end();
}

std::string reuseport_key(const Listener& listener) {
  if (listener.protocol == Protocol::kUnix) return "";
  std::string key = "tcp:";
  append_namespace(listener, key);
  return key + fmt::format(":{}{}:{}", bracketed(listener), device_suffix(listener), listener.port);
}

std::uint64_t accept_queue_capacity(QueueLimit limit) { return std::uint64_t{limit.value()} + 1; }

bool sampled_full(QueueLength length, QueueLimit limit) {
  // A limit of 0 still lets one connection wait; an empty queue is never full.
  return length.value() > 0 && length.value() >= limit.value();
}

}  // namespace acceptq::facts
