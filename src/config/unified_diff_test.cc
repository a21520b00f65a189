// What is printed must be what patch takes: each diff is applied by the real program.
#include "config/unified_diff.h"

#include <gtest/gtest.h>

#include <string>

#include "base/file.h"
#include "support/child.h"
#include "support/file_tree.h"

namespace acceptq::config {
namespace {

TEST(UnifiedDiff, HasTheFormOfDiffU) {
  EXPECT_EQ(unified_diff({.path = "/etc/x",
                          .before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
                          .after = "1\n2\n3\n4\n5!\n6\n7\n8\n9\n"}),
            "--- a/etc/x\n+++ b/etc/x\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+5!\n 6\n 7\n 8\n");
  EXPECT_EQ(unified_diff({.path = "/etc/x", .before = "a\n", .after = "a\n"}), "");
  EXPECT_EQ(unified_diff({.path = "/etc/x", .after = "a\nb\n"}),
            "--- /dev/null\n+++ b/etc/x\n@@ -0,0 +1,2 @@\n+a\n+b\n");
  EXPECT_EQ(
      unified_diff({.path = "/e x\n", .before = "a", .after = "b"}),
      "--- \"a/e x\\012\"\n+++ \"b/e x\\012\"\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n"
      "+b\n\\ No newline at end of file\n");
}

TEST(UnifiedDiff, IsAppliedByPatch) {
  const std::string long_text = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
  const FileEdit edits[] = {
      {.path = "/plain", .before = "a\nb\nc\n", .after = "a\nB\nc\n"},
      {.path = "/insert", .before = long_text, .after = "1\n2\n3\n4\n5\nnew\n6\n7\n8\n9\n10\n"},
      {.path = "/first", .before = long_text, .after = "0\n" + long_text},
      {.path = "/last", .before = long_text, .after = long_text + "11\n"},
      {.path = "/no-newline", .before = "a\nb", .after = "a\nb c"},
      {.path = "/gets-newline", .before = "a\nb", .after = "a\nb\nc\n"},
      {.path = "/crlf", .before = "a\r\nb\r\n", .after = "a\r\nb x\r\n"},
      {.path = "/from-empty", .before = "", .after = "a\n"},
      {.path = "/conf.d/new", .after = "[Socket]\nBacklog=9\n"},
      {.path = "/with blank", .before = "a\n", .after = "b\n"},
      {.path = "/q\"uote", .before = "a\n", .after = "b\n"},
      {.path = "/repeated", .before = "x\nx\nx\nx\n", .after = "x\nx\nx\nx\nx\n"},
      {.path = "/far", .before = long_text, .after = "1!\n2\n3\n4\n5\n6\n7\n8\n9\n10!\n"},
  };
  for (const FileEdit& edit : edits) {
    const test::FileTree tree;
    const std::string name = edit.path.substr(1);
    if (edit.before) tree.write(name, *edit.before);
    tree.write("the.diff", unified_diff(edit));
    const test::Output output = test::run_program(
        {"patch", "--binary", "-p1", "-d", tree.root(), "-i", tree.path("the.diff")});
    EXPECT_EQ(output.exit_code, 0) << edit.path << output.out << output.err;
    const Result<std::string> text = read_file(tree.path(name));
    ASSERT_TRUE(text) << edit.path;
    EXPECT_EQ(*text, edit.after) << edit.path;
  }
}

}  // namespace
}  // namespace acceptq::config
