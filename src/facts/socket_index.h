// Finds the same socket in another snapshot. Its key alone does not do: the kernel makes a socket's
// cookie when somebody asks for it (sock_gen_cookie), so a subflow of MPTCP, and every listener
// before 5.12, has its inode in its key until sock_diag was asked, and its cookie afterwards.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
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
  std::unordered_map<std::string, const Listener*> by_key_;
  std::map<std::tuple<Protocol, NetnsId, SocketInode>, const Listener*> by_inode_;
};

}  // namespace acceptq::facts
