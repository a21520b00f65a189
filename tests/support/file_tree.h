// A directory of files for a test that reads a /proc or a /sys of its own making; removed with the
// object.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "support/require.h"

namespace acceptq::test {

class FileTree {
 public:
  FileTree() {
    std::string pattern = std::filesystem::temp_directory_path() / "acceptq-tree-XXXXXX";
    require(::mkdtemp(pattern.data()) != nullptr, "mkdtemp");
    root_ = pattern;
  }
  FileTree(const FileTree&) = delete;
  FileTree& operator=(const FileTree&) = delete;
  ~FileTree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  [[nodiscard]] std::string root() const { return root_.string(); }
  [[nodiscard]] std::string path(std::string_view name) const { return (root_ / name).string(); }

  void write(std::string_view name, std::string_view text) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
  }
  // A symbolic link; where it leads need not be there.
  void link(std::string_view name, std::string_view target) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::filesystem::create_symlink(target, root_ / name);
  }
  void remove(std::string_view name) const { std::filesystem::remove_all(root_ / name); }

 private:
  std::filesystem::path root_;
};

}  // namespace acceptq::test
