#include "cli/sysctl_files.h"

#include <gtest/gtest.h>

#include "support/file_tree.h"

namespace acceptq::cli {
namespace {

TEST(SysctlFiles, TheOneReadLaterHasTheLastWord) {
  const test::FileTree tree;
  const std::string path = "/etc/sysctl.d/60-x.conf";
  const auto later = [&] { return set_later(path, "net.core.somaxconn", tree.root()); };
  EXPECT_EQ(later(), std::nullopt);
  tree.write("etc/sysctl.d/10-a.conf", "net.core.somaxconn = 1\n");
  tree.write("etc/sysctl.d/70-b.conf", "# net.core.somaxconn = 1\nnet.core.somaxconn2 = 1\n");
  EXPECT_EQ(later(), std::nullopt);
  tree.write("etc/sysctl.conf", " -net/core/somaxconn=128\n");
  EXPECT_EQ(later(), tree.path("etc/sysctl.conf"));
  tree.write("usr/lib/sysctl.d/80-c.conf", "net.core.somaxconn=256");
  EXPECT_EQ(later(), tree.path("usr/lib/sysctl.d/80-c.conf"));
}

}  // namespace
}  // namespace acceptq::cli
