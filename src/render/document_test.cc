#include "render/document.h"

#include <gtest/gtest.h>

#include "render/document_markdown.h"

namespace acceptq::render {
namespace {

TEST(MarkdownEscaped, IsReadAsItWas) {
  EXPECT_EQ(markdown_escaped("0.0.0.0:80 (pid 3985), net.core.somaxconn = 128"),
            "0.0.0.0:80 (pid 3985), net.core.somaxconn = 128");
  EXPECT_EQ(markdown_escaped("a|b"), "a&#124;b");
  EXPECT_EQ(markdown_escaped("`x` *y* _z_ ~~no~~ $1$"),
            "\\`x\\` \\*y\\* \\_z\\_ \\~\\~no\\~\\~ \\$1\\$");
  EXPECT_EQ(markdown_escaped("<b>&lt;"), "&lt;b&gt;&amp;lt;");
  EXPECT_EQ(markdown_escaped("![x](http://e.example)"), "!\\[x\\](http\\://e.example)");
  EXPECT_EQ(markdown_escaped("WWW.e.example www.e.example"), "WWW\\.e.example www\\.e.example");
  // printable() made text of the bytes; its backslashes are escaped like others.
  EXPECT_EQ(markdown_escaped("a\n# b\x1b"), "a\\\\x0a# b\\\\x1b");
}

TEST(Markdown, BeginsNoBlockWithinAText) {
  const auto paragraph = [](const char* text) {
    return markdown({.headline = "h", .blocks = {Paragraph{text}}, .colophon = "c"});
  };
  EXPECT_NE(paragraph("# x").find("\n\\# x\n"), std::string::npos);
  EXPECT_NE(paragraph("- x").find("\n\\- x\n"), std::string::npos);
  EXPECT_NE(paragraph("12. x").find("\n12\\. x\n"), std::string::npos);
  EXPECT_NE(paragraph("12 x").find("\n12 x\n"), std::string::npos);
}

TEST(MarkdownCode, IsClosedByNothingInIt) {
  EXPECT_EQ(markdown_code("a\n\tb"), "```\na\n\tb\n```\n");
  EXPECT_EQ(markdown_code("```\n````x"), "`````\n```\n````x\n`````\n");
}

}  // namespace
}  // namespace acceptq::render
