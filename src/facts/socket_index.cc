#include "facts/socket_index.h"

namespace acceptq::facts {
namespace {

// As Boost's hash_combine does it.
std::size_t mixed(std::size_t hash, std::uint64_t value) {
  constexpr std::size_t kGolden = 0x9e3779b97f4a7c15U;
  return hash ^ (std::hash<std::uint64_t>{}(value) + kGolden + (hash << 6U) + (hash >> 2U));
}

}  // namespace

std::size_t SocketIndex::KeyHash::operator()(const Listener* listener) const {
  const std::uint64_t cookie = listener->cookie.value();
  const std::size_t hash = mixed(listener->netns.value(), listener->port);
  return mixed(hash, cookie != 0 ? cookie : listener->inode.value());
}

bool SocketIndex::SameKey::operator()(const Listener* a, const Listener* b) const {
  return has_same_key(*a, *b);
}

std::size_t SocketIndex::InodeHash::operator()(const Listener* listener) const {
  return mixed(listener->netns.value(), listener->inode.value());
}

bool SocketIndex::SameInode::operator()(const Listener* a, const Listener* b) const {
  return a->protocol == b->protocol && a->netns == b->netns && a->inode == b->inode;
}

SocketIndex::SocketIndex(const std::vector<Listener>& listeners) {
  by_key_.reserve(listeners.size());
  by_inode_.reserve(listeners.size());
  for (const Listener& listener : listeners) {
    by_key_.insert(&listener);
    if (listener.inode.value() != 0) by_inode_.insert(&listener);
  }
}

const Listener* SocketIndex::find(const Listener& listener) const {
  if (const auto it = by_key_.find(&listener); it != by_key_.end()) return *it;
  const auto it = by_inode_.find(&listener);
  if (it == by_inode_.end()) return nullptr;
  const bool both_known = listener.cookie.value() != 0 && (*it)->cookie.value() != 0;
  return both_known ? nullptr : *it;
}

}  // namespace acceptq::facts
