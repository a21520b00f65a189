#include "facts/listener.h"

#include <fmt/format.h>

namespace acceptq::facts {
namespace {

std::string bracketed(const Listener& listener) {
  const std::string address = listener.address.to_string();
  return listener.address.is_v6() ? "[" + address + "]" : address;
}

std::string device_suffix(const Listener& listener) {
  if (listener.device) return "%" + *listener.device;
  if (listener.ifindex) return fmt::format("%if{}", *listener.ifindex);
  return "";
}

// "4026532567", "pasted1".
std::string namespace_part(const Listener& listener) {
  return fmt::format("{}{}", listener.pasted_at.empty() ? "" : "pasted", listener.netns.value());
}

std::string socket_part(const Listener& listener) {
  if (listener.cookie.value() != 0) return fmt::format("{:x}", listener.cookie.value());
  if (listener.inode.value() == 0 && !listener.pasted_at.empty()) return listener.pasted_at;
  return fmt::format("i{}", listener.inode.value());
}

}  // namespace

std::string listener_key(const Listener& listener) {
  if (listener.protocol == Protocol::kUnix) {
    return fmt::format("unix:{}:{}#{}", namespace_part(listener), listener.path,
                       socket_part(listener));
  }
  return fmt::format("tcp:{}:{}:{}#{}", namespace_part(listener), bracketed(listener),
                     listener.port, socket_part(listener));
}

std::string listener_endpoint(const Listener& listener) {
  if (listener.protocol == Protocol::kUnix) return "unix:" + listener.path;
  return fmt::format("{}{}:{}", bracketed(listener), device_suffix(listener), listener.port);
}

bool serves_address(const Listener& listener, const IpAddress& address) {
  if (listener.address == address) return true;
  if (!listener.address.is_unspecified()) return false;
  return listener.address.is_v6() ? address.is_v6() || listener.v6only != true : !address.is_v6();
}

std::string reuseport_key(const Listener& listener) {
  if (listener.protocol == Protocol::kUnix) return "";
  return fmt::format("tcp:{}:{}{}:{}", namespace_part(listener), bracketed(listener),
                     device_suffix(listener), listener.port);
}

std::uint64_t accept_queue_capacity(QueueLimit limit) { return std::uint64_t{limit.value()} + 1; }

bool sampled_full(QueueLength length, QueueLimit limit) {
  // A limit of 0 still lets one connection wait; an empty queue is never full.
  return length.value() > 0 && length.value() >= limit.value();
}

}  // namespace acceptq::facts
