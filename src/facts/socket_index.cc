#include "facts/socket_index.h"

namespace acceptq::facts {

SocketIndex::SocketIndex(const std::vector<Listener>& listeners) {
  for (const Listener& listener : listeners) {
    by_key_.emplace(listener_key(listener), &listener);
    if (listener.inode.value() == 0) continue;
    by_inode_.emplace(std::tuple(listener.protocol, listener.netns, listener.inode), &listener);
  }
}

const Listener* SocketIndex::find(const Listener& listener) const {
  if (const auto it = by_key_.find(listener_key(listener)); it != by_key_.end()) return it->second;
  const auto it = by_inode_.find({listener.protocol, listener.netns, listener.inode});
  if (it == by_inode_.end()) return nullptr;
  const bool both_known = listener.cookie.value() != 0 && it->second->cookie.value() != 0;
  return both_known ? nullptr : it->second;
}

}  // namespace acceptq::facts
