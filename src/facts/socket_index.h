// Finds the same socket in another snapshot. Its key alone does not do: the kernel makes a socket's
// cookie when somebody asks for it (sock_gen_cookie), so a subflow of MPTCP, and every listener
// before 5.12, has its inode in its key until sock_diag was asked, and its cookie afterwards.
#pragma once

#include <cstddef>
#include <unordered_set>
#include <vector>

#include "facts/listener.h"

namespace acceptq::facts {

// Points into the listeners that it was made from, which must outlive it.
class SocketIndex {
 public:
  explicit SocketIndex(const std::vector<Listener>& listeners);

  // By key, or by inode where one of the two has no cookie; null where there is none.
  [[nodiscard]] const Listener* find(const Listener& listener) const;

 private:
  // Equal where listener_key() is, which is not made for them.
  struct KeyHash {
    std::size_t operator()(const Listener* listener) const;
  };
  struct SameKey {
    bool operator()(const Listener* a, const Listener* b) const;
  };
  struct InodeHash {
    std::size_t operator()(const Listener* listener) const;
  };
  struct SameInode {
    bool operator()(const Listener* a, const Listener* b) const;
  };

  std::unordered_set<const Listener*, KeyHash, SameKey> by_key_;
  std::unordered_set<const Listener*, InodeHash, SameInode> by_inode_;
};

}  // namespace acceptq::facts
