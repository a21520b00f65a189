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

}  // namespace

std::string listener_key(const Listener& listener) {
  const std::string socket = listener.cookie.value() != 0
                                 ? fmt::format("{:x}", listener.cookie.value())
                                 : fmt::format("i{}", listener.inode.value());
  if (listener.protocol == Protocol::kUnix) {
    return fmt::format("unix:{}:{}#{}", listener.netns.value(), listener.path, socket);
  }
  return fmt::format("tcp:{}:{}:{}#{}", listener.netns.value(), bracketed(listener), listener.port,
                     socket);
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
  return fmt::format("tcp:{}:{}{}:{}", listener.netns.value(), bracketed(listener),
                     device_suffix(listener), listener.port);
}

std::uint64_t accept_queue_capacity(QueueLimit limit) { return std::uint64_t{limit.value()} + 1; }

bool sampled_full(QueueLength length, QueueLimit limit) {
  // A limit of 0 still lets one connection wait; an empty queue is never full.
  return length.value() > 0 && length.value() >= limit.value();
}

}  // namespace acceptq::facts
