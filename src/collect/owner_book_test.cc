#include "collect/owner_book.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

namespace acceptq::collect {
namespace {

namespace fs = std::filesystem;
using Owners = std::vector<facts::OwnerRef>;
using Unowned = OwnerBook::Unowned;

// A /proc of links alone, that a test changes between two scans.
class Node {
 public:
  Node() {
    std::string pattern = fs::temp_directory_path() / "acceptq-owner-book-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    fs::create_directories(root_ / "1");
    const std::ofstream status(root_ / "1" / "status");  // without it, /proc hides processes
    book_.emplace(ScanOptions{.proc_root = root_}, 1);
  }
  ~Node() { fs::remove_all(root_); }

  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void give(int pid, int fd, int inode) {
    const fs::path dir = root_ / std::to_string(pid) / "fd";
    fs::create_directories(dir);
    fs::create_symlink("socket:[" + std::to_string(inode) + "]", dir / std::to_string(fd));
  }
  void end(int pid) { fs::remove_all(root_ / std::to_string(pid)); }

  Owners owners_of(std::uint64_t inode, Unowned unowned) {
    facts::Snapshot snapshot;
    snapshot.listeners.resize(1);
    snapshot.listeners[0].inode = SocketInode(inode);
    book_->find_owners(true, unowned, snapshot);
    return snapshot.listeners[0].owners;
  }

 private:
  fs::path root_;
  std::optional<OwnerBook> book_;
};

TEST(OwnerBook, RemembersAnOwnerForAsLongAsItHoldsTheSocket) {
  Node node;
  node.give(7, 3, 48213);
  EXPECT_EQ(node.owners_of(48213, Unowned::kLeave), (Owners{{Pid(7), 3}}));
  node.give(8, 4, 48213);  // not looked for: the known owner still holds it
  EXPECT_EQ(node.owners_of(48213, Unowned::kLeave), (Owners{{Pid(7), 3}}));
  node.end(7);
  EXPECT_EQ(node.owners_of(48213, Unowned::kLeave), (Owners{{Pid(8), 4}}));
  node.end(8);
  EXPECT_EQ(node.owners_of(48213, Unowned::kLeave), Owners{});
}

TEST(OwnerBook, SearchesForMissingOwnersOnlyWhenTold) {
  Node node;
  EXPECT_EQ(node.owners_of(48213, Unowned::kSearchAgain), Owners{});
  node.give(7, 3, 48213);
  EXPECT_EQ(node.owners_of(48213, Unowned::kLeave), Owners{});
  EXPECT_EQ(node.owners_of(48213, Unowned::kSearchAgain), (Owners{{Pid(7), 3}}));
}

}  // namespace
}  // namespace acceptq::collect
